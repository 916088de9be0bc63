"""Rewrites at export: what each is worth in each runtime, as time without it over time with it.

    python benchmarks/rewrites.py --out runs/rewrites [--networks 403 reference 256-cells 256-elu]
        [--formats executorch] [--precisions float int8] [--size 512x512] [--passes 15] [--rounds 3] [--json]

Every network is written without rewrites, with each one that changes it, and with all that its format ships with
(compress.export.formats). The files of one network and format are opened in this process and take turns, `--passes`
times in each of `--rounds` rounds, one thread, in processor time. A line gives the median ratio of neighbouring passes
and its quartiles; within the quartiles of 1 is no gain. Files stay in `--out`, so a second call only times.

Numbers are published networks (results/published/gp); `-cells` puts the stem on cells of 2x2 pixels, `-elu` has
ELU for ReLU, both with random weights. For int8 the last column is the distance from the float network on noisy
photographs, in dB.

Tried and not kept (two shared cores at 2.5 GHz with AVX-512, 512x512, float, networks 299 and 360 of
an earlier front): the mean folded into the channel branch's first convolution, the family's only two
1x1 convolutions without an activation between (ONNX Runtime 1.01 and 0.95); the attention's join as a sum of two
convolutions instead of one over both branches (ONNX Runtime 0.98 of 360; 299 has no such join, and its equal file
measured 1.04); the maximum as log2(C) elementwise maxima of slices (ONNX Runtime 1.02 and 0.95; ExecuTorch, with the
mean as a convolution, 1.51 where pooling has 1.69); mean and maximum over the last dimension (LiteRT 1.01). The stem as
a strided convolution is for ONNX Runtime only (1.16; ExecuTorch 0.97, at 256x256). The head, whose 3 output channels
XNNPACK computes as 16, as a 4x4 convolution with stride 2 to cells of 2x2 pixels (network 256, 544x960: LiteRT 1.12 in
float and 1.06 in int8, with an operator of our own to spread the cells; 1.03 in ONNX Runtime, 1.05 in ExecuTorch): it
has 1.8 times the head's multiply-adds, which accelerators would pay. The first convolutions of the attention's two
branches as one (network 403, 512x512: ONNX Runtime 1.01 in float and 1.00 in int8, LiteRT 0.99).
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import log10
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.export.formats import FORMATS, PRECISIONS, Variant, export_network
from compress.export.rewrite import REWRITES, rewritten
from compress.quiet import quiet
from compress.runtime.runtimes import Runtime, load
from compress.runtime.tiles import fitted
from nas.task.data.pairs import validation_pairs
from nas.task.task import TaskSettings, read_photos
from results.files import load_network, written_whole
from search_spaces.lpienet import LPIENet, build
from search_spaces.units import parse_size
from turns import in_turns

PUBLISHED = Path(__file__).parents[1] / "results" / "published" / "gp" / "networks"
_CHANGED: dict[str, dict[str, Any]] = {"": {}, "cells": {"stem": "space-to-depth"}, "elu": {"activation": "elu"}}


@dataclass(frozen=True, slots=True)
class Gain:
    """One file against the one without rewrites."""

    network: str
    format: str
    precision: str
    rewrites: tuple[str, ...]
    milliseconds: float  # median of this file's passes
    ratio: float  # median of time without / time with, of neighbouring passes
    low: float  # quartiles
    high: float
    decibels: float | None  # from the float network, int8 only


@dataclass(frozen=True, slots=True)
class Kind:
    """Files that are compared with one another."""

    name: str  # of the network, as network_of takes it
    format: str
    precision: str
    size: tuple[int, int]  # height, width

    @property
    def network(self) -> LPIENet:
        return network_of(self.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=("403", "reference", "256-cells", "256-elu"))
    runnable = tuple(name for name, made in FORMATS.items() if made.system is None)
    parser.add_argument("--formats", nargs="+", choices=runnable, default=runnable)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--size", type=parse_size, default=(512, 512))
    parser.add_argument("--passes", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    settings = TaskSettings()
    pairs = validation_pairs(read_photos(settings).validation, settings.noise, settings.seed, settings.validation_side)
    images = [fitted(degraded, options.size) for _, degraded, _ in pairs]
    gains = []
    for name in options.networks:
        for format in options.formats:
            for precision in [word for word in options.precisions if word in FORMATS[format].precisions]:
                kind = Kind(name, format, precision, options.size)
                for gain in compare(kind, options.out, images, options.passes * options.rounds):
                    gains.append(gain)
                    if not options.json:
                        print(_line(gain), flush=True)
    if options.json:
        print(json.dumps([asdict(gain) for gain in gains], indent=2))


def network_of(name: str) -> LPIENet:
    """A published network by its number, `reference`, or either with `-cells` or `-elu`."""
    number, _, word = name.partition("-")
    network = load_network(PUBLISHED / f"{0 if number == 'reference' else int(number):04d}")
    changed = replace(network.blueprint, **_CHANGED[word])
    return (network if changed == network.blueprint else build(changed, seed=0)).eval()


def variants(network: LPIENet, format: str, precision: str) -> list[tuple[str, ...]]:
    """None, each rewrite that does something to `network`, and those that the format ships with."""
    found: list[tuple[str, ...]] = [(), *((name,) for name in REWRITES if _changes(network, (name,)))]
    shipped = tuple(name for name in FORMATS[format].rewrites.get(precision, ()) if (name,) in found)
    return found if shipped in found else [*found, shipped]


def compare(kind: Kind, folder: Path, images: Sequence[Tensor], passes: int) -> list[Gain]:
    """One line a file, the file without rewrites first; files are in `folder`."""
    network = kind.network
    asked = variants(network, kind.format, kind.precision)
    runtimes = {rewrites: load(_file(kind, rewrites, folder, images)) for rewrites in asked}
    times = dict(zip(asked, in_turns(list(runtimes.values()), images[0], passes), strict=True))
    gains = []
    for rewrites, taken in times.items():
        ratios = [without / with_it for without, with_it in zip(times[()], taken, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        distance = _decibels(network, runtimes[rewrites], images) if kind.precision == "int8" else None
        words = (kind.name, kind.format, kind.precision, rewrites)
        gains.append(Gain(*words, statistics.median(taken), middle, low, high, decibels=distance))
    return gains


def _file(kind: Kind, rewrites: tuple[str, ...], folder: Path, images: Sequence[Tensor]) -> Path:
    suffix, size = FORMATS[kind.format].suffix, kind.size
    path = folder / f"{kind.name}_{kind.precision}_{size[0]}x{size[1]}_{'+'.join(rewrites) or 'plain'}{suffix}"
    if not path.exists():
        calibration = [image[..., :128, :128] for image in images]
        variant = Variant(kind.format, kind.precision, size, rewrites=rewrites)
        with quiet(), written_whole(path) as unfinished:
            export_network(kind.network, variant, unfinished, calibration)
    return path


def _changes(network: LPIENet, rewrites: tuple[str, ...]) -> bool:
    return str(rewritten(network, rewrites)) != str(network)  # a module's text names all of its parts


def _decibels(network: LPIENet, runtime: Runtime, images: Sequence[Tensor]) -> float:
    with torch.no_grad():
        errors = [float((runtime(image) - network(image)).square().mean()) for image in images]
    return -10 * log10(statistics.fmean(errors))


def _line(gain: Gain) -> str:
    distance = "" if gain.decibels is None else f"  {gain.decibels:.1f} dB"
    return (
        f"{gain.network:10s} {gain.format:10s} {gain.precision:5s} {gain.milliseconds:7.1f} ms  "
        f"{gain.ratio:.2f} ({gain.low:.2f} to {gain.high:.2f}){distance}  {' + '.join(gain.rewrites) or 'plain'}"
    )


if __name__ == "__main__":
    main()
