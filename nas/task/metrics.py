"""Metrics: how close an image is to the clean one."""

from functools import lru_cache
from typing import Any

import pytorch_msssim
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_WINDOW, _SIGMA = 11, 1.5  # pixels
_C1, _C2 = 0.01**2, 0.03**2  # of SSIM, for a data range of 1
_FULL = 254.5 / 255  # a value from here on is white once a photograph is a file
_MATRIX_SIDE = 128  # pixels; up to this side a matrix product blurs faster than a convolution does
SSIM_DEFINITION = (
    "SSIM with an 11-pixel Gaussian window of sigma 1.5, data range 1, 5 pixels left out at each border, mean over R, "
    "G and B (equal to scikit-image's structural_similarity with gaussian_weights and population covariance)"
)


def psnr(image: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio per image (B,) in dB, of images (B, 3, H, W) in [0, 1]; infinite where equal."""
    _require_one_shape(image, clean)
    return -10 * torch.log10((image - clean).square().mean(dim=(1, 2, 3)))


def clipped(degraded: Tensor) -> Tensor:
    """Which pixels (B, 1, H, W) of `degraded` (B, 3, H, W) in [0, 1] are white in any channel, and so lost."""
    return degraded.amax(dim=1, keepdim=True) >= _FULL


def psnr_where(image: Tensor, clean: Tensor, where: Tensor) -> Tensor:
    """PSNR per image (B,) in dB over the pixels of `where` (B, 1, H, W) alone; NaN where there is none."""
    _require_one_shape(image, clean)
    squares = (image - clean).square().mean(dim=1, keepdim=True) * where
    return -10 * torch.log10(squares.sum(dim=(1, 2, 3)) / where.sum(dim=(1, 2, 3)))


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
    similarity: Tensor
    with torch.autocast(image.device.type, enabled=False):
        if max(image.shape[-2:]) <= _MATRIX_SIDE and image.dtype == clean.dtype and not clean.requires_grad:
            similarity = _PatchSimilarity.apply(image, clean)  # type: ignore[no-untyped-call]
        else:
            window = _window(image.shape[1], image.dtype, image.device)
            similarity = pytorch_msssim.ssim(image, clean, data_range=1.0, size_average=False, win=window)
    return similarity


class _PatchSimilarity(torch.autograd.Function):
    """SSIM of small images in about half of the time of pytorch_msssim, which was a fifth of a small network's step.

    SSIM needs no variance alone but their sum, so four blurs do instead of five; a blur is a product with two banded
    matrices; and the derivative, written out, leaves out the clean image and blurs three times instead of five.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, clean: Tensor) -> Tensor:
        rows, columns = (_blur_matrix(side, image.dtype, image.device) for side in image.shape[-2:])
        maps = image.new_empty((4, *image.shape))
        x, y = maps[0].copy_(image), maps[1].copy_(clean)
        torch.mul(x, x, out=maps[2]).addcmul_(y, y)
        torch.mul(x, y, out=maps[3])
        mean_x, mean_y, squares, product = rows @ (maps @ columns.T)  # (B, 3, H - 10, W - 10), each
        means = mean_x * mean_y
        both = (mean_x * mean_x).addcmul_(mean_y, mean_y)
        contrast_below = squares.sub_(both).add_(_C2)
        contrast = product.sub_(means).mul_(2).add_(_C2).div_(contrast_below)
        luminance_below = both.add_(_C1)
        luminance = means.mul_(2).add_(_C1).div_(luminance_below)
        similarity = luminance * contrast
        if ctx.needs_input_grad[0]:
            by_product = luminance.div_(contrast_below).mul_(2)  # derivative by the blurred product x * y
            by_squares = -similarity / contrast_below  # by the blurred x**2 + y**2
            by_mean = (contrast.div_(luminance_below).mul_(2) - by_product).mul_(mean_y)
            by_mean.addcmul_(similarity.div(luminance_below).add_(by_squares), mean_x, value=-2)
            ctx.save_for_backward(image, x, y, torch.stack([by_mean, by_squares, by_product]), rows, columns)
        per_image: Tensor = similarity.mean(dim=(1, 2, 3))
        return per_image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        image, x, y, derivatives, rows, columns = ctx.saved_tensors
        with torch.autocast(image.device.type, enabled=False):
            by_mean, by_squares, by_product = rows.T @ (derivatives @ columns)  # the blur's transpose, (B, 3, H, W)
        gradient = by_mean.addcmul_(by_squares, x, value=2).addcmul_(by_product, y)
        scale = upstream / derivatives[0, 0].numel()
        return torch.mul(gradient, scale.view(-1, 1, 1, 1), out=torch.empty_like(image)), None


@lru_cache(maxsize=16)
def _window(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(channels, 1, 1, 11), pytorch_msssim's own, on the device: no step in a graph may bring it there."""
    with torch.inference_mode(False):
        return _gaussian(torch.float32).repeat(channels, 1, 1, 1).to(device, dtype)


@lru_cache(maxsize=16)
def _blur_matrix(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(side - 10, side): every row holds the Gaussian window, one pixel further than in the row before."""
    with torch.inference_mode(False):  # a matrix kept from an evaluation must serve in training too
        return _windows(side).to(device, dtype)


def _windows(side: int) -> Tensor:
    window = _gaussian(torch.float64)
    offsets = torch.arange(side)[None, :] - torch.arange(side - _WINDOW + 1)[:, None]
    inside = (offsets >= 0) & (offsets < _WINDOW)
    return torch.where(inside, window[offsets.clamp(0, _WINDOW - 1)], 0.0)


def _gaussian(dtype: torch.dtype) -> Tensor:
    """(11,), of sum 1, computed in `dtype`."""
    distances = torch.arange(_WINDOW, dtype=dtype) - _WINDOW // 2
    window = torch.exp(-distances.square() / (2 * _SIGMA**2))
    return window / window.sum()


def _require_one_shape(image: Tensor, clean: Tensor) -> None:
    if image.shape != clean.shape or image.ndim != 4:
        raise ValueError(f"image and clean must both be (B, 3, H, W), got {(*image.shape,)} and {(*clean.shape,)}")
