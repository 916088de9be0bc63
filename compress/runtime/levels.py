"""Levels: pictures as the integers that a file may take and give in place of floats.

uint8 ends hold the 256 levels of a picture as they are, int8 ends hold them less 128, as accelerators like them. Other
makers' files, and those with 16 bits, have scales of their own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Integers:
    """Integers of `dtype` that stand for (integer - zero_point) * scale."""

    dtype: torch.dtype
    scale: float
    zero_point: int

    def of(self, image: Tensor) -> Tensor:
        """The nearest integers to `image`; what lies outside of [0, 1] is clipped, as in a picture."""
        whole = torch.iinfo(self.dtype)
        levels = (image.clamp(0, 1) / self.scale).round() + self.zero_point
        return levels.clamp(whole.min, whole.max).to(self.dtype)

    def back(self, integers: Tensor) -> Tensor:
        """What `integers` stand for, float32."""
        return (integers.float() - self.zero_point) * self.scale


LEVELS = {
    torch.uint8: Integers(torch.uint8, 1 / 255, 0),
    torch.int8: Integers(torch.int8, 1 / 255, -128),
}  # of a picture
