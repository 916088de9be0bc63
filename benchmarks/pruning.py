"""Pruning: what a network is worth after 15, 30 and 50 % of its multiply-adds went, by each way to choose what goes.

    python benchmarks/pruning.py --networks results/published/recipe/networks/adds --data DIR --out runs/pruning
    python benchmarks/pruning.py --networks ... --data DIR --out runs/pruning --steps 300 --shares 0.3

Ways: `rounds`, that of versions before 2026-11-26 (benchmarks/rounds.py); `magnitude`, the moves of `compress`, each
ranked by the mean square of the weights that read its channels, for each multiply-add; `taylor`, ranked by the Taylor
expansion alone; `zeros`, as `compress` chooses, with nothing in the place of what goes; `measured`, as `compress` does
it. `nothing` prunes nothing, and is the control of fine-tuning. Printed: SSIM and PSNR on the test photographs,
before and, with `--steps`, after fine-tuning with distillation; of `stretches`, which is `measured` with a fifth of
these steps after each tenth of the cost, after as many steps in all. Resumable.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.prune.cost import MACS
from compress.prune.distill import Teacher, distill
from compress.prune.groups import Group, blueprint_of, groups_of, shapes_of, shapes_without, without
from compress.prune.judge import Judge, Look
from compress.prune.prune import FEW, NEAR, Target, prune
from compress.prune.read import Read
from curves import described
from nas.suggest import derive_seed
from nas.task.degrade import make_noise
from nas.task.device import Device
from nas.task.evaluation import evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Course, Recipe
from results.files import load_network, read_json, save_network, write_json
from rounds import by_rounds
from search_spaces.lpienet import LPIENet

SHARES = (0.15, 0.3, 0.5)
WAYS = ("rounds", "magnitude", "taylor", "zeros", "measured", "stretches", "nothing")
CPU = torch.device("cpu")


class Zeros(Judge):
    """A judge after whom nothing stands in the place of what goes."""

    def look(self, network: torch.nn.Module) -> Look:
        seen = super().look(network)
        return Look({layer: Unmended(read.mean, read.covariance) for layer, read in seen.reads.items()}, seen.effects)


class Unmended(Read):
    """What a layer read, of which nothing is told by the rest."""

    def told(self, lost: Tensor, stays: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(lost), len(stays)), torch.zeros(len(lost))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, nargs="+", required=True)
    parser.add_argument("--data", help="folder of photographs; default: the samples")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:5])
    parser.add_argument("--steps", type=int, default=0, help="of fine-tuning; 0: none")
    parser.add_argument("--rate", type=float, help="peak learning rate of fine-tuning; default: the recipe's own")
    parser.add_argument("--seeds", type=int, default=1, help="of fine-tuning, and of the patches that rank")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = TaskSettings(options.data, noise=make_noise("blend"))
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))
    kept = options.out / "pruning.json"
    found: dict[str, Any] = read_json(kept) if kept.exists() else {}
    found["photographs"] = described(task) | {"test": [name for name, *_ in task.test]}
    for share in options.shares:
        for path in options.networks:
            name = (path.parent if path.name == "network" else path).name.split(",")[0]
            for way in options.ways:
                for seed in range(options.seeds):
                    key = f"{name} {share:g} {way} {seed}"
                    row = found.setdefault("rows", {}).setdefault(key, {"network": name, "share": share, "way": way})
                    _measure(row, load_network(path), task, options, seed)
                    write_json(kept, found)
                    print(f"{key}: {_said(row)}", flush=True)


def _measure(row: dict[str, Any], whole: LPIENet, task: Task, options: Any, seed: int) -> None:
    """Fill in what `row` does not have yet."""
    path = options.out / "networks" / f"{row['network']},{row['share']:g},{row['way']},{seed}"
    if "pruned" not in row:
        begun = time.process_time()
        network = _pruned(row, whole, task, options, seed)
        row["seconds"] = time.process_time() - begun
        row["macs"] = MACS.of(network.blueprint)
        row["kept"] = row["macs"] / MACS.of(whole.blueprint)
        row["pruned"] = evaluate(network, task.test, CPU).to_json()
        save_network(path, network)
    steps = options.steps
    told = f"after {steps} steps" + (f" at {options.rate:g}" if options.rate else "")
    if steps and told not in row:
        network = load_network(path)
        left = steps - row.get("steps before", 0)
        drawn, course = derive_seed(seed, 0, "fine-tuning"), Course(Recipe(left, options.rate), task.device)
        distill(network, Teacher(whole, 1.0), task, drawn, course)
        row[told] = evaluate(network.eval(), task.test, CPU).to_json()


def _pruned(row: dict[str, Any], whole: LPIENet, task: Task, options: Any, seed: int) -> LPIENet:
    way, target = row["way"], (1 - row["share"]) * MACS.of(whole.blueprint)
    judge = Judge.of(task, derive_seed(seed, 0, "pruning"))
    if way == "nothing":
        return whole
    if way == "rounds":
        return by_rounds(whole, 1 - row["share"], judge)
    if way in ("magnitude", "taylor"):
        return _ranked(whole, target, judge, way)
    if way == "zeros":
        judge = Zeros(judge.ranking, judge.watching, judge.loss)
    tuned: list[int] = []

    def fine_tune(network: LPIENet) -> None:
        steps = options.steps // 5
        tuned.append(steps)
        drawn, course = derive_seed(seed, len(tuned), "stretch"), Course(Recipe(steps, options.rate), task.device)
        distill(network, Teacher(whole, 1.0), task, drawn, course)

    done = prune(whole, Target(target), judge, fine_tune=fine_tune if way == "stretches" else None)
    row["way down"] = done.way.to_json()
    if tuned:
        row["steps before"] = sum(tuned)
    return done.network


def _ranked(network: LPIENet, target: float, judge: Judge, way: str) -> LPIENet:
    """`network` after moves of few channels that are ranked without being measured, the least for each MAC first."""
    whole = MACS.of(network.blueprint)
    while MACS.of(network.blueprint) > target:
        look, best = judge.look(network), None
        moves = list(_moves(network, look, way))
        fits = [move for move in moves if move[1] >= target - NEAR * whole]
        now = MACS.of(network.blueprint)
        best = min(fits or moves, key=lambda move: move[3] / (now - move[1]))
        network = without(network, best[0], best[2], look.reads)
    return network


def _moves(network: LPIENet, look: Look, way: str) -> Iterator[tuple[Group, float, list[int], float]]:
    """Group, MACs that are left, channels, and what they are said to be worth."""
    shapes = shapes_of(network)
    for group in groups_of(network):
        worth = look.worth(group) if way == "taylor" else _magnitude(network, group)
        order = worth.argsort(stable=True).tolist()
        for count in {min(FEW, max(1, group.channels // 4)), 1}:
            if count < group.channels:
                left = blueprint_of(shapes_without(shapes, group, count), network.blueprint)
                yield group, MACS.of(left), order[:count], float(worth[order[:count]].sum())


def _magnitude(network: LPIENet, group: Group) -> Tensor:
    """The mean square of the weights that read each channel of a group (C,), added up over its layers."""
    whole, state = torch.zeros(group.channels), network.state_dict()
    for layer, places in group.inputs:
        whole = whole + state[f"{layer}.weight"].square().mean(dim=(0, 2, 3))[torch.tensor(places)].sum(dim=1)
    return whole


def _said(row: dict[str, Any]) -> str:
    after = ", ".join(f"{name}: {value['ssim']:.4f}" for name, value in row.items() if name.startswith("after "))
    figures = f"SSIM {row['pruned']['ssim']:.4f}, PSNR {row['pruned']['psnr']:.2f} dB"
    return f"{row['macs'] / 1e6:.1f} MMACs, {1 - row['kept']:.1%} gone in {row['seconds']:.0f} s; {figures} {after}"


if __name__ == "__main__":
    main()
