"""Task: what a network is trained for, made once from settings: photographs, degradation, loss, pairs to judge by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.task.data.layouts import BLURS
from nas.task.data.on_card import in_blocks
from nas.task.data.pairs import Pairs, judged, validation_pairs
from nas.task.data.patches import PatchSampler, Sampling
from nas.task.data.photos import Photos, Picture, Where, settled_photos
from nas.task.data.tiles import Tiles, default_folder
from nas.task.degrade import Degradation, KernelFile, Noise, NoiseProfile, SensorNoise, degradation_of, make_noise
from nas.task.degrade.own import Own
from nas.task.degrade.tasks import DENOISE
from nas.task.device import Device
from nas.task.evaluation import Quality, input_quality
from nas.task.losses import TERMS, Loss, weighted
from nas.task.own import OwnCode
from nas.task.own_loss import OwnLoss
from nas.task.teacher import Teacher, taught
from nas.task.training import Batch
from results.photo_score import JUDGED_SIDE
from results.record import RunSettings
from search_spaces.sides import STRIDE

_TEST, _KERNELS = 1, 2  # random streams of a seed, apart from those of training and validation
_OF_DATA = ("judged", "least_judged", "validation", "test", "blur", "skip_unusable")  # runs of before state none
_OF_TASK = ("task", "kernels", "shown", "teacher", "own")  # likewise
_AS_STATED = ("data", "seed", "patch", "batch", "synthetic", "shown")  # settings of a run, the task's as they are
_CLIPPED = 0.5  # weight of clipped pixels in the loss where photographs are overexposed; ours, not tuned


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """All that decides what a network is trained for."""

    data: str | None = None  # the user's folder; None: the photographs that come with scikit-image and scikit-learn
    seed: int = 0
    patch: int = 64  # pixels per side
    batch: int = 8  # patches per step
    validation_side: int = JUDGED_SIDE  # pixels; validation and test photographs are cropped to it, around their centre
    judged: int = 64  # photographs of a part that networks are judged by, at most; 0: all
    least_judged: int = 1  # times that clean photographs of a part are degraded, at least: few are at several levels
    validation: str | None = None  # folder of validation photographs; None: a part of `data`
    test: str | None = None  # the same, for the test
    blur: str | None = None  # of GoPro's two blurred sides: blur or blur_gamma
    skip_unusable: bool = False  # leave out pictures that cannot be used
    noise: Noise = field(default_factory=SensorNoise)  # of clean photographs; of its camera, where the task is another
    synthetic: float = 0.0  # share of the patches of pairs whose clean side is degraded synthetically instead
    loss: Loss | OwnLoss = field(default_factory=Loss)
    task: str = DENOISE  # one of nas.task.degrade.TASKS
    kernels: KernelFile | None = None  # of blur, or the display's point spread function; None: made
    shown: float = 0.0  # share of what is blurred that is blurred as videos are, see MotionBlur
    own: Own | None = None  # the user's degradation, in the place of the task's and its noise
    teacher: Teacher | None = None  # whose outputs are a part of what patches are trained towards

    def __post_init__(self) -> None:
        if self.patch < 16 or self.patch % STRIDE:
            raise ValueError(f"patch = {self.patch}: must be a multiple of {STRIDE}, at least 16 pixels")
        if self.batch < 1:
            raise ValueError(f"batch = {self.batch}: must be at least 1")
        if self.validation_side < 16:
            raise ValueError(f"validation_side = {self.validation_side}: must be at least 16 pixels")
        if self.least_judged < 1:
            raise ValueError(f"least_judged = {self.least_judged}: must be at least 1, which degrades each once")
        if self.judged < 0:
            raise ValueError(f"judged = {self.judged}: must be at least 1, or 0 for all photographs")
        if self.blur is not None and self.blur not in BLURS:
            raise ValueError(f"blur = {self.blur!r}: must be one of {', '.join(BLURS)}")
        if self.data is None and (self.validation or self.test):
            raise ValueError("photographs for validation or test need others to train on: name them with --data")
        if not 0 <= self.synthetic <= 1:
            raise ValueError(f"synthetic = {self.synthetic}: must be a share of the patches, from 0 to 1")
        if self.own is not None and (self.task != DENOISE or self.kernels is not None):
            raise ValueError(
                f"task = {self.task!r}: has a degradation of its own, and {self.own.code.file} was asked for in its "
                "place: leave out one of them"
            )
        degradation_of(self.task, self.noise, self.seed, self.kernels, self.shown)  # raises where they do not agree

    @classmethod
    def of_run(cls, made_with: RunSettings) -> "TaskSettings":
        """The task that a run's settings are for.

        Raises ValueError for white noise on sRGB values where light is blurred or exposed before the sensor.
        """
        profile, kernels, task = made_with.noise_profile, made_with.kernels, made_with.task
        degradation, loss = made_with.degradation, made_with.own_loss
        if task != DENOISE and made_with.noise == "white":
            raise ValueError(f"noise = 'white': task {task} has a camera's noise; leave it out, or take camera")
        return cls(
            noise=SensorNoise()
            if degradation is not None
            else make_noise(
                made_with.noise, None if profile is None else NoiseProfile.from_json(profile), made_with.blend
            ),
            loss=weighted(_loss_of(task), made_with.loss) if loss is None else OwnLoss(OwnCode.from_json(loss)),
            task=task,
            kernels=None if kernels is None else KernelFile(**kernels),
            own=None if degradation is None else Own(OwnCode.from_json(degradation)),
            teacher=None if made_with.teacher is None else Teacher(**made_with.teacher),
            **{name: getattr(made_with, name) for name in (*_AS_STATED, *_OF_DATA)},
        )

    @property
    def where(self) -> Where | None:
        """Where photographs are; None: the samples."""
        if self.data is None:
            return None
        validation, test = (None if folder is None else Path(folder) for folder in (self.validation, self.test))
        return Where(Path(self.data), validation, test, self.blur, self.patch, self.seed, self.skip_unusable)

    @property
    def degradation(self) -> Degradation:
        """What clean photographs are degraded with."""
        if self.own is not None:
            return self.own
        stream = np.random.SeedSequence(self.seed, spawn_key=(_KERNELS,))
        return degradation_of(self.task, self.noise, int(stream.generate_state(1)[0]), self.kernels, self.shown)

    def made_from(self, photographs: str) -> dict[str, Any]:
        """For keys: all that decides a training; a folder's or a file's path is not among it, what they hold is."""
        settings = self.to_json()
        for folder in ("data", "validation", "test", "skip_unusable", "blur"):
            settings.pop(folder, None)
        if self.kernels is not None:
            settings["kernels"] = self.kernels.digest
        if self.own is not None:
            settings["own"] = self.own.code.made_from()
        if isinstance(self.loss, OwnLoss):
            settings["loss"] = self.loss.code.made_from()
        if self.teacher is not None:
            settings["teacher"] = {"digest": self.teacher.digest, "share": self.teacher.share}
        return {"task": settings, "photographs": photographs}

    def to_json(self) -> dict[str, Any]:
        """Plain values for run.json; what is without effect is left out, as it was before it could be set."""
        values = asdict(self)
        usual = {name: getattr(TaskSettings(), name) for name in ("synthetic", *_OF_DATA, *_OF_TASK)}
        for term in set(TERMS.values()) - {"alpha", "beta"}:
            if isinstance(self.loss, Loss) and not values["loss"][term]:
                del values["loss"][term]
        camera = values["noise"].get("camera", values["noise"])
        if not camera.get("weak"):
            camera.pop("weak", None)
        if self.own is not None:
            del values["noise"]
        return {name: value for name, value in values.items() if name not in usual or value != usual[name]}


@dataclass(frozen=True)
class Task:
    """Photographs, ready to be trained and judged on; their pixels are read when they are asked for."""

    settings: TaskSettings
    photos: Photos
    device: Device
    validation: Pairs  # networks are chosen by these
    input: Quality  # of the degraded validation photographs themselves
    test: Pairs  # nothing is chosen by these: they say what the chosen networks are worth

    @cached_property
    def test_input(self) -> Quality:
        """Of the degraded test photographs themselves."""
        return input_quality(self.test)

    @property
    def made_from(self) -> dict[str, Any]:
        """For keys of what all of a run share: a supernet goes on without a photograph that is gone."""
        return self.settings.made_from(self.photos.fingerprint)

    @property
    def trains_on(self) -> dict[str, Any]:
        """For the key of one training: `made_from` with the photographs that are there."""
        return self.settings.made_from(self.photos.of_those_there)

    @property
    def loss(self) -> Loss | OwnLoss:
        return self.settings.loss

    def batches(self, seed: int) -> Batch:
        """Batches of patches that depend on (seed, step) alone, on this task's device."""
        batch = sampler_of(self.settings, self.photos, seed, self.device).batch
        teacher = self.settings.teacher
        return batch if teacher is None else taught(batch, teacher, default_folder() / "teachers")


