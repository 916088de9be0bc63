"""Expose: more light than the sensor holds, so that highlights are clipped."""

from dataclasses import dataclass

from torch import Generator, Tensor

from nas.task.degrade.profile import Range
from nas.task.degrade.turns import EVERY_TURN


@dataclass(frozen=True, slots=True)
class Overexposure:
    """Too long an exposure, from the first of `stops` at strength 0 to the second at 1; raises ValueError."""

    stops: Range = (0.3, 1.8)  # powers of two of light
    margin = 0
    turns = EVERY_TURN

    def __post_init__(self) -> None:
        low, high = self.stops
        if not 0 <= low <= high <= 8:
            raise ValueError(f"overexposure stops = ({low}, {high}): must be (low, high) with 0 <= low <= high <= 8")

    def apply(self, light: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        """Linear light (B, 3, H, W) by strengths `levels` (B,) in [0, 1]; above 1 where the sensor will be full."""
        low, high = self.stops
        return light * (2 ** (low + (high - low) * levels)).view(-1, 1, 1, 1)

    def describe(self) -> str:
        """A part of a sentence that says what this is, for the model card."""
        return f"overexposure by {self.stops[0]:.2g} to {self.stops[1]:.2g} stops, clipped by the sensor"
