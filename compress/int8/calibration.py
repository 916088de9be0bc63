"""Calibration: the patches that int8 ranges are taken from, kept in the run folder for the stages after compress."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from nas.suggest import derive_seed
from nas.task.data.patches import PatchSampler
from nas.task.data.photos import read_folder
from nas.task.task import Task, TaskSettings, calibration_images
from results.files import write_tensors
from results.run import Run

CALIBRATION_IMAGES = 32  # patches that int8 ranges are taken from


def int8_calibration(task: Task, seed: int, folder: Path | None = None) -> list[Tensor]:
    """Patches (1, 3, P, P) in [0, 1] to calibrate an int8 graph on; the same arguments give the same patches.

    Degraded training patches of `task`; or patches of the photographs of `folder` as they are, of pairs the degraded
    side (nas.task.data.photos.read_folder). Raises DataError for a folder that cannot be used.
    """
    drawn = derive_seed(seed, 0, "calibration")
    if folder is None:
        return calibration_images(task, CALIBRATION_IMAGES, drawn)
    return folder_calibration(task.settings, folder, drawn)


def folder_calibration(settings: TaskSettings, folder: Path, drawn: int) -> list[Tensor]:
    """Patches of the photographs of `folder` as they are, of pairs the degraded side; `drawn` is the seed."""
    photos = read_folder(folder, settings.patch)
    degraded, clean = PatchSampler(photos, settings.patch, CALIBRATION_IMAGES, settings.degradation, drawn).batch(0)
    taken = degraded if photos[0].is_pair else clean
    return [image[None].contiguous() for image in taken]


def keep_calibration(run: Run, images: Sequence[Tensor]) -> None:
    """Keep what the int8 network of `run` is calibrated on."""
    write_tensors(_kept(run), {"images": torch.cat(list(images))})


def kept_calibration(run: Run) -> list[Tensor]:
    """What `keep_calibration` kept; empty where there is none."""
    return list(torch.split(load_file(_kept(run))["images"], 1)) if _kept(run).exists() else []


def calibration_of(run: Run, task: Task, seed: int) -> list[Tensor]:
    """What the int8 network of `run` is calibrated on; for a run that kept nothing, training patches."""
    return kept_calibration(run) or int8_calibration(task, seed)


def calibration_fingerprint(images: Sequence[Tensor]) -> str:
    """Hexadecimal digest of patches."""
    return hashlib.sha256(b"".join(image.numpy().tobytes() for image in images)).hexdigest()


def _kept(run: Run) -> Path:
    return run.network("quantized-calibration").with_suffix(".safetensors")
