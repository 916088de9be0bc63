"""Noise: which of the degradations a network learns to undo: white noise, a camera's, or both in turns."""

import math
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from nas.task.degrade.camera import CameraNoise
from nas.task.degrade.profile import NoiseProfile
from nas.task.degrade.turns import EVERY_TURN
from nas.task.degrade.white import SensorNoise

KINDS = ("white", "camera", "blend")
WHITE_SHARE = 0.5  # of a blend, unless another one is asked for


@dataclass(frozen=True, slots=True)
class BlendedNoise:
    """White noise on some images of a batch and a camera's on the others; raises ValueError for a wrong share."""

    camera: CameraNoise = field(default_factory=CameraNoise)
    white: SensorNoise = field(default_factory=SensorNoise)
    share: float = WHITE_SHARE  # of the images, with white noise
    margin = 0  # pixels around an image that are read with it
    turns = EVERY_TURN

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"blend = {self.share}: must be the share of white noise, from 0 to 1")

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """Noisy copy of `clean` (B, 3, H, W) in [0, 1], each image at a level of its own, uniform in [0, 1].

        The first images get white noise: as many as the share asks for, where that is no whole number by chance one
        more.
        """
        whole = split = math.floor(self.share * len(clean))
        rest = self.share * len(clean) - whole
        if rest > 1e-6:  # else nothing waits for a GPU
            split += int(torch.rand((), generator=generator, device=clean.device).item() < rest)
        if split == 0:
            return self.camera.degrade(clean, generator)
        white = self.white.degrade(clean[:split], generator)
        if split == len(clean):
            return white
        return torch.cat((white, self.camera.degrade(clean[split:], generator)))

    def in_turn(self, rank: int) -> SensorNoise | CameraNoise:
        """What photograph number `rank` of a set to judge by gets: evenly one kind and the other."""
        white = math.floor((rank + 1) * self.share + 0.5) - math.floor(rank * self.share + 0.5)
        return self.white if white else self.camera

    def describe(self) -> str:
        """The end of a sentence that says what noise this is, for the model card."""
        return f"{self.share:.0%} of the images {self.white.describe()}; the others {self.camera.describe()}"


Noise = SensorNoise | CameraNoise | BlendedNoise


def make_noise(kind: str, profile: NoiseProfile | None = None, blend: float = WHITE_SHARE) -> Noise:
    """The noise of one of KINDS; `profile` (None: the default one) is the camera's, `blend` the share of white noise.

    Raises ValueError for another kind, and for a share outside [0, 1].
    """
    if kind not in KINDS:
        raise ValueError(f"noise {kind!r}: must be one of {', '.join(KINDS)}")
    if kind == "white":
        return SensorNoise()
    camera = CameraNoise() if profile is None else CameraNoise(profile)
    return camera if kind == "camera" else BlendedNoise(camera, share=blend)
