"""Data: what a set of photographs costs, by its size: start, memory, and patches a second beside photographs in memory.

    python benchmarks/data.py start --links 100 1000 10000      # time and peak memory up to the first batch
    python benchmarks/data.py patches --rounds 5                # in turns with the same photographs in memory

Links to the same few files stand for a large set: names, manifest and split are of its size, pixels are not, so `start`
says what the bookkeeping costs. Each size is run in a process of its own, twice: with nothing known of the files, and
with the digests of the first time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from nas.task.data.patches import PatchSampler, Sampling
from nas.task.data.photo import Photo, Picture
from nas.task.data.photos import load_folder
from nas.task.data.tiles import Tiles
from nas.task.degrade import SensorNoise

FILES = 16  # that links are of


def main() -> None:
    options = _parser().parse_args()
    if options.what == "one":
        print(json.dumps(_start(options.folder, options.cache)))
        return
    with tempfile.TemporaryDirectory() as home:
        if options.what == "start":
            for links in options.links:
                _measure_start(Path(home), links, options.pairs)
        else:
            _measure_patches(Path(home), options.photographs, options.side, options.rounds)


def _measure_start(home: Path, links: int, pairs: bool) -> None:
    folder = _linked(home / f"links-{links}", links, pairs)
    for known in ("nothing", "digests"):
        command = [sys.executable, __file__, "one", str(folder), str(home / f"cache-{links}")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        row = json.loads(said.splitlines()[-1])
        print(
            f"{links:7,} links, {known} known: listed in {row['listed']:.2f} s ({row['processor']:.2f} of the "
            f"processor), first batch after {row['batch']:.2f} s, peak memory {row['peak_mb']:.0f} MB, of which "
            f"{row['before_mb']:.0f} MB before",
            flush=True,
        )


def _start(folder: Path, cache: Path) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, spent = time.perf_counter(), time.process_time()
    photos = load_folder(folder, 64, tiles=Tiles(cache))
    listed, processor = time.perf_counter() - began, time.process_time() - spent
    PatchSampler(photos.training, Sampling(64, 8), SensorNoise(), 0).batch(0)
    batch = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"listed": listed, "processor": processor, "batch": batch, "before_mb": before, "peak_mb": peak}


def _measure_patches(home: Path, photographs: int, side: int, rounds: int) -> None:
    folder = home / "photographs"
    folder.mkdir()
    for number in range(photographs):
        _draw(folder / f"p{number:04}.jpg", number, side)
    stored = load_folder(folder, 64, tiles=Tiles(home / "cache")).training
    memory = [Photo(photo.name, photo.clean, None) for photo in stored]
    noise = SensorNoise()
    kinds = {"in memory": _sampler(memory, noise), "from tiles": _sampler(stored, noise)}
    for name, sampler in kinds.items():  # the first epoch
        began = time.perf_counter()
        for step in range(len(stored)):
            sampler.batch(step)
        print(f"{name}: {(time.perf_counter() - began) / len(stored) * 1e3:.2f} ms a batch in the first epoch")
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds):
        for name, sampler in kinds.items():
            began = time.process_time()
            for step in range(1000 * number, 1000 * number + 100):
                sampler.batch(step)
            times[name].append((time.process_time() - began) / 100 * 1e3)
    for name, found in times.items():
        print(f"{name}: {median(found):.2f} ms of the processor a batch of 8, of {rounds} turns")
    ratio = median(a / b for a, b in zip(times["from tiles"], times["in memory"], strict=True))
    print(f"a batch from tiles takes {ratio:.2f} times one from memory")


def _sampler(photos: "Sequence[Picture]", noise: SensorNoise) -> PatchSampler:
    return PatchSampler(photos, Sampling(64, 8), noise, 0)


def _linked(folder: Path, links: int, pairs: bool) -> Path:
    sides = ("clean", "noisy") if pairs else ("",)
    for side in sides:
        (folder / side).mkdir(parents=True, exist_ok=True)
        files = [folder.parent / f"{folder.name}-{side}-{number}.jpg" for number in range(FILES)]
        for number, file in enumerate(files):
            _draw(file, number, 512)
        for number in range(links):
            (folder / side / f"photo{number:06}.jpg").symlink_to(files[number % FILES])
    return folder


def _draw(path: Path, seed: int, side: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 16, side // 12, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((side * 4 // 3, side), Image.Resampling.BICUBIC).save(path, quality=92)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = parser.add_subparsers(required=True, dest="what")
    start = words.add_parser("start")
    start.add_argument("--links", type=int, nargs="+", default=[100, 1000, 10_000])
    start.add_argument("--pairs", action="store_true", help="links to both sides of pairs")
    patches = words.add_parser("patches")
    patches.add_argument("--photographs", type=int, default=150)
    patches.add_argument("--side", type=int, default=768, help="pixels of the shorter side")
    patches.add_argument("--rounds", type=int, default=5)
    one = words.add_parser("one")
    one.add_argument("folder", type=Path)
    one.add_argument("cache", type=Path)
    return parser


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
