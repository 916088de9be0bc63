"""Calibration: the patches that int8 ranges are taken from, kept beside the network for the stages after compress."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.suggest import derive_seed
from nas.task.data.layouts import DataError
from nas.task.data.patches import PatchSampler, Sampling
from nas.task.data.photos import read_folder
from nas.task.task import Task, TaskSettings, calibration_images
from results.files import held_in, read_tensors, write_tensors

CALIBRATION_IMAGES = 64  # patches that int8 ranges are taken from
_BLACK, _WHITE = 0.05, 0.95  # of a photograph with nothing in it, up to here or from here on
_NARROW = 0.5  # of values from the darkest to the brightest; photographs use nearly all of 1
_OUTLIERS = 0.001  # share of the values, at either end


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
    """Patches of the photographs of `folder` as they are, of pairs the degraded side; `drawn` is the seed.

    Raises DataError for photographs that are black or white all over, and warns of others that use few of the values:
    what is brighter or darker than they are, int8 cuts off.
    """
    photos = read_folder(folder, settings.patch)
    degraded, clean = PatchSampler(
        photos, Sampling(settings.patch, CALIBRATION_IMAGES), settings.degradation, drawn
    ).batch(0)
    taken = degraded if photos[0].is_pair else clean
    _require_range(taken, folder)
    return [image[None].contiguous() for image in taken]


def keep_calibration(path: Path, images: Sequence[Tensor]) -> None:
    """Keep what an int8 network is calibrated on, in a .safetensors file."""
    write_tensors(path, {"images": torch.cat(list(images))})


def kept_calibration(path: Path) -> list[Tensor]:
    """What `keep_calibration` kept; raises ValueError, which names the file, where it is damaged or gone."""
    advice = f"delete {path.parent}, and `lpienas compress` makes it again"
    if not path.exists():
        raise ValueError(f"{path}, which int8 ranges are taken from, is gone: {advice}")
    with held_in(path, advice):
        return list(torch.split(read_tensors(path)["images"], 1))


def calibration_fingerprint(images: Sequence[Tensor]) -> str:
    """Hexadecimal digest of patches."""
    return hashlib.sha256(b"".join(image.numpy().tobytes() for image in images)).hexdigest()


def _require_range(patches: Tensor, folder: Path) -> None:
    ordered = patches.flatten().sort().values
    last = ordered.numel() - 1
    dark, bright = (float(ordered[round(share * last)]) for share in (_OUTLIERS, 1 - _OUTLIERS))
    reach = f"the photographs of {folder} reach from {dark:.2f} to {bright:.2f} of white"
    if bright <= _BLACK or dark >= _WHITE:
        raise DataError(
            f"{reach}: int8 ranges taken from them would hold no photograph; name some as the camera takes them, with "
            "dark and bright parts"
        )
    if bright - dark < _NARROW:
        warnings.warn(
            f"{reach}, and what is darker or brighter is cut off by int8: add photographs with dark and bright parts",
            stacklevel=2,
        )
