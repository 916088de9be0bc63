"""Tasks: which degradation each of them undoes."""

import math
from typing import Protocol

from torch import Generator, Tensor

from nas.task.degrade.camera import CameraNoise
from nas.task.degrade.capture import Capture
from nas.task.degrade.diffract import Diffraction
from nas.task.degrade.expose import Overexposure
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.motion import MotionBlur
from nas.task.degrade.noise import BlendedNoise, Noise
from nas.task.degrade.turns import Turn

TASKS = ("denoise", "deblur", "udc", "hdr", "mixed")
DENOISE = "denoise"
WITH_KERNELS = ("deblur", "udc", "mixed")
WITH_MOTION = ("deblur", "mixed")


class OneKind(Protocol):
    """A degradation that has levels."""

    @property
    def margin(self) -> int:
        """As of Degradation."""

    def degrade_at(self, clean: Tensor, level: float, generator: Generator) -> Tensor:
        """As Degradation.degrade, all images at `level`; raises ValueError for one outside [0, 1]."""


class Degradation(Protocol):
    """What clean photographs are degraded with, to train on and to judge by."""

    @property
    def margin(self) -> int:
        """Pixels around an image that are read with it: what is given is smaller by so many at each side."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Turns after which photographs that were captured so still look so; clean ones may be turned first."""

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """Of `clean` (B, 3, H + 2 margin, W + 2 margin) in [0, 1] (B, 3, H, W), each image at a level of its own."""

    def in_turn(self, rank: int) -> "OneKind":
        """What photograph number `rank` of a set to judge by gets."""

    def describe(self) -> str:
        """The end of a sentence, for the model card."""


def degradation_of(
    task: str, noise: Noise, seed: int, kernels: KernelFile | None = None, shown: float = 0.0
) -> Degradation:
    """What `task`, one of TASKS, undoes: `noise` itself, or others with the noise of its camera.

    `seed` is of the blur kernels where there is no file of them, `shown` of MotionBlur. Raises ValueError for another
    task, and for kernels or a share of frames that the task has no use for.
    """
    require_task(task, kernels, shown)
    if task == DENOISE:
        return noise
    camera = (
        noise if isinstance(noise, CameraNoise) else noise.camera if isinstance(noise, BlendedNoise) else CameraNoise()
    )
    blur = MotionBlur(seed, kernels, shown=shown)
    if task == "deblur":
        return Capture((blur,), camera)
    if task == "udc":
        behind = Diffraction(file=kernels)
        return Capture((behind,), camera, noise=_amplified(camera, behind.display.transmission[1]))
    if task == "hdr":
        return Capture((Overexposure(),), camera, noise=(0.0, 0.3), curve=0.3)
    return Capture((blur, Overexposure()), camera, noise=(0.0, 0.8), chance=0.5, curve=0.3)


def require_task(task: str, kernels: KernelFile | None = None, shown: float = 0.0) -> None:
    """Raises ValueError for a task that there is not, and for kernels or `shown` that it has no use for."""
    if task not in TASKS:
        raise ValueError(f"task = {task!r}: must be one of {', '.join(TASKS)}")
    if kernels is not None and task not in WITH_KERNELS:
        raise ValueError(
            f"kernels {kernels.path}: task {task} has none; leave them out, or take {', '.join(WITH_KERNELS)}"
        )
    if shown and task not in WITH_MOTION:
        raise ValueError(f"shown = {shown}: task {task} blurs nothing; leave it out, or take {', '.join(WITH_MOTION)}")


def _amplified(camera: CameraNoise, share: float) -> tuple[float, float]:
    """Levels of noise where `share` of the light is left and gain makes up for it: of a low gain, times 1 / share."""
    shot = camera.profile.shot
    more = -math.log(share) / max(math.log(shot[-1] / shot[0]), 1e-6)
    return min(more, 0.9), min(more + 0.2, 1.0)
