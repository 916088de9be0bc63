"""Convolve: linear light through a kernel of its own for every image."""

import torch
from torch import Tensor


def convolved(light: Tensor, kernels: Tensor) -> Tensor:
    """`light` (B, C, H, W) through `kernels` (B, 1 or C, K, K), K odd; (B, C, H - K + 1, W - K + 1).

    Only pixels are given whose light was all there, so that no border has to be made up. A product of spectra, in which
    opposite borders are neighbours, does: what it mixes up is what is left out.
    """
    size, reach = light.shape[-2:], kernels.shape[-1] - 1
    spectrum = torch.fft.rfft2(light).mul_(torch.fft.rfft2(kernels, s=size))
    found: Tensor = torch.fft.irfft2(spectrum, s=size)
    return found[..., reach:, reach:].clamp(min=0)  # rounding leaves black a little below 0


def inside(image: Tensor, margin: int) -> Tensor:
    """`image` (..., H, W) without `margin` pixels at each side."""
    return image[..., margin : image.shape[-2] - margin, margin : image.shape[-1] - margin] if margin else image
