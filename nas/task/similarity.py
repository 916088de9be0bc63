"""Similarity: SSIM by the definitions that papers on SIDD use, whose figures differ on the same pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.task.metrics import SSIM_DEFINITION, ssim

_Picture = NDArray[np.float64]  # (H, W, 3) in [0, 1]
_C1, _C2 = 0.01**2, 0.03**2  # for a data range of 1
_SIGMA, _REACH = 1.5, 5  # pixels
_LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # of R, G and B in [0, 1], ITU-R BT.601, as MATLAB's rgb2ycbcr
_BLACK = 16 / 255


@dataclass(frozen=True, slots=True)
class Definition:
    """One way to compute SSIM: of images and clean ones, both (B, 3, H, W) in [0, 1], (B,)."""

    says: str
    of: Callable[[Tensor, Tensor], Tensor]


def _each(one: Callable[[_Picture, _Picture], float]) -> Callable[[Tensor, Tensor], Tensor]:
    def of(image: Tensor, clean: Tensor) -> Tensor:
        pairs = zip(_pictures(image), _pictures(clean), strict=True)
        return torch.tensor([one(*pair) for pair in pairs], dtype=torch.float64)

    return of


def _pictures(images: Tensor) -> NDArray[np.float64]:
    return np.asarray(images.permute(0, 2, 3, 1).cpu().numpy(), dtype=np.float64)


def _uniform(image: _Picture, clean: _Picture) -> float:
    from skimage.metrics import structural_similarity

    return float(structural_similarity(image, clean, data_range=1.0, channel_axis=-1))


def _volume(image: _Picture, clean: _Picture) -> float:
    """Colour is the third dimension of the window, and the border is repeated."""
    from scipy.ndimage import gaussian_filter

    def blurred(values: _Picture) -> _Picture:
        found: _Picture = gaussian_filter(values, _SIGMA, mode="nearest", radius=_REACH)
        return found

    mean, mean_of_clean = blurred(image), blurred(clean)
    both, squares = mean * mean_of_clean, np.square(mean) + np.square(mean_of_clean)
    covariance = blurred(image * clean) - both
    variances = blurred(np.square(image) + np.square(clean)) - squares
    found = (2 * both + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return float(found.mean())


def _of_luma(image: Tensor, clean: Tensor) -> Tensor:
    weights = torch.tensor(_LUMA, dtype=torch.float64, device=image.device).view(1, 3, 1, 1)
    lumas = [
        (_BLACK + (one.double() * weights).sum(dim=1, keepdim=True)).expand(-1, 3, -1, -1) for one in (image, clean)
    ]
    return ssim(*lumas)


DEFINITIONS = {
    "gaussian": Definition(SSIM_DEFINITION, ssim),
    "volume": Definition(
        "SSIM with an 11x11x11 Gaussian window of sigma 1.5 over rows, columns and colours, the border repeated, data "
        "range 1, mean over all values (MATLAB's ssim of a colour picture, by which NAFNet's code judges on SIDD)",
        _each(_volume),
    ),
    "uniform": Definition(
        "SSIM with a uniform window of 7x7 pixels, sample covariance, data range 1, mean over R, G and B (the default "
        "of scikit-image's structural_similarity, by which many PyTorch codes for SIDD judge)",
        _each(_uniform),
    ),
    "luma": Definition(
        "SSIM of the luma (BT.601, 16 to 235) with an 11-pixel Gaussian window of sigma 1.5, data range 1, 5 pixels "
        "left out at each border (BasicSR with test_y_channel)",
        _of_luma,
    ),
}
