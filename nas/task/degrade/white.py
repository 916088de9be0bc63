"""White: sensor noise on sRGB values, of no pixel related to its neighbour's."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from nas.task.degrade.turns import EVERY_TURN


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """Ranges of shot and read noise; raises ValueError unless 0 < low <= high <= 1 in both.

    A level in [0, 1] is the sensor's gain: it moves both noises together, geometrically from low to high, as one ISO
    setting does on a phone. The noise is white and lies on the sRGB values themselves, which no demosaicking or tone
    curve of a real camera leaves so; pairs of real photos are the better teacher where there are any.
    """

    shot: tuple[float, float] = (0.005, 0.02)  # variance per unit of signal, of values in [0, 1]
    read: tuple[float, float] = (0.005, 0.02)  # standard deviation, of values in [0, 1]
    margin = 0  # pixels around an image that are read with it
    turns = EVERY_TURN

    def __post_init__(self) -> None:
        for name, (low, high) in (("shot", self.shot), ("read", self.read)):
            if not 0 < low <= high <= 1:
                raise ValueError(
                    f"sensor noise {name} = ({low}, {high}): must be (low, high) with 0 < low <= high <= 1"
                )

    def at(self, level: float) -> tuple[float, float]:
        """(shot, read) at a level in [0, 1]; raises ValueError outside."""
        if not 0 <= level <= 1:
            raise ValueError(f"noise level {level}: must be in [0, 1]")
        return _between(self.shot, level), _between(self.read, level)

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """Noisy copy of `clean` (B, 3, H, W) in [0, 1], each image at a level of its own, uniform in [0, 1]."""
        levels = torch.rand(clean.shape[0], generator=generator, device=clean.device)
        shot, read = (low * (high / low) ** levels for low, high in (self.shot, self.read))
        return add_sensor_noise(clean, shot, read, generator)

    def degrade_at(self, clean: Tensor, level: float, generator: Generator) -> Tensor:
        """Noisy copy of `clean` (B, 3, H, W) in [0, 1] at one level; raises ValueError for a level outside [0, 1]."""
        return add_sensor_noise(clean, *self.at(level), generator)

    def in_turn(self, rank: int) -> "SensorNoise":
        """What photograph number `rank` of a set to judge by gets."""
        return self

    def describe(self) -> str:
        """The end of a sentence that says what noise this is, for the model card."""
        return (
            "synthetic sensor noise on sRGB values in [0, 1], white, of variance shot * value + read^2, shot from "
            f"{self.shot[0]} to {self.shot[1]} and read from {self.read[0]} to {self.read[1]}, both moved by one gain"
        )


def add_sensor_noise(clean: Tensor, shot: Tensor | float, read: Tensor | float, generator: Generator) -> Tensor:
    """Noisy copy of `clean` (B, 3, H, W) in [0, 1]; variance = shot * clean + read**2, clipped to [0, 1].

    The photons' Poisson noise is taken as Gaussian of the same variance. `shot` and `read` are not negative, one for
    all or one per image (B,). `generator` must be of the device of `clean`. The copy is channels last.
    """
    shot, read = _per_image(shot), _per_image(read)
    deviation = (clean * shot).add_(read**2).sqrt_()
    batch, channels, height, width = clean.shape
    # Drawn in the order of memory: filling a permuted tensor takes ten times as long.
    noise = torch.randn((batch, height, width, channels), generator=generator, device=clean.device, dtype=clean.dtype)
    noise = noise.permute(0, 3, 1, 2)
    return noise.mul_(deviation).add_(clean).clamp_(0, 1)


def _between(ends: tuple[float, float], level: float) -> float:
    low, high = ends
    return math.exp((1 - level) * math.log(low) + level * math.log(high))


def _per_image(value: Tensor | float) -> Tensor | float:
    return value.view(-1, 1, 1, 1) if isinstance(value, Tensor) else value
