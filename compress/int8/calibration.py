"""Calibration: the patches that int8 ranges are taken from, kept beside the network for the stages after compress."""

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
    degraded, clean = PatchSampler(photos, settings.patch, CALIBRATION_IMAGES, settings.noise, drawn).batch(0)
    taken = degraded if photos[0].is_pair else clean
    return [image[None].contiguous() for image in taken]


def keep_calibration(path: Path, images: Sequence[Tensor]) -> None:
    """Keep what an int8 network is calibrated on, in a .safetensors file."""
    write_tensors(path, {"images": torch.cat(list(images))})


def kept_calibration(path: Path) -> list[Tensor]:
    """What `keep_calibration` kept; raises ValueError where it is gone."""
    if not path.exists():
        raise ValueError(f"{path}, which int8 ranges are taken from, is gone; compress again under another --name")
    return list(torch.split(load_file(path)["images"], 1))


def calibration_fingerprint(images: Sequence[Tensor]) -> str:
    """Hexadecimal digest of patches."""
    return hashlib.sha256(b"".join(image.numpy().tobytes() for image in images)).hexdigest()
