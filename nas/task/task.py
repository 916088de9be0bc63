"""Task: what a network is trained for, made once from settings: photographs, noise, loss, pairs to judge by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.task.data.patches import PatchSampler, validation_pairs
from nas.task.data.photos import Photo, Photos, load_folder, sample_photos
from nas.task.degrade import Noise, NoiseProfile, SensorNoise, make_noise
from nas.task.degrade.noise import WHITE_SHARE
from nas.task.device import Device
from nas.task.evaluation import Pair, Quality, input_quality
from nas.task.losses import Loss
from nas.task.training import Batch
from search_spaces.sides import STRIDE

_TEST = 1  # random stream of a seed, apart from those of training and validation


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """All that decides what a network is trained for."""

    data: str | None = None  # the user's folder; None: the photographs that come with scikit-image and scikit-learn
    seed: int = 0
    patch: int = 64  # pixels per side
    batch: int = 8  # patches per step
    validation_side: int = 384  # pixels; validation and test photographs are cropped to it, around their centre
    noise: Noise = field(default_factory=SensorNoise)  # of clean photographs
    synthetic: float = 0.0  # share of the patches of pairs whose clean side is degraded by `noise` instead
    loss: Loss = field(default_factory=Loss)

    def __post_init__(self) -> None:
        if self.patch < 16 or self.patch % STRIDE:
            raise ValueError(f"patch = {self.patch}: must be a multiple of {STRIDE}, at least 16 pixels")
        if self.batch < 1:
            raise ValueError(f"batch = {self.batch}: must be at least 1")
        if self.validation_side < 16:
            raise ValueError(f"validation_side = {self.validation_side}: must be at least 16 pixels")
        if not 0 <= self.synthetic <= 1:
            raise ValueError(f"synthetic = {self.synthetic}: must be a share of the patches, from 0 to 1")

    @classmethod
    def of_run(cls, made_with: Mapping[str, Any]) -> "TaskSettings":
        """The task that a run's settings (results.run.Run.settings) are for; a run that states no noise is of white."""
        profile = made_with.get("noise_profile")
        return cls(
            made_with["data"],
            made_with["seed"],
            made_with["patch"],
            made_with["batch"],
            noise=make_noise(
                made_with.get("noise", "white"),
                None if profile is None else NoiseProfile.from_json(profile),
                made_with.get("blend", WHITE_SHARE),
            ),
            synthetic=made_with.get("synthetic", 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for run.json; what is without effect is left out, as it was before it could be set."""
        values = asdict(self)
        return values if self.synthetic else {name: value for name, value in values.items() if name != "synthetic"}


@dataclass(frozen=True, slots=True)
class Task:
    """Photographs in memory, ready to be trained and judged on."""

    settings: TaskSettings
    photos: Photos
    device: Device
    validation: tuple[Pair, ...]  # networks are chosen by these
    input: Quality  # of the degraded validation photographs themselves
    test: tuple[Pair, ...]  # nothing is chosen by these: they say what the chosen networks are worth
    test_input: Quality  # of the degraded test photographs themselves

    @property
    def loss(self) -> Loss:
        return self.settings.loss

    def batches(self, seed: int) -> Batch:
        """Batches of patches that depend on (seed, step) alone, on this task's device."""
        return sampler_of(self.settings, self.photos, seed, self.device).batch


def sampler_of(settings: TaskSettings, photos: Photos, seed: int, device: Device) -> PatchSampler:
    """The training patches of a task; raises ValueError for photographs that `settings` do not suit."""
    return PatchSampler(
        photos.training,
        settings.patch,
        settings.batch,
        settings.noise,
        seed,
        device.torch,
        settings.synthetic,
    )


def read_photos(settings: TaskSettings) -> Photos:
    """The task's photographs, all decoded and checked; raises DataError before any training starts."""
    if settings.data is None:
        return sample_photos()
    return load_folder(Path(settings.data), settings.patch, seed=settings.seed)


def make_task(settings: TaskSettings, photos: Photos, device: Device) -> Task:
    """The task of `settings` on `device`; raises ValueError for photographs that `settings` do not suit."""
    sampler_of(settings, photos, settings.seed, device)
    validation = tuple(validation_pairs(photos.validation, settings.noise, settings.seed, settings.validation_side))
    test = tuple(pairs_to_test(photos.test, settings, settings.validation_side))
    return Task(settings, photos, device, validation, input_quality(validation), test, input_quality(test))


def pairs_to_test(photos: Sequence[Photo], settings: TaskSettings, side: int | None) -> list[Pair]:
    """Pairs of test photographs, as nas.task.data.patches.validation_pairs does, by random numbers of their own."""
    stream = np.random.SeedSequence(settings.seed, spawn_key=(_TEST,))
    return validation_pairs(photos, settings.noise, int(stream.generate_state(1, np.uint64)[0] >> 1), side)


def calibration_images(task: Task, count: int, seed: int) -> list[torch.Tensor]:
    """`count` degraded training patches (1, 3, P, P) in [0, 1], to calibrate a quantized network with."""
    batch = task.batches(seed)
    images: list[torch.Tensor] = []
    step = 0
    while len(images) < count:
        degraded, _ = batch(step)
        images += [image[None].cpu().contiguous() for image in degraded]
        step += 1
    return images[:count]
