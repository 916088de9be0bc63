"""Metrics: how close an image is to the clean one."""

import pytorch_msssim
import torch
from torch import Tensor

_WINDOW = 11  # pixels
SSIM_DEFINITION = (
    "SSIM with an 11-pixel Gaussian window of sigma 1.5, data range 1, 5 pixels left out at each border, mean over R, "
    "G and B (equal to scikit-image's structural_similarity with gaussian_weights and population covariance)"
)


def psnr(image: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per image (B,) in dB, of images (B, 3, H, W) in [0, 1]; infinite where equal."""
    _require_one_shape(image, clean)
    return -10 * torch.log10((image - clean).square().mean(dim=(1, 2, 3)))


def ssim(image: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity per image (B,), see SSIM_DEFINITION, of images (B, 3, H, W) in [0, 1]; differentiable.

    Raises ValueError for unequal shapes, sides below 11 pixels, and 16-bit floats: variances are differences of
    nearly equal numbers there.
    """
    _require_one_shape(image, clean)
    if min(image.shape[-2:]) < _WINDOW:  # pytorch_msssim would skip the window with a warning
        raise ValueError(f"SSIM needs sides of at least {_WINDOW} pixels, got {image.shape[-2]}x{image.shape[-1]}")
    if image.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"SSIM needs float32 or float64 images, got {image.dtype}: convert them first")
    with torch.autocast(image.device.type, enabled=False):
        similarity: Tensor = pytorch_msssim.ssim(image, clean, data_range=1.0, size_average=False)
    return similarity


def _require_one_shape(image: Tensor, clean: Tensor) -> None:
    if image.shape != clean.shape or image.ndim != 4:
        raise ValueError(f"image and clean must both be (B, 3, H, W), got {(*image.shape,)} and {(*clean.shape,)}")
