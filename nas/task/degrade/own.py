"""Own: a degradation that a user wrote, in the place of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Generator, Tensor

from nas.task.degrade.turns import EVERY_TURN, Turn
from nas.task.own import OwnCode

_SIDE = 32  # pixels of the images that it is tried on


class OwnDegradation(Protocol):
    """What a user writes: a class that is made without arguments.

    It may say `margin` (0): pixels around an image that it reads. And `turns` (all): the turns (quarters, upside down)
    after which a photograph that was degraded so still looks so, for pairs that are mixed with it.
    """

    def degrade(self, clean: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        """Of photographs (B, 3, H + 2 margin, W + 2 margin) in [0, 1] their degraded (B, 3, H, W) in [0, 1], float32.

        `levels` (B,) from 0, the least, to 1, the most, one an image. All chance comes from `generator`, on the device
        of `clean`: a training that was stopped goes on with the patches that it would have had.
        """

    def describe(self) -> str:
        """The end of a sentence, for the model card."""


@dataclass(frozen=True, slots=True)
class Own:
    """The user's degradation, as trainings and judgements use it; raises ValueError where it is none."""

    code: OwnCode

    def __post_init__(self) -> None:
        _degradation(self.code)

    @property
    def margin(self) -> int:
        """Pixels around an image that are read with it."""
        return int(getattr(_degradation(self.code), "margin", 0))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Turns after which photographs still look so."""
        found: Sequence[Turn] = getattr(_degradation(self.code), "turns", EVERY_TURN)
        return tuple(found)

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """Each image of `clean` (B, 3, H + 2 margin, W + 2 margin) at a level of its own, uniform in [0, 1]."""
        levels = torch.rand(len(clean), generator=generator, device=clean.device)
        return _degradation(self.code).degrade(clean, levels, generator)

    def degrade_at(self, clean: Tensor, level: float, generator: Generator) -> Tensor:
        """The same with all images at `level`; raises ValueError for one outside [0, 1]."""
        if not 0 <= level <= 1:
            raise ValueError(f"level {level}: must be in [0, 1]")
        return _degradation(self.code).degrade(clean, clean.new_full((len(clean),), float(level)), generator)

    def in_turn(self, rank: int) -> "Own":
        """What photograph number `rank` of a set to judge by gets."""
        return self

    def describe(self) -> str:
        """The end of a sentence, for the model card."""
        return f"{_degradation(self.code).describe()} ({self.code.file}, {self.code.name})"


@lru_cache(maxsize=8)
def _degradation(code: OwnCode) -> OwnDegradation:
    """The user's object, tried on two images; raises ValueError for what it does otherwise than it should."""
    found: OwnDegradation = code.read()
    named = f"{code.file}:{code.name}"
    for method in ("degrade", "describe"):
        if not callable(getattr(found, method, None)):
            raise ValueError(
                f"{named} has no {method}(): a degradation has degrade(clean, levels, generator), describe()"
            )
    margin = getattr(found, "margin", 0)
    if not isinstance(margin, int) or margin < 0:
        raise ValueError(f"{named}: margin = {margin!r}: must be a number of pixels, 0 or more")
    wide = torch.rand((2, 3, _SIDE + 2 * margin, _SIDE + 2 * margin), generator=Generator().manual_seed(0))
    given, levels = wide.clone(), torch.tensor([0.0, 1.0])
    made = [code.told(found.degrade, given, levels, Generator().manual_seed(1)) for _ in range(2)]
    _require_images(named, made[0])
    if not torch.equal(given, wide):
        raise ValueError(f"{named}: changes the photograph that it is given; work on a copy (clean.clone())")
    if not torch.equal(*made):
        raise ValueError(
            f"{named}: gives another image for the same generator: draw all chance from the generator that it is "
            "given, so that a training that was stopped can go on"
        )
    if not isinstance(says := code.told(found.describe), str) or not says:
        raise ValueError(f"{named}: describe() = {says!r}: must be the end of a sentence")
    return found


def _require_images(named: str, made: object) -> None:
    """Raises ValueError for what is not two images of _SIDE in [0, 1]."""
    if not isinstance(made, Tensor) or made.shape != (2, 3, _SIDE, _SIDE) or made.dtype != torch.float32:
        what = f"{made.dtype} {(*made.shape,)}" if isinstance(made, Tensor) else type(made).__name__
        raise ValueError(
            f"{named}: gives {what} for two photographs of {_SIDE} pixels: must be float32 {(2, 3, _SIDE, _SIDE)}, "
            "smaller by its margin than what it is given"
        )
    low, high = made.min().item(), made.max().item()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{named}: gives values from {low:.3g} to {high:.3g}: must be in [0, 1]; see Tensor.clamp(0, 1)"
        )
