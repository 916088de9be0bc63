"""Int8: what it takes from trained networks, by every way to it, against the float network with as much training.

    python benchmarks/int8.py runs/night/made/KEY/network --data DIR --pairs PAIRS --steps 300 --out runs/int8

As `compress` does it: post-training quantization, quantization-aware training, and post-training quantization after as
long a training in float. What the best of them loses is counted from the better of the two float networks, the given
one and the one trained for as long: counted from the given one, what the further training gains would hide it. With
--in-float, the layers named, or those found by `auto`, stay in float. With --calibration, int8 ranges are taken from
real photographs. With --pairs, also on pairs of real photographs, which should be others.
Resumable; several calls may share --out, which keeps a file for each network and int8.json with all of them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.int8.calibration import int8_calibration
from compress.int8.quantize import post_training_quantize
from compress.int8.sensitivity import ALLOWED_PSNR, ALLOWED_SSIM
from compress.int8.ways import METHODS, Int8, Quantizing, to_int8
from nas.prepare import prepare
from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import read_folder
from nas.task.degrade import SensorNoise
from nas.task.evaluation import Pair, evaluate
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from results.files import load_network, read_json, write_json
from results.progress import Silent
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.lpienet import LPIENet
from search_spaces.receptive import margin_of

_CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+", help="NAME of NAME.json and NAME.safetensors")
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--calibration", type=Path, help="folder of photographs (default: training patches)")
    parser.add_argument("--pairs", type=Path, help="folder of noisy and clean photographs")
    parser.add_argument("--steps", type=int, default=300, help="of either training")
    parser.add_argument("--in-float", nargs="+", default=[], metavar="LAYER", help="or auto")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    task = prepare(TaskSettings(options.data), options.out / "device.json", 1)
    print(task.photos.source, flush=True)
    pairs = [] if options.pairs is None else validation_pairs(read_folder(options.pairs), SensorNoise(), 0, 384)
    calibration = int8_calibration(task, task.settings.seed, options.calibration)
    asked = Quantizing("best", Recipe(options.steps), calibration, options.in_float, task.settings.seed)
    for path in options.networks:
        name = "-".join([path.absolute().parent.parent.name, path.name, *options.in_float])
        name += "" if options.calibration is None else "-calibrated"
        kept = options.out / "networks" / f"{name}.json"
        if not kept.exists():
            write_json(kept, _measured(load_network(path), task, asked, pairs))
        print("\n".join(_lines(name, read_json(kept))), flush=True)
    every = sorted((options.out / "networks").glob("*.json"))
    write_json(options.out / "int8.json", {path.stem: read_json(path) for path in every})


def _measured(network: LPIENet, task: Task, asked: Quantizing, pairs: Sequence[Pair]) -> dict[str, Any]:
    before = evaluate(network, task.validation, _CPU).to_json()
    made = to_int8(network, task, asked, Silent())
    assert made.longer is not None  # `best` makes it
    longer = made.figures["float_fine_tuned"]["float"]
    better, of_better = (made.longer, longer) if longer["ssim"] > before["ssim"] else (network, before)
    found = {
        "macs": macs_of(network.blueprint, DEFAULT_SIZE),
        "steps": asked.recipe.steps,
        "float": before,
        "int8": made.figures,
        "better_float": of_better,
    }
    if pairs:
        found["real_pairs"] = _on_real_pairs(made, better, asked.calibration, pairs)
    return found


def _on_real_pairs(made: Int8, better: LPIENet, calibration: Sequence[Tensor], pairs: Sequence[Pair]) -> dict[str, Any]:
    graph = post_training_quantize(made.network, calibration, in_float=made.figures["in_float"])
    margin = margin_of(made.network.blueprint)
    return {
        "better_float": evaluate(better, pairs, _CPU).to_json(),
        "int8": evaluate(graph, pairs, _CPU, margin).to_json(),
    }


def _lines(name: str, found: dict[str, Any]) -> list[str]:
    int8 = found["int8"]
    longer = int8["float_fine_tuned"]["float"]
    lines = [
        f"{name}: {found['macs'] / 1e6:.1f} MMACs",
        f"  float: {_figures(found['float'])}; trained for {found['steps']} steps more: {_figures(longer)}",
        *(f"  int8, {way.replace('_', ' ')}: {_figures(int8[way])}" for way in METHODS),
        f"  learning rate {int8['learning_rate']['chosen']:g}; in float: {', '.join(int8['in_float']) or 'nothing'}",
        _loss("validation", found["better_float"], int8),
    ]
    if "real_pairs" in found:
        lines.append(_loss("real pairs", found["real_pairs"]["better_float"], found["real_pairs"]["int8"]))
    return lines


def _loss(where: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    ssim, psnr = before["ssim"] - after["ssim"], before["psnr"] - after["psnr"]
    within = ssim <= ALLOWED_SSIM and psnr <= ALLOWED_PSNR
    goal = f"{'within' if within else 'not within'} {ALLOWED_SSIM} and {ALLOWED_PSNR} dB"
    return (
        f"  {where}: {_figures(before)} in float, {_figures(after)} in int8; {ssim:.4f} and {psnr:.2f} dB lost: {goal}"
    )


def _figures(figures: dict[str, Any]) -> str:
    return f"SSIM {figures['ssim']:.4f}, {figures['psnr']:.2f} dB"


if __name__ == "__main__":
    main()
