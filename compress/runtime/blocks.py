"""Blocks: the noisy blocks of SIDD's benchmark, enhanced and written as its server takes them.

After the benchmark's own code (SIDD_Denoise.m): a cell for each image and block, single precision in [0, 1], and the
seconds a megapixel of 1024 x 1024 pixels. Its contest on Kaggle takes a table of 8-bit blocks instead, as base64.
"""

import base64
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.task.data.matlab import arrays_of
from results.files import written_whole

Enhance = Callable[[Tensor], Tensor]  # image (1, 3, H, W) float32 in [0, 1] -> the same, enhanced
WRITTEN = (".mat", ".csv")
_MEGAPIXEL = 1024 * 1024


def enhance_blocks(
    enhance: Enhance, source: Path, target: Path, method: str, on_block: Callable[[int, int], None]
) -> tuple[int, int]:
    """Write the blocks of `source`, enhanced, to `target`, a .mat or a .csv; how many images and blocks of each.

    `method` is the name that a .mat gives to what did it; `on_block(done, all)` is called after each. Raises ValueError
    where `source` holds no blocks, or `target` has another ending.
    """
    if target.suffix.lower() not in WRITTEN:
        raise ValueError(f"cannot write {target}: blocks of SIDD become one of {', '.join(WRITTEN)}")
    noisy = read_blocks(source)
    images, each = noisy.shape[:2]
    found: NDArray[Any] = np.empty((images, each), dtype=object)
    seconds = 0.0
    for done, place in enumerate(np.ndindex(images, each), 1):
        block = torch.from_numpy(noisy[place].copy()).permute(2, 0, 1)[None].float() / 255
        begun = time.perf_counter()
        output = enhance(block)
        seconds += time.perf_counter() - begun
        found[place] = output[0].clamp(0, 1).permute(1, 2, 0).contiguous().numpy().astype(np.float32)
        on_block(done, images * each)
    pixels = noisy[..., 0].size
    with written_whole(target) as temporary:
        if target.suffix.lower() == ".csv":
            _write_table(temporary, found)
        else:
            _write_cells(temporary, found, {"MethodName": method}, seconds * _MEGAPIXEL / pixels)
    return images, each


def read_blocks(path: Path) -> NDArray[np.uint8]:
    """(images, blocks of each, H, W, 3) of BenchmarkNoisyBlocksSrgb.mat, or a file like it; raises ValueError."""
    try:
        held = arrays_of(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    for name, value in held:
        if value.ndim == 5 and value.shape[-1] == 3:
            if value.dtype != np.uint8:
                raise ValueError(f"{path}: {name} holds {value.dtype}: blocks of SIDD's sRGB pictures are uint8")
            return value
    shapes = ", ".join(f"{name} {value.shape}" for name, value in held)
    raise ValueError(f"{path}: holds {shapes or 'nothing'}: must be blocks (images, blocks, height, width, 3)")


def _write_cells(path: Path, blocks: NDArray[Any], about: dict[str, str], seconds: float) -> None:
    from scipy.io import savemat

    values = {"DenoisedBlocksSrgb": blocks, "TimeMPSrgb": seconds, "OptionalData": about}
    with path.open("wb") as file:  # a name would be given an ending
        savemat(file, values, do_compression=True)


def _write_table(path: Path, blocks: NDArray[Any]) -> None:
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("ID", "BLOCK"))
        for number, block in enumerate(blocks.ravel()):
            levels = (block * 255).round().astype(np.uint8)
            lines.writerow((number, base64.b64encode(levels.tobytes()).decode()))
