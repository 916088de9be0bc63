"""Field: noise of variance 1 whose neighbouring pixels agree, as demosaicing and a camera's denoising leave it."""

import math

import torch
from scipy.optimize import brentq
from torch import Generator, Tensor

_WIDEST = 8.0  # pixels


def unit_field(
    shape: tuple[int, int, int], luma: Tensor, chroma: Tensor, strength: Tensor, generator: Generator
) -> Tensor:
    """Gaussian noise (B, 3, H, W) for `shape` (B, H, W), every channel of variance 1.

    `luma` and `chroma` (B,) are how far the mean of the three channels, and their differences from it, reach: the
    sigma, in pixels, of the Gaussian that white noise is blurred with; 0 leaves it white. `strength` (B,) is the
    differences' standard deviation against that of independent channels: 1 leaves it, 0 makes grey noise. Opposite
    borders are neighbours, since the blur is a product of spectra. `generator` must be of the device of `luma`.
    """
    batch, height, width = shape
    white = torch.randn((batch, 3, height, width), generator=generator, device=luma.device)
    spectrum = torch.fft.rfft2(white)
    grey = spectrum.mean(dim=1, keepdim=True)
    total = ((1 + 2 * strength.square()) / 3).sqrt()
    size, scale = torch.cat((luma, chroma)), torch.cat((total.reciprocal(), strength / total))
    of_grey, of_colour = _transfer(size, scale, height, width).chunk(2)
    # of_colour * (spectrum - grey) + of_grey * grey
    spectrum = spectrum.mul_(of_colour).add_(grey.mul_(of_grey - of_colour))
    field: Tensor = torch.fft.irfft2(spectrum, s=(height, width))
    return field


def neighbour_correlation(sigma: float) -> float:
    """Correlation of neighbouring pixels of white noise after a Gaussian blur of `sigma` pixels."""
    frequency = torch.linspace(-0.5, 0.5, 4097, dtype=torch.float64)[:-1]
    power = torch.exp(-((2 * math.pi * sigma * frequency) ** 2))
    return float((power * torch.cos(2 * math.pi * frequency)).sum() / power.sum())


def sigma_of(correlation: float) -> float:
    """The blur, in pixels, that leaves neighbouring pixels so correlated; 0 for none, and at most 8."""
    if correlation <= 0:
        return 0.0
    if correlation >= neighbour_correlation(_WIDEST):
        return _WIDEST
    return float(brentq(lambda sigma: neighbour_correlation(sigma) - correlation, 0.0, _WIDEST))


def _transfer(sigma: Tensor, scale: Tensor, height: int, width: int) -> Tensor:
    """Spectrum (B, 1, H, W // 2 + 1) of a Gaussian of `sigma` (B,) pixels; white noise has `scale` (B,) afterwards."""
    device = sigma.device
    down, across = (_one_way(sigma, torch.fft.fftfreq(side, device=device)) for side in (height, width))
    return ((down * scale[:, None])[:, :, None] * across[:, None, : width // 2 + 1])[:, None]


def _one_way(sigma: Tensor, frequency: Tensor) -> Tensor:
    response = torch.exp(-2 * (math.pi * sigma[:, None] * frequency).square())
    return response / response.square().mean(dim=1, keepdim=True).sqrt()
