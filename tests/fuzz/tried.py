"""Tried: one input is read, tiled, enhanced and written, as the command does it; an error of ours is all it may cost.

A process goes through many inputs and says a line for each, so that whoever reads the lines knows which one ended it
or does not end.
"""

import json
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from compress.bench.resident import forget_peak, peak, resident
from compress.runtime.photo import WRITTEN, enhance_photo
from compress.runtime.tiles import Rows, strips_of, tile_size
from lpienas.errors import Error, told
from nas.task.data.arrays import MAT, is_array
from nas.task.data.facts import looked_at
from nas.task.data.reading import header_of
from nas.task.data.source import Source
from nas.task.data.tiles import Tiles
from nas.task.degrade.kernels import KernelFile
from tests.fuzz.corpus import corpus
from tests.fuzz.mutate import mutated

TILES = 20 * 10**6  # bytes of the cache: of larger pictures crops are cut from the file itself
MOST_BYTES = 8 * 10**9  # of data that the process may have: a fault of ours must not be one of the machine
PATCH, RADIUS = 16, 3  # pixels: of a crop's side, and as far as the network would see


class Inputs:
    """What the numbers stand for, the same on every machine with the same libraries."""

    def __init__(self, seed: int, cache: Path) -> None:
        files = sorted(corpus(cache).items())
        self.seed, self._others = seed, [content for _, content in files]
        # One in forty rounds has those of MATLAB, each of which takes processes of its own.
        others = [(name, content) for name, content in files if not name.endswith(MAT)]
        self._files = files + 39 * others

    def of(self, number: int) -> tuple[str, bytes, random.Random]:
        """Name and content of an input, and what is drawn on."""
        drawn = random.Random(f"{self.seed} {number}")
        name, content = self._files[number % len(self._files)]
        return name, mutated(content, self._others, drawn), drawn


def tried(name: str, content: bytes, drawn: random.Random, folder: Path) -> str:
    """`read`, or the error of ours; whatever else is raised is a fault."""
    path = folder / name
    path.write_bytes(content)
    try:
        with told():
            return _all_of(path, drawn, folder)
    except Error as error:
        return str(error)
    finally:
        path.unlink(missing_ok=True)


def _all_of(path: Path, drawn: random.Random, folder: Path) -> str:
    if "kernel" in path.name:
        KernelFile.of(path)
    facts = looked_at(path)
    if not facts.problem:
        place = 0 if path.suffix == MAT else None
        source = Source(folder, path.name, facts.digest, facts.height, facts.width, facts.bits, place)
        height, width = min(PATCH, facts.height), min(PATCH, facts.width)
        top, left = (drawn.randrange(side - part + 1) for side, part in ((facts.height, height), (facts.width, width)))
        tiles = Tiles(folder / "cache", TILES)
        crop = tiles.crop(source, top, left, height, width)
        if crop.shape != (height, width, 3):
            raise AssertionError(f"a crop of {height}x{width} has shape {crop.shape}")
        for left_over in (folder / "cache").iterdir():
            left_over.unlink()
    if is_array(path) or path.suffix == ".npz":
        return facts.problem or "read"
    target = folder / f"out{drawn.choice(WRITTEN)}"
    try:
        size = enhance_photo(_unchanged, path, target, say=lambda line: None)
        header = header_of(target)
        if (header.height, header.width) != size:
            raise AssertionError(f"{size} became {header}")
    finally:
        target.unlink(missing_ok=True)
    return "read"


def _unchanged(rows: Rows) -> Iterator[torch.Tensor]:
    """A network that changes nothing, in tiles: small ones, or as `enhance` cuts a large picture."""
    large = rows.height * rows.width > 10**6
    size = tile_size(rows.height, rows.width, RADIUS, 1024 * 1024) if large else (64, 64)
    yield from strips_of(lambda tile: tile, rows, size, RADIUS)


def main(seed: int, first: int, end: int, folder: Path) -> None:
    """Try inputs from `first` up to `end`, one JSON line each."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    torch.set_num_threads(1)
    inputs, lines = Inputs(seed, folder.parent / "cache"), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)  # libraries tell of each file
    print(json.dumps({"begins": first}), file=lines, flush=True)
    for number in range(first, end):
        name, content, drawn = inputs.of(number)
        forget_peak()
        before, began = resident(), time.process_time()
        try:
            came = tried(name, content, drawn, folder)
            fault = ""
        except BaseException as error:
            came, fault = "", f"{type(error).__name__}: {error}"
        line = {"number": number, "name": name, "came": came[:200], "fault": fault[:300]}
        line |= {"above": peak() - before, "peak": peak(), "seconds": round(time.process_time() - began, 3)}
        print(json.dumps(line), file=lines, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), Path(sys.argv[4]))
