"""Pruning: which importance, which rounding of channel counts, and which distillation serve networks of this family.

    python benchmarks/pruning.py --networks results/published/denoise/networks/0403 --data DIR --out runs/pruning

Each network is pruned to `--keep` of its multiply-adds by every importance and rounding, and fine-tuned for `--steps`
without distillation; then, as `compress` prunes, fine-tuned with the output of the network before pruning as a second
target, and with its features too. Printed: SSIM before and after fine-tuning, the mean over `--seeds` where there are
several, multiply-adds, and milliseconds of the int8 file in LiteRT. Resumable.

Features are compared as in Zagoruyko and Komodakis, "Paying more attention to attention", 2017: the mean square over
channels of what each stage puts out, as a map of norm 1, which asks for no equal widths.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compress.bench.latency import latency_cost
from compress.prune.channels import IMPORTANCE, IMPORTANCES, ROUND_TO, prune
from compress.prune.distill import distill
from compress.stages import importance_losses
from nas.task.device import Device
from nas.task.evaluation import evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Recipe, train
from results.files import load_network, read_json, write_json
from search_spaces.count import macs_of
from search_spaces.genotype import STAGES
from search_spaces.lpienet import LPIENet
from search_spaces.units import parse_size

ROUNDINGS = (1, 2, 4, 8)
TAUGHT = ("nothing", "output", "output and features")
_FEATURES = 0.05  # weight of the features' loss: right after pruning it is then twice that of the output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, nargs="+", required=True)
    parser.add_argument("--data", help="folder of photographs; default: the samples")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=float, default=0.7)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--size", type=parse_size, default=(512, 512), help="of the latency")
    options = parser.parse_args()
    settings = TaskSettings(options.data)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))
    torch.set_num_threads(1)
    ways = [(importance, ROUND_TO, TAUGHT[0]) for importance in IMPORTANCES]
    ways += [(IMPORTANCE, rounding, TAUGHT[0]) for rounding in ROUNDINGS if rounding != ROUND_TO]
    ways += [(IMPORTANCE, ROUND_TO, taught) for taught in TAUGHT[1:]]
    kept = options.out / "pruning.json"
    found: dict[str, Any] = read_json(kept) if kept.exists() else {}
    for path in options.networks:
        whole = load_network(path)
        quality = evaluate(whole, task.validation, torch.device("cpu"))
        print(
            f"{path.name}: SSIM {quality.ssim:.4f}, {macs_of(whole.blueprint, (256, 256)) / 1e6:.1f} MMACs", flush=True
        )
        for way in ways:
            key = " ".join(map(str, (path.name, options.keep, options.steps, *way)))
            row = found.setdefault(key, {})
            _measure(row, whole, way, task, options)
            write_json(kept, found)
            importance, rounding, taught = way
            print(
                f"  {importance}, multiples of {rounding}, taught by {taught}: SSIM {row['before']:.4f}, after "
                f"fine-tuning {fmean(row['ssim']):.4f} ({', '.join(f'{ssim:.4f}' for ssim in row['ssim'])}); "
                f"{row['macs'] / 1e6:.1f} MMACs, {row['ms']:.1f} +- {row['spread']:.1f} ms",
                flush=True,
            )


def _measure(row: dict[str, Any], whole: LPIENet, way: tuple[str, int, str], task: Task, options: Any) -> None:
    """Fill in what `row` does not have yet."""
    importance, rounding, taught = way
    while len(row.setdefault("ssim", [])) < options.seeds:
        seed = len(row["ssim"])
        network = prune(whole, options.keep, importance_losses(task, seed), importance, rounding).network
        if not row["ssim"]:
            latency = latency_cost(options.out / "latency", "litert", "int8", options.size)(network.blueprint)
            row["before"] = evaluate(network, task.validation, torch.device("cpu")).ssim
            row["macs"] = macs_of(network.blueprint, (256, 256))
            row["ms"], row["spread"] = latency.median, latency.spread
        recipe = Recipe(options.steps)
        if taught == TAUGHT[2]:
            _train_with_features(network, whole, task, recipe, seed)
        else:
            distill(network, whole, float(taught == TAUGHT[1]), task, recipe, seed)
        row["ssim"].append(evaluate(network.eval(), task.validation, torch.device("cpu")).ssim)


def _train_with_features(network: LPIENet, teacher: LPIENet, task: Task, recipe: Recipe, seed: int) -> None:
    batch = task.batches(seed)
    maps, teachers = _maps_of(network), _maps_of(teacher.eval())
    wanted: list[Tensor] = []

    def taught(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        with torch.no_grad():
            output = teacher(degraded)
        wanted[:] = teachers()
        return degraded, torch.stack([clean, output])

    def loss(output: Tensor, targets: Tensor) -> Tensor:
        clean, teachers_output = targets
        features = sum((F.mse_loss(own, other) for own, other in zip(maps(), wanted, strict=True)), torch.zeros(()))
        return task.loss(output, clean) + F.l1_loss(output, teachers_output) + _FEATURES * features

    network.train()
    train(network, taught, loss, recipe, task.device)


def _maps_of(network: nn.Module) -> Callable[[], list[Tensor]]:
    """A function that gives the maps of every stage in the last forward pass."""
    latest: dict[str, Tensor] = {}
    for name in STAGES:

        def keep(module: nn.Module, inputs: Any, output: Tensor, name: str = name) -> None:
            squared = output.square().mean(dim=1).flatten(1)
            latest[name] = F.normalize(squared) * squared.shape[1] ** 0.5  # mean square 1

        getattr(network, name).register_forward_hook(keep)
    return lambda: [latest[name] for name in STAGES]


if __name__ == "__main__":
    main()
