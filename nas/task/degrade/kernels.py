"""Kernels: blur kernels and point spread functions from the user's files."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.task.data.matlab import MOST_BYTES, arrays_of

WIDEST = 129  # pixels per side; of wider kernels the middle is taken
MOST_PIXELS = 4096  # per side of what a file holds, and kernels in it
_KEPT = 0.995  # of a kernel's light is enough: less for patches to read around them
_ENDINGS = (".npy", ".npz", ".mat", ".png", ".tif", ".tiff")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KernelFile:
    """A file of kernels, with what it held when it was chosen, so that another content is noticed."""

    path: str
    digest: str  # hexadecimal, of its bytes

    @classmethod
    def of(cls, path: str | Path) -> "KernelFile":
        """The file at `path`, looked at once; raises ValueError where it holds no kernels, OSError where it is not."""
        found = cls(str(Path(path).absolute()), _digest(Path(path)))
        found.read()
        return found

    def read(self) -> tuple[Tensor, ...]:
        """Its kernels, each (1 or 3, K, K), K odd: light 1 in every channel, its centre in the middle.

        A file holds one kernel (K, K), one of a colour each (K, K, 3), or several (N, K, K), whatever its values add up
        to. Raises ValueError where the file has changed since it was chosen.
        """
        if _digest(Path(self.path)) != self.digest:
            raise ValueError(
                f"kernels {self.path}: the file is not the one that was chosen any more; bring that back, or start "
                "another run"
            )
        return _read(self.path, self.digest)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@lru_cache(maxsize=8)
def _read(path: str, digest: str) -> tuple[Tensor, ...]:
    arrays = list(_arrays(Path(path)))
    if not arrays:
        raise ValueError(f"kernels {path}: holds no array of numbers of two or three dimensions")
    return tuple(torch.from_numpy(_centred(array, path)).float() for array in arrays)


def _arrays(path: Path) -> Iterable[Array]:
    """Each (C, K, L)."""
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise ValueError(f"kernels {path}: must be one of {', '.join(_ENDINGS)}")
    try:
        if ending == ".mat":
            held = [array for _, array in arrays_of(path)]
        elif ending == ".npy":
            held = [np.lib.format.open_memmap(path, mode="r")]  # an archive is none
        elif ending == ".npz":
            held = _archived(path)
        else:
            from skimage.io import imread

            _require_small(path)
            held = [imread(path)]
    except Exception as error:  # each library has its own types, down to IndexError
        raise ValueError(f"kernels {path}: cannot be read ({error}); save it as .npy") from error
    for cell in held:
        if cell.ndim not in (2, 3) or cell.dtype.kind not in "fiu" or min(cell.shape[:2]) < 2:
            continue
        if max(cell.shape) > MOST_PIXELS:
            raise ValueError(
                f"kernels {path}: has sides {cell.shape}: must be at most {MOST_PIXELS} pixels; cut it out"
            )
        array = cell.astype(np.float64)
        if array.ndim == 2:
            yield array[None]
        elif array.shape[2] in (3, 4) and array.shape[0] not in (3, 4):
            yield array[..., :3].transpose(2, 0, 1)
        else:
            yield from array[:, None]


def _require_small(path: Path) -> None:
    """Raises ValueError for a TIFF of more pixels than a kernel has, by its header: a damaged one claims millions."""
    if path.suffix.lower() == ".png":
        return
    from tifffile import TiffFile  # by which scikit-image reads them

    with TiffFile(path) as file:
        sides = max((page.shape for page in file.pages[:1]), default=())
    if max(sides, default=0) > MOST_PIXELS:
        raise ValueError(f"has sides {sides}: must be at most {MOST_PIXELS} pixels")


def _archived(path: Path) -> list[NDArray[Any]]:
    """The arrays of a `.npz` file; raises ValueError where more than MOST_BYTES would be unpacked."""
    with ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise ValueError(f"would be more than {MOST_BYTES / 1e9:g} GB unpacked, and no more is read")
    with np.load(path, allow_pickle=False) as loaded:
        held = [loaded[name] for name in sorted(loaded)]
    return [value for value in held if isinstance(value, np.ndarray)]  # others are files that no array is in


def _centred(kernel: Array, path: str) -> Array:
    """(C, K, K) of light 1 in each channel, the centre of its light in the middle, no wider than it need be."""
    if not np.isfinite(kernel).all() or kernel.min() < 0 or (kernel.sum(axis=(1, 2)) <= 0).any():
        raise ValueError(
            f"kernels {path}: values must be numbers that are not negative, not all 0 in any colour; take off what a "
            "camera adds to black"
        )
    grey = kernel.sum(axis=0) / kernel.sum()
    middle = [round(float((grey.sum(axis=1 - axis) * np.arange(grey.shape[axis])).sum())) for axis in (0, 1)]
    reach = max(max(at, side - 1 - at) for at, side in zip(middle, grey.shape, strict=True))
    pads = [(reach - at, reach - (side - 1 - at)) for at, side in zip(middle, grey.shape, strict=True)]
    kernel = np.pad(kernel, ((0, 0), *pads))
    grey = np.pad(grey, pads)
    needed = next(
        r for r in range(reach + 1) if grey[reach - r : reach + r + 1, reach - r : reach + r + 1].sum() >= _KEPT
    )
    cut = reach - min(max(needed, 1), WIDEST // 2)
    kernel = kernel[:, cut : kernel.shape[1] - cut, cut : kernel.shape[2] - cut] if cut > 0 else kernel
    centred: Array = kernel / kernel.sum(axis=(1, 2), keepdims=True)
    return centred


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
