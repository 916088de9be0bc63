"""Turns: the eight ways in which a patch is turned, and those of them that leave a blur's direction as it was."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Scalar = TypeVar("Scalar", bound=np.generic)
Turn = tuple[int, bool]  # quarter turns, then flipped upside down or not
EVERY_TURN: tuple[Turn, ...] = tuple((quarters, flipped) for quarters in range(4) for flipped in (False, True))
AS_IT_IS: tuple[Turn, ...] = ((0, False),)
_SAME = 0.01  # of a kernel's light may lie elsewhere after a turn that keeps it


def turned(pixels: NDArray[Scalar], turn: Turn) -> NDArray[Scalar]:
    """`pixels` (H, W, C) after a turn."""
    quarters, flipped = turn
    found = np.rot90(pixels, quarters)
    return found[::-1] if flipped else found


def turns_that_keep(kernel: Tensor) -> tuple[Turn, ...]:
    """The turns after which `kernel` (C, K, K), of light 1 in each channel, is what it was: a group of 1, 2, 4 or 8."""
    shape = kernel.permute(1, 2, 0).double().numpy()
    most = 2 * _SAME * shape.sum()
    return tuple(turn for turn in EVERY_TURN if np.abs(turned(shape, turn) - shape).sum() <= most)
