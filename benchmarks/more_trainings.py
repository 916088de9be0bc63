"""More trainings: the control of a published front is trained as often as the front is.

    python benchmarks/more_trainings.py results/published/denoise/front.json --data DIR --out runs/more [--bfloat16]

A search trains networks a second time where luck may order them, or as often as --least-seeds says. Each network of the
control that has fewer trainings than the most of them is trained again here, with the settings of the search, the steps
of its full trainings and the seeds that `lpienas search` would have taken. The control's means, front and hypervolumes
in the file are of all trainings then; its verdict stays, where it is of networks that had as many before. A training
that was cut off goes on, and none is made twice.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curves import one_thread, task_of
from nas.confirm import seed_of
from nas.scoring.full import train_fully
from nas.scoring.training import Training
from nas.task.evaluation import mean_quality
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from results.candidate import Candidate, Scores
from results.files import read_json, write_json
from results.front import ReferencePoint, hypervolume, pareto_front
from results.record import RunSettings
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype

_MEANS = ("ssim", "psnr", "test_ssim", "test_psnr")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("front", type=Path, help="front.json of a published front with a control: it is written anew")
    parser.add_argument("--data", required=True, help="folder of the photographs that it was searched on")
    parser.add_argument("--out", type=Path, default=Path("runs/more"))
    parser.add_argument("--bfloat16", action="store_true", help="train with bfloat16 arithmetic, judge without")
    options = parser.parse_args()
    published = read_json(options.front)
    control, steps = published["control"], published["full_trainings"][0]["steps"]
    settings = RunSettings.from_json(published["settings"] | {"data": options.data}, options.front)
    one_thread()
    task, store = task_of(TaskSettings.of_run(settings), options.bfloat16), Store(options.out)
    for stated in _of(control):
        number, made = str(stated["number"]), control["seeds"]
        for repetition in range(made[number], max(made.values())):
            blueprint = Blueprint.from_genotype(Genotype.from_json(stated["genotype"]))
            training = Training.on(task, blueprint, Recipe(steps), seed_of(settings.seed, int(number), repetition))
            quality, test = train_fully(task, lambda step, loss: None, training, store)
            tested = mean_quality(test)
            figures = dict(zip(_MEANS, (quality.ssim, quality.psnr, tested.ssim, tested.psnr), strict=True))
            print(f"candidate {number}, seed {repetition}: {figures}", flush=True)
            for name, value in figures.items():
                stated[name] += (value - stated[name]) / (repetition + 1)
            made[number] = repetition + 1
            control["cpu_seconds"] += store.record(training.key)["cpu_seconds"]
    write_json(options.front, published | {"control": ordered(control)})


def _of(control: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All networks of a control that were trained fully, but the reference."""
    return [*control["front"], *control["dominated"]]


def ordered(control: dict[str, Any]) -> dict[str, Any]:
    """A control whose front and hypervolumes are those of its networks' figures."""
    stated = {network["number"]: network for network in _of(control)}
    front = [stated[candidate.number] for candidate in pareto_front(map(_candidate, stated.values()))]
    dominated = [network for network in stated.values() if network not in front]
    corner, test = ReferencePoint(**control["reference_point"]), control["test"]
    above = ReferencePoint(test["input_ssim"], corner.cost)
    return control | {
        "front": front,
        "dominated": sorted(dominated, key=lambda network: float(network["cost"])),
        "hypervolume": hypervolume([_scores(network) for network in stated.values()], corner),
        "test": test | {"hypervolume": hypervolume([_scores(n, "test_ssim") for n in front], above)},
    }


def _candidate(network: Mapping[str, Any]) -> Candidate:
    return Candidate(network["number"], Genotype.from_json(network["genotype"]), _scores(network))


def _scores(network: Mapping[str, Any], ssim: str = "ssim") -> Scores:
    return Scores(network[ssim], network["psnr"], network["macs"], network["parameters"], network["cost"])


if __name__ == "__main__":
    main()
