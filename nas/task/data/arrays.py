"""Arrays: pictures that data sets keep as numbers: `.npy` files, and blocks of many pictures in one `.mat` file."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.task.data.matlab import arrays_of, variables
from nas.task.data.reading import Header, Pixels, Unreadable

NPY, MAT = ".npy", ".mat"
_HALF = 0.25  # light that becomes half of the range


def is_array(path: Path) -> bool:
    return path.suffix.lower() in (NPY, MAT)


def array_header(path: Path) -> tuple[Header, int]:
    """Of each picture in `path`, and how many there are; nothing is decoded. Raises Unreadable."""
    if path.suffix.lower() == NPY:
        array = _mapped(path)
        return Header(array.shape[0], array.shape[1], 8 if array.dtype == np.uint8 else 16), 1
    _, shape = _variable(path)
    return Header(shape[2], shape[3], 8), shape[0] * shape[1]


def array_strips(path: Path, rows: int) -> Iterator[Pixels]:
    """The picture of a `.npy` file, (at most `rows`, W, 3) at a time. Raises Unreadable.

    Floating-point values are light without an upper end, as UDC-SYN has it: x / (x + 0.25) of them in 16 bits, after
    Feng et al. (DISCNet, 2021), whose figures are of that.
    """
    array = _mapped(path)
    for top in range(0, array.shape[0], rows):
        part = np.asarray(array[top : top + rows])
        if part.dtype.kind != "f":
            yield part
            continue
        light = np.nan_to_num(part.astype(np.float64), nan=0.0, posinf=1e9).clip(min=0)
        yield (light / (light + _HALF) * 65535).round().astype(np.uint16)


def blocks_of(path: Path) -> NDArray[np.uint8]:
    """(N, H, W, 3): all pictures of a `.mat` file, which can only be read whole. Raises Unreadable."""
    name, shape = _variable(path)
    try:
        ((_, blocks),) = arrays_of(path, name)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return blocks.reshape(-1, *shape[2:])


def block_shape(path: Path) -> tuple[int, ...]:
    """(images, blocks of each, H, W, 3) of a `.mat` file; raises Unreadable."""
    return _variable(path)[1]


def _mapped(path: Path) -> NDArray[np.generic]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r")  # an archive is none
    except Exception as error:  # what numpy makes of a damaged header is parsed as Python, with the errors of that
        raise Unreadable(f"cannot be read as an array ({error})") from error
    known = array.dtype in (np.uint8, np.uint16) or array.dtype.kind == "f"
    if array.ndim != 3 or array.shape[-1] != 3 or not known:
        raise Unreadable(
            f"holds {array.dtype} {(*array.shape,)}; needed are 8 or 16 bits or floats, (height, width, 3)"
        )
    return array


def _variable(path: Path) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the blocks, (images, blocks, height, width, 3)."""
    try:
        found = [(name, shape) for name, shape, kind in variables(path) if len(shape) == 5 and kind == "uint8"]
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if len(found) != 1 or found[0][1][-1] != 3:
        raise Unreadable("holds no blocks of pictures: one variable of 8 bits, (images, blocks, height, width, 3)")
    return found[0]
