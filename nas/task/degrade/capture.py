"""Capture: a photograph taken again in physical order: light is spread, exposed, made noisy, counted, and finished."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Generator, Tensor

from nas.task.degrade.camera import CameraNoise
from nas.task.degrade.convolve import inside
from nas.task.degrade.profile import Range
from nas.task.degrade.turns import EVERY_TURN, Turn


class Part(Protocol):
    """What happens to light on its way to the sensor."""

    @property
    def margin(self) -> int:
        """Pixels beyond an image that it reads."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Turns after which a photograph that it happened to is still one."""

    def apply(self, light: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        """Linear light (B, 3, H, W) of strengths `levels` (B,) in [0, 1]; smaller by `margin` at each side."""

    def describe(self) -> str:
        """A part of a sentence."""


@dataclass(frozen=True, slots=True)
class Capture:
    """`parts` in their order, then a camera's noise, and its finish; raises ValueError, naming the field."""

    parts: tuple[Part, ...]
    camera: CameraNoise = field(default_factory=CameraNoise)
    noise: Range = (0.0, 0.4)  # levels of the camera's noise
    chance: float = 1.0  # that an image gets a part, of each part
    curve: float = 0.0  # most by which the tone curve's strength differs from the clean photograph's
    bits: int = 12  # that the sensor counts with

    def __post_init__(self) -> None:
        low, high = self.noise
        if not self.parts:
            raise ValueError("a capture needs at least one part; without any, take CameraNoise itself")
        if not 0 <= low <= high <= 1:
            raise ValueError(f"capture noise = ({low}, {high}): must be levels (low, high) with 0 <= low <= high <= 1")
        for name in ("chance", "curve"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"capture {name} = {getattr(self, name)}: must be from 0 to 1")
        if not 8 <= self.bits <= 16:
            raise ValueError(f"capture bits = {self.bits}: must be from 8 to 16")

    @property
    def margin(self) -> int:
        """Pixels beyond an image that all parts together read."""
        return sum(part.margin for part in self.parts)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Those of all parts."""
        return tuple(turn for turn in EVERY_TURN if all(turn in part.turns for part in self.parts))

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """The photograph of `clean` (B, 3, H + 2 margin, W + 2 margin) in [0, 1]: (B, 3, H, W), of random strengths."""
        levels = torch.rand((len(self.parts), len(clean)), generator=generator, device=clean.device)
        return self._degrade(clean, levels, generator)

    def degrade_at(self, clean: Tensor, level: float, generator: Generator) -> Tensor:
        """The same with all parts at strength `level`, the noise at random; raises ValueError outside of [0, 1]."""
        if not 0 <= level <= 1:
            raise ValueError(f"strength {level}: must be in [0, 1]")
        return self._degrade(clean, clean.new_full((len(self.parts), len(clean)), float(level)), generator)

    def in_turn(self, rank: int) -> "Capture":
        """What photograph number `rank` of a set to judge by gets."""
        return self

    def describe(self) -> str:
        """The end of a sentence that says what this is, for the model card."""
        said = ", then ".join(part.describe() for part in self.parts)
        often = "" if self.chance == 1 else f", each in {self.chance:.0%} of the images"
        curve = f", a tone curve whose strength differs by up to {self.curve:.2g}" if self.curve else ""
        return (
            f"{said}{often}, in linear light; then, at levels {self.noise[0]:.2g} to {self.noise[1]:.2g} of 0 to 1, "
            f"{self.camera.describe()}; counted with {self.bits} bits{curve}"
        )

    def _degrade(self, clean: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        device, batch = clean.device, len(clean)
        noise, curve, *here = torch.rand((2 + len(self.parts), batch), generator=generator, device=device)

        def before(light: Tensor, tone: Tensor) -> tuple[Tensor, Tensor]:
            for part, strengths, drawn in zip(self.parts, levels, here, strict=True):
                light = self._part(part, (light, strengths), drawn, generator)
            return light, (tone + self.curve * (2 * curve - 1)).clamp(0, 1)

        low, high = self.noise
        if self.camera.weak:
            noise = noise.where(torch.rand(batch, generator=generator, device=device) >= self.camera.weak, noise**3)
        return self.camera.capture(clean, low + (high - low) * noise, generator, before, self.bits)

    def _part(self, part: Part, of: tuple[Tensor, Tensor], drawn: Tensor, generator: Generator) -> Tensor:
        """What `part` makes of (light, strengths), where it is drawn below the chance of it."""
        light, strengths = of
        if self.chance == 1:
            return part.apply(light, strengths, generator)
        found = inside(light, part.margin).contiguous()
        chosen = (drawn < self.chance).nonzero()[:, 0]
        if len(chosen):
            found[chosen] = part.apply(light[chosen], strengths[chosen], generator)
        return found