def sampler_of(settings: TaskSettings, photos: Photos, seed: int, device: Device) -> PatchSampler:
    """The training patches of a task; raises ValueError for photographs that `settings` do not suit."""
    sampling = Sampling(settings.patch, settings.batch, settings.synthetic)
    sampler = PatchSampler(photos.training, sampling, settings.degradation, seed, device.torch)
    return in_blocks(sampler, photos.training, device.torch)


def read_photos(settings: TaskSettings, tiles: Tiles | None = None) -> Photos:
    """The task's photographs, listed and checked; raises DataError before any training starts."""
    return settled_photos(settings.where, None, tiles or Tiles(default_folder()))[0]


def make_task(settings: TaskSettings, photos: Photos, device: Device, known: Quality | None = None) -> Task:
    """The task of `settings` on `device`; raises ValueError for photographs that `settings` do not suit.

    `known` is the quality of the degraded validation photographs, where it was measured before.
    """
    sampler_of(settings, photos, settings.seed, device)
    side = settings.validation_side
    chosen_by = judged(photos.validation, settings.judged)
    validation = validation_pairs(chosen_by, settings.degradation, settings.seed, side, settings.least_judged)
    test = pairs_to_test(judged(photos.test, settings.judged), settings, side)
    return Task(settings, photos, device, validation, known or input_quality(validation), test)


def pairs_to_test(photos: Sequence[Picture], settings: TaskSettings, side: int | None) -> Pairs:
    """Pairs of test photographs, as nas.task.data.pairs makes them, by random numbers of their own."""
    stream = np.random.SeedSequence(settings.seed, spawn_key=(_TEST,))
    seed = int(stream.generate_state(1, np.uint64)[0] >> 1)
    return validation_pairs(photos, settings.degradation, seed, side, settings.least_judged)


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


def _loss_of(task: str) -> Loss:
    """Ours, for a task."""
    return Loss(clipped=_CLIPPED) if task in ("hdr", "mixed") else Loss()
