"""Scores: how well each cheap score ranks the networks of a table (benchmarks/table.py) as their full training does.

    python benchmarks/scores.py --data ~/photographs --table results/published/table/table.json --out runs/scores \\
        --publish results/published/scores/scores.json

Scores: a supernet trained for --steps, its slices as they are and tuned (nas/scoring/tuned.py), and short trainings of
--short steps with seeds of their own, as they are and smoothed over all networks (nas/scoring/predictor.py); successive
halving up to --halving steps, where the score is that of the highest rung that a network reached; predictors that saw
the full trainings of the other networks of the table (leave one out), by genes and counts, with and without those
scores; beside them multiply-adds alone and parameters alone. The truth is the mean SSIM on the test photographs over a
network's full trainings. Resumable: the supernet, each training and each tuned slice's score are kept.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curves import claimed, first_weights, one_thread, task_of
from nas.scoring.halving import promotable, rungs_of
from nas.scoring.predictor import Features, features, fit, smoothed
from nas.scoring.short import score_by_training
from nas.scoring.supernet import (
    SupernetSettings,
    SupernetTraining,
    crops,
    have_supernet,
    open_supernet,
    score_by_supernet,
)
from nas.scoring.training import Training, in_rungs
from nas.scoring.tuned import TUNING, score_tuned
from nas.suggest import derive_seed
from nas.task.degrade import make_noise
from nas.task.evaluation import evaluate, in_batches
from nas.task.task import Task, TaskSettings
from nas.task.training import Course, Recipe, train
from results.agreement import Networks, agreement, scores_json
from results.files import read_json, write_json
from results.progress import Silent
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import BLOCKS, Genotype
from search_spaces.space import Space, default_space
from table import NETWORKS, drawn

_CEILING = 400_000_000  # MACs of the dearest network of a table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--table", type=Path, default=Path("results/published/table/table.json"))
    parser.add_argument("--out", type=Path, default=Path("runs/scores"))
    parser.add_argument("--steps", type=int, nargs="+", default=[1000], help="of the supernets (1000)")
    parser.add_argument("--crops", type=int, nargs="*", default=[], help="judge slices on so many crops too, beside 12")
    parser.add_argument("--short", type=int, nargs="*", default=[400, 1000], help="of short trainings (400 and 1000)")
    parser.add_argument("--halving", type=int, nargs="*", default=[], help="highest rungs of successive halving")
    parser.add_argument(
        "--train", type=Path, metavar="DIR", help="only train shortly what table.py drew in its --out DIR"
    )
    parser.add_argument("--block", choices=BLOCKS, help="only networks with this block, and a supernet of it alone")
    parser.add_argument("--publish", type=Path, metavar="FILE")
    options = parser.parse_args()
    one_thread()
    settings = TaskSettings(options.data, noise=make_noise("blend"))
    task = task_of(settings)
    if options.train is not None:
        for steps in options.short:
            for number, genotype in enumerate(drawn(options.train, NETWORKS)):
                _short(task, genotype, number, steps, options.out)
        return
    networks = _networks(read_json(options.table)["networks"])
    networks = [rows for rows in networks if options.block in (None, _genotype(rows).block)]
    genotypes = [_genotype(rows) for rows in networks]
    space = _space_of(genotypes)
    truth = [np.mean([row["test"]["ssim"] for row in rows]) for rows in networks]
    macs, parameters = ([rows[0][name] for rows in networks] for name in ("macs", "parameters"))
    counts = features(genotypes)
    scores: dict[str, tuple[Any, float]] = {}  # the default score is the first, that of --short's first
    for steps in options.short:
        found, seconds = _by_training(task, networks, steps, options.out)
        scores[f"training of {steps} steps, smoothed"] = smoothed(genotypes, found), seconds
        scores[f"training of {steps} steps"] = found, seconds
        both = np.column_stack((counts, found))
        scores[f"predictor with the training of {steps} steps"] = _left_out(both, truth), seconds
    for steps in options.steps:
        path = _supernet(task, space, steps, options.out)
        found, seconds = _by_supernet(task, space, genotypes, path)
        scores[f"supernet of {steps} steps, smoothed"] = smoothed(genotypes, found), seconds
        scores[f"supernet of {steps} steps"] = found, seconds
        for count in options.crops:
            more, its = _on_crops(task, space, genotypes, path, count)
            scores[f"supernet of {steps} steps, {count} crops"] = more, its
            scores[f"supernet of {steps} steps, {count} crops, smoothed"] = smoothed(genotypes, more), its
        tuned, its = _by_tuning(task, space, networks, path, options.out)
        scores[f"tuned slices of a supernet of {steps} steps"] = tuned, its
        scores[f"tuned slices of a supernet of {steps} steps, smoothed"] = smoothed(genotypes, tuned), its
        both = np.column_stack((counts, found))
        scores[f"predictor with the supernet of {steps} steps"] = _left_out(both, truth), seconds
    for steps in options.halving:
        scores[f"halving up to {steps} steps"] = _by_halving(task, networks, steps, options.out)
    scores["predictor of genes and counts"] = _left_out(counts, truth), 0.0
    scores |= {"multiply-adds alone": (macs, 0.0), "parameters alone": (parameters, 0.0)}
    known = Networks(truth, macs, parameters)
    agreements = [agreement(name, values, known, seconds) for name, (values, seconds) in scores.items()]
    for one in sorted(agreements, key=lambda one: -one.tau):
        above = (
            "" if one.above_macs is None else f", above MACs by {one.above_macs.value:+.2f} ({one.above_macs.low:+.2f})"
        )
        within = "" if one.within_bands is None else f", within bands {one.within_bands.value:.2f}"
        print(f"{one.name:44} tau {one.tau:.2f} ({one.low:.2f}, {one.high:.2f}){above}{within}, {one.seconds:.1f} s")
    if options.publish is not None:
        write_json(options.publish, scores_json(len(networks), agreements))


def _networks(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of each network with the fewest steps that it was trained for: its full trainings, one a seed."""
    least = min(row["steps"] for row in rows)
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["steps"] == least:
            groups.setdefault(row["number"], []).append(row)
    return list(groups.values())


