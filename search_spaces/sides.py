"""Sides: the one place where an image of any size is made to fit a network, and cropped back."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

STRIDE = 8  # two poolings by 2, and a stem that may gather 2x2 pixels; one for all networks, so that all pad alike


def pad_to(image: Tensor, height: int, width: int) -> Tensor:
    """`image` (B, C, H, W) extended below and to the right by reflection to (B, C, height, width).

    A side may grow by any factor: the reflection goes back and forth, which torch's own padding refuses.
    Raises ValueError when the target is smaller than the image.
    """
    rows, columns = image.shape[-2:]
    if height < rows or width < columns:
        raise ValueError(f"cannot pad {rows}x{columns} to the smaller {height}x{width}")
    if (height, width) == (rows, columns):
        return image
    return image[..., _reflection(rows, height)[:, None], _reflection(columns, width)[None, :]]


def padded_side(side: int, multiple: int = STRIDE) -> int:
    """The smallest multiple of `multiple` that is not below `side`, in pixels."""
    return -(-side // multiple) * multiple


def on_any_size(network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """`network` applied to `image` (B, C, H, W) of any size: padded by reflection to multiples of 8, cropped back."""
    height, width = image.shape[-2:]
    padded = pad_to(image, padded_side(height), padded_side(width))
    return network(padded)[..., :height, :width]


def _reflection(side: int, target: int) -> Tensor:
    """Indices (target,) into a row of `side` pixels that continue it by reflection, the edge not repeated."""
    mode = "reflect" if side > 1 else "edge"
    return torch.from_numpy(np.pad(np.arange(side), (0, target - side), mode=mode))  # type: ignore[call-overload]
