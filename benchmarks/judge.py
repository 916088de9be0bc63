"""Judge: what networks are worth on test photographs with noise at three levels, and on real pairs.

    python benchmarks/judge.py runs/night/made/KEY/network --data ~/photographs --pairs ~/pairs --bm3d

NETWORK is a path of NAME.json and NAME.safetensors. White sensor noise and, with --noise white camera, a camera's is
put on the test part of --data, at levels 0, 0.5 and 1, which chose nothing and trained nothing; real pairs are taken
whole, by the part of their names before the first `_`. Beside the networks stand the degraded photographs themselves
and, with --bm3d, BM3D that is told the true standard deviation of each photograph's noise (its package, `pip install
bm3d`, is free for research only). With --hold each network stands there once more, held to so many times the noise of
a photograph (compress/runtime/noise_level.py); with --told once more, told what BM3D is told. Prints SSIM, PSNR and
processor seconds a megapixel on one thread, and with --json one object.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.runtime.noise_level import Hold
from compress.runtime.runtimes import Runtime, in_pytorch
from compress.runtime.tiles import enhance
from nas.task.baselines import restore, true_noise
from nas.task.data.pairs import validation_pairs
from nas.task.data.photo import Picture
from nas.task.data.photos import read_folder
from nas.task.degrade import CameraNoise, SensorNoise
from nas.task.evaluation import Pair, Quality, evaluate, input_quality
from nas.task.task import TaskSettings, read_photos
from results.files import load_network
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.sides import on_any_size

LEVELS = (0.0, 0.5, 1.0)  # of noise
_NOISES: dict[str, SensorNoise | CameraNoise] = {"white": SensorNoise(), "camera": CameraNoise()}
_CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", type=Path, metavar="NETWORK")
    parser.add_argument("--data", help="folder of clean photographs (default: sample photographs)")
    parser.add_argument("--pairs", type=Path, help="folder of pairs of real photographs")
    parser.add_argument("--side", type=int, default=384, help="pixels that test photographs are cropped to (384)")
    parser.add_argument("--every", type=int, default=1, help="take every such test photograph (1): BM3D takes its time")
    parser.add_argument("--noise", nargs="+", choices=list(_NOISES), default=["white"])
    parser.add_argument("--bm3d", action="store_true")
    parser.add_argument("--hold", type=float, metavar="TIMES", help="also held to so many times the noise")
    parser.add_argument(
        "--told", action="store_true", help="also told the true noise of each photograph, and held to it"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tests = read_photos(TaskSettings(options.data)).test[:: options.every]
    sets: dict[str, list[Pair]] = {
        f"{noise} {level:g}": _noisy(tests, noise, level, options.side) for noise in options.noise for level in LEVELS
    }
    if options.pairs is not None:
        for photo in read_folder(options.pairs):
            pair = validation_pairs([photo], SensorNoise(), 0, None)
            sets.setdefault(photo.name.partition("_")[0], []).extend(pair)
    found: dict[str, dict[str, Judged]] = {"the pictures themselves": _judged(sets, lambda image: image)}
    for path in options.networks:
        network = load_network(path)
        macs = macs_of(network.blueprint, DEFAULT_SIZE) / 1e6
        name = f"{path.parent.name}/{path.name}, {macs:.0f} MMACs"
        found[name] = _judged(sets, network)
        if options.hold is not None:
            held = partial(enhance, in_pytorch(network), hold=Hold(options.hold))
            found[f"{name}, held"] = _judged(sets, held)
        if options.told:
            told = partial(_told, in_pytorch(network))
            found[f"{name}, true level"] = {of: _by_knowing(told, pairs) for of, pairs in sets.items()}
    if options.bm3d:
        bm3d = partial(restore, "bm3d")
        made = {of: _by_knowing(bm3d, pairs) for of, pairs in sets.items() if of.split()[0] in _NOISES}
        found["BM3D, true level"] = made
    counts = ", ".join(f"{name}: {len(pairs)}" for name, pairs in sets.items())
    if options.json:
        plain: dict[str, Any] = {
            who: {name: one.to_json() for name, one in by_set.items()} for who, by_set in found.items()
        }
        print(
            json.dumps({"photographs": {name: len(pairs) for name, pairs in sets.items()}, "judged": plain}, indent=2)
        )
        return
    print(f"photographs: {counts}; noise on test photographs of at most {options.side}x{options.side} pixels")
    for who, by_set in found.items():
        figures = (
            f"  {name}: {one.quality.ssim:.4f} {one.quality.psnr:.2f} dB {one.seconds:.3f} s/MP"
            for name, one in by_set.items()
        )
        print(f"{who:44}" + "".join(figures), flush=True)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one method made of one set of pairs."""

    quality: Quality
    seconds: float  # of the processor, one thread, a megapixel

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.quality.to_json() | {"seconds_per_megapixel": self.seconds}


def _noisy(photos: Iterable[Picture], noise: str, level: float, side: int) -> list[Pair]:
    """Pairs of the photographs' centres with a kind of noise at one level, rounded to 8 bits."""
    pairs = []
    for number, photo in enumerate(photos):
        clean = validation_pairs([photo], SensorNoise(), 0, side)[0][2]
        noisy = _NOISES[noise].degrade_at(clean, level, torch.Generator().manual_seed(1000 + number))
        pairs.append((photo.name, noisy.mul_(255).round_().div_(255), clean))
    return pairs


def _judged(sets: dict[str, list[Pair]], network: Callable[[Tensor], Tensor]) -> dict[str, Judged]:
    """Of a network; seconds are those that it takes by itself, without the judging and what lies around the crops."""
    return {
        name: Judged(evaluate(network, pairs, _CPU), _seconds(pairs, lambda pair: on_any_size(network, pair[1])))
        for name, pairs in sets.items()
    }


def _by_knowing(method: Callable[[Tensor, Tensor], Tensor], pairs: list[Pair]) -> Judged:
    """Of what is told how much the noise of each photograph is, by the degraded and the clean one."""
    restored: list[Pair] = []
    seconds = _seconds(pairs, lambda pair: restored.append((pair[0], method(pair[1], pair[2]), pair[2])))
    return Judged(input_quality(restored), seconds)


def _told(runtime: Runtime, degraded: Tensor, clean: Tensor) -> Tensor:
    hold = Hold(noise=true_noise(degraded, clean))
    return on_any_size(partial(enhance, runtime, hold=hold), degraded).clamp(0, 1)


def _seconds(pairs: list[Pair], work: Callable[[Pair], object]) -> float:
    begun = time.process_time()
    with torch.inference_mode():
        for pair in pairs:
            work(pair)
    megapixels = sum(clean.shape[-2] * clean.shape[-1] for *_, clean in pairs) / 1e6
    return (time.process_time() - begun) / megapixels


if __name__ == "__main__":
    main()