def _genotype(rows: list[dict[str, Any]]) -> Genotype:
    return Genotype.from_json(rows[0]["genotype"])


def _space_of(genotypes: list[Genotype]) -> Space:
    """The default space with all blocks that the networks have: the default one had others when they were drawn."""
    blocks = ("mobilenet", *sorted({genotype.block for genotype in genotypes} - {"mobilenet"}))
    return Space({**default_space().choices, "block": blocks})


def _left_out(rows: Features, truth: Sequence[float]) -> list[float]:
    """What a predictor that saw the full trainings of all other networks says of each one."""
    found = []
    for place in range(len(truth)):
        others = [other for other in range(len(truth)) if other != place]
        found += fit(rows[others], [truth[other] for other in others]).predict(rows[[place]]).means
    return found


def _supernet(task: Task, space: Space, steps: int, out: Path) -> Path:
    settings = SupernetSettings(Recipe(steps), ceiling=_CEILING)
    return have_supernet(SupernetTraining(space, task, settings, 0), out, Silent())


def _by_supernet(task: Task, space: Space, genotypes: list[Genotype], path: Path) -> tuple[list[float], float]:
    begun = time.process_time()
    found = [
        score_by_supernet(task, lambda step, loss: None, path, space, Blueprint.from_genotype(genotype)).ssim
        for genotype in genotypes
    ]
    return found, (time.process_time() - begun) / len(genotypes)


def _on_crops(task: Task, space: Space, genotypes: list[Genotype], path: Path, count: int) -> tuple[list[float], float]:
    """As _by_supernet, on `count` crops."""
    supernet, pairs = open_supernet(path, space), in_batches(crops(task, count))
    begun, found = time.process_time(), []
    for genotype in genotypes:
        network = supernet.network(Blueprint.from_genotype(genotype)).eval()
        found.append(evaluate(network, pairs, task.device.torch, margin=0).ssim)
    return found, (time.process_time() - begun) / len(genotypes)


def _by_tuning(
    task: Task, space: Space, networks: list[list[dict[str, Any]]], path: Path, out: Path
) -> tuple[list[float], float]:
    rows = []
    for network in networks:
        kept = out / f"tuned-{path.stem}-{TUNING.steps}" / f"{network[0]['number']:03d}.json"
        if not kept.exists():
            begun, of = time.process_time(), Blueprint.from_genotype(Genotype.from_json(network[0]["genotype"]))
            ssim = score_tuned(task, lambda step, loss: None, path, (space, of), 0).ssim
            write_json(kept, {"ssim": ssim, "seconds": time.process_time() - begun})
        rows.append(read_json(kept))
    return [row["ssim"] for row in rows], float(np.mean([row["seconds"] for row in rows]))


def _by_training(task: Task, networks: list[list[dict[str, Any]]], steps: int, out: Path) -> tuple[list[float], float]:
    found = [_short(task, Genotype.from_json(rows[0]["genotype"]), rows[0]["number"], steps, out) for rows in networks]
    return [one["ssim"] for one in found], float(np.mean([one["seconds"] for one in found]))


def _by_halving(task: Task, networks: list[list[dict[str, Any]]], steps: int, out: Path) -> tuple[list[float], float]:
    """As a search scores all of them, once every network has been trained to a rung before any goes to the next."""
    store, rungs = Store(out / "halving"), rungs_of(steps)
    numbers = [rows[0]["number"] for rows in networks]
    costs = {rows[0]["number"]: rows[0]["macs"] for rows in networks}
    parts = {rows[0]["number"]: _parts(task, rows[0], rungs) for rows in networks}
    found: dict[int, float] = {}
    seconds, chosen = 0.0, numbers
    for rung in range(len(rungs)):
        reached = {}
        for number in chosen:
            part = parts[number][rung]
            reached[number] = score_by_training(task, lambda step, loss: None, parts[number][: rung + 1], store).ssim
            seconds += store.record(part.scoring.key)["cpu_seconds"]
        found |= reached
        chosen = promotable(reached, costs)
    return [found[number] for number in numbers], seconds / len(numbers)


def _parts(task: Task, row: dict[str, Any], rungs: Sequence[int]) -> tuple[Training, ...]:
    blueprint = Blueprint.from_genotype(Genotype.from_json(row["genotype"]))
    seed = derive_seed(0, row["number"], "halving of the table")
    return in_rungs(Training.on(task, blueprint, Recipe(rungs[-1]), seed), rungs)


def _short(task: Task, genotype: Genotype, number: int, steps: int, out: Path) -> dict[str, Any]:
    """A short training of a network of the table, with first weights and patches of its own; kept."""
    kept = out / f"short-{steps}" / f"{number:03d}.json"
    with claimed(kept.with_suffix("")) as mine:
        if mine and not kept.exists():
            begun, seed = time.process_time(), derive_seed(0, number, "short training of the table")
            network = first_weights(Blueprint.from_genotype(genotype), seed)
            train(network, task.batches(seed), task.loss, Course(Recipe(steps), task.device))
            crop = evaluate(network.eval(), in_batches(crops(task)), task.device.torch).ssim
            ssim = evaluate(network, task.validation, task.device.torch).ssim
            write_json(kept, {"ssim": ssim, "crops": crop, "seconds": time.process_time() - begun})
    return dict(read_json(kept)) if kept.exists() else {}


if __name__ == "__main__":
    main()
