"""Channels: which counts a runtime likes, as time and as multiply-adds over those of the first count.

    python benchmarks/channels.py --out runs/channels [--network results/published/denoise/networks/0001]
        [--runtime litert] [--precision int8] [--counts 8 12 16 18 20 24 32] [--size 512x512]

The first encoder of a network, at full resolution, is given each count: as the depthwise channels of its blocks, and as
its width. The files are opened in this process and take turns, one thread, in processor time; a line gives the median
ratio of neighbouring passes and its quartiles. Weights are random: a runtime does the same work whatever they are.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import torch

from compress.bench.latency import random_image
from compress.export.formats import FORMATS, PRECISIONS, Variant, export_network
from compress.quiet import quiet
from compress.runtime.runtimes import load
from results.files import load_network, written_whole
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.lpienet import build
from search_spaces.units import parse_size
from turns import in_turns

_KNEE = Path(__file__).parents[1] / "results" / "published" / "denoise" / "networks" / "0001"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", type=Path, default=_KNEE, help="a saved network, without suffix (0001)")
    parser.add_argument("--runtime", choices=("litert", "onnx", "executorch"), default="litert")
    parser.add_argument("--precision", choices=PRECISIONS, default="int8")
    parser.add_argument("--counts", type=int, nargs="+", default=[8, 12, 16, 18, 20, 24, 32])
    parser.add_argument("--size", type=parse_size, default=(512, 512))
    parser.add_argument("--passes", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    blueprint = load_network(options.network).blueprint
    suffix, image = FORMATS[options.runtime].suffix, random_image(*options.size)
    sides = "{}x{}".format(*options.size)
    for part in ("depthwise", "width"):
        blueprints = [_with(blueprint, part, count) for count in options.counts]
        runtimes = []
        for count, changed in zip(options.counts, blueprints, strict=True):
            path = options.out / f"{options.network.name}_{part}-{count}_{options.precision}_{sides}{suffix}"
            if not path.exists():
                with quiet(), written_whole(path) as unfinished:
                    network = build(changed, seed=0).eval()
                    calibration = [random_image(128, 128)]
                    export_network(
                        network, Variant(options.runtime, options.precision, options.size), unfinished, calibration
                    )
            runtimes.append(load(path))
        times = in_turns(runtimes, image, options.passes)
        for count, changed, taken in zip(options.counts, blueprints, times, strict=True):
            low, middle, high = statistics.quantiles(
                [mine / first for mine, first in zip(taken, times[0], strict=True)], n=4
            )
            macs = macs_of(changed, options.size) / macs_of(blueprints[0], options.size)
            print(
                f"{part:9} {count:3d}  {statistics.median(taken):7.1f} ms  time {middle:.2f} ({low:.2f} to {high:.2f})"
                f"  multiply-adds {macs:.2f}",
                flush=True,
            )


def _with(blueprint: Blueprint, part: str, count: int) -> Blueprint:
    """`blueprint` with `count` depthwise channels in each block of its first encoder, or with that width."""
    first, *others = blueprint.stages
    blocks = tuple(replace(block, depthwise=count) for block in first.blocks)
    changed = replace(first, width=count) if part == "width" else replace(first, blocks=blocks)
    return replace(blueprint, stages=(changed, *others))


if __name__ == "__main__":
    main()
