"""Samplers: which one finds the best front of a slice of the space in how many trials, over many seeds.

    python benchmarks/samplers.py table --supernet-run runs/night    # score every network of the slice once
    python benchmarks/samplers.py run --seeds 10 --trials 60         # let every sampler search the table

The table (benchmarks/samplers-table.json) holds the supernet's SSIM and the multiply-adds of all networks of a slice:
the genes in SLICE vary, the others stay as in BASE. The figure is the hypervolume of what was found over that of the
whole table, without any budget; 1 is all that there is to find.
"""

import argparse
import json
import math
import time
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

import optuna

from nas.propose import Proposals
from nas.scoring.supernet import SupernetSettings, score_by_supernet, supernet_path
from nas.search import space_of
from nas.suggest import SAMPLERS
from nas.task.device import Device
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.training import Recipe
from results.candidate import Scores
from results.front import ReferencePoint, hypervolume
from results.run import Run
from results.study import attributes_of
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Gene, Genotype
from search_spaces.space import Space, default_space
from search_spaces.units import parse_macs

TABLE = Path(__file__).with_name("samplers-table.json")
SIZE = (256, 256)
SLICE: dict[str, tuple[Gene, ...]] = {
    "encoder1.width": (4, 8, 12, 16),
    "encoder1.depth": (1, 2, 3),
    "encoder1.expansion": (0.5, 1.0),
    "encoder1.attention": ("none", "both"),
    "encoder2.width": (8, 16, 24),
    "encoder3.expansion": (0.5, 1.0),
}
BASE: dict[str, Gene] = {
    "depth": 1, "width": 8, "expansion": 1.0, "attention": "none",
    "block": "released", "activation": "elu", "stem": "full", "head": "conv3x3",
}  # fmt: skip
CHECKPOINTS = (20, 40, 60, 100, 200)  # trials after which the hypervolume is taken


def space() -> Space:
    """The slice as a space: one choice for every gene that does not vary."""
    choices: dict[str, tuple[Gene, ...]] = {}
    for gene, values in default_space().choices.items():
        fixed = BASE[gene.split(".")[-1]] if "." in gene else BASE[gene]
        choices[gene] = SLICE.get(
            gene, (16,) if gene == "decoder1.width" else (fixed,) if fixed in values else values[:1]
        )
    return Space(choices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    table = parts.add_parser("table", help="score the slice by the supernet of a run folder")
    table.add_argument("--supernet-run", type=Path, required=True)
    table.set_defaults(part=_make_table)
    run = parts.add_parser("run", help="compare the samplers on the table")
    run.add_argument("--seeds", type=int, default=10)
    run.add_argument("--trials", type=int, default=60)
    run.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    run.add_argument("--json", type=Path)
    run.set_defaults(part=_compare)
    options = parser.parse_args()
    options.part(options)


def _make_table(options: argparse.Namespace) -> None:
    run = Run(options.supernet_run)
    made_with = run.settings()
    settings = TaskSettings.of_run(made_with)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))
    budget = None if made_with["budget"] is None else parse_macs(made_with["budget"])
    trained = space_of({"fix": []} | made_with)
    supernet = SupernetSettings.under(Recipe(made_with["steps"]), budget, tuple(made_with["size"]))
    path = supernet_path(trained, task, supernet, made_with["seed"], run.supernet)
    rows, begun = [], time.perf_counter()
    for genotype in _all():
        blueprint = Blueprint.from_genotype(genotype)
        quality = score_by_supernet(task, lambda step, loss: None, path, trained, blueprint)
        rows.append({"genotype": genotype.to_json(), "ssim": quality.ssim, "macs": macs_of(blueprint, SIZE)})
    seconds = time.perf_counter() - begun
    TABLE.write_text(json.dumps({"input_ssim": task.input.ssim, "networks": rows}, indent=1))
    print(f"{len(rows)} networks scored in {seconds:.0f} s: {60 * len(rows) / seconds:.0f} a minute in one thread")


def _all() -> list[Genotype]:
    choices = space().choices
    return [Genotype.from_flat(dict(zip(choices, values, strict=True))) for values in product(*choices.values())]


def _compare(options: argparse.Namespace) -> None:
    stored = json.loads(TABLE.read_text())
    table = {
        Genotype.from_json(row["genotype"]): Scores(row["ssim"], 0.0, row["macs"], 1) for row in stored["networks"]
    }
    corner = ReferencePoint(stored["input_ssim"], 1.01 * max(scores.macs for scores in table.values()))
    whole = hypervolume(table.values(), corner)
    marks = [mark for mark in CHECKPOINTS if mark <= options.trials]
    found: dict[str, dict[str, list[float]]] = {}
    print(
        f"{len(table)} networks; share of the whole hypervolume, mean and standard deviation of {options.seeds} seeds"
    )
    for name in options.samplers:
        begun = time.process_time()
        runs = [_search(name, seed, options.trials, table) for seed in range(options.seeds)]
        seconds = (time.process_time() - begun) / (options.seeds * options.trials)
        found[name] = {str(n): [hypervolume(run[:n], corner) / whole for run in runs] for n in marks}
        cells = ", ".join(f"{n}: {fmean(shares):.4f} +- {stdev(shares):.4f}" for n, shares in found[name].items())
        print(f"{name:7} {cells}; {1000 * seconds:.0f} ms a proposal", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def _search(name: str, seed: int, trials: int, table: dict[Genotype, Scores]) -> list[Scores]:
    """Scores in the order in which a sampler found them; a known genotype is proposed again at no cost."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals(study, space(), name, seed, [])
    found: list[Scores] = []
    while len(found) < trials and len(proposals) < 20 * trials:
        proposal = proposals.ask()
        blueprint = Blueprint.from_genotype(proposal.genotype)
        cost = macs_of(blueprint, SIZE)
        proposals.frozen(proposal, attributes_of(proposal.genotype, cost, parameters_of(blueprint), cost), None)
        if proposals.earlier(proposal.genotype) is not None:
            proposals.reject(proposal)
            continue
        proposals.accept(proposal)
        scores = table[proposal.genotype]
        proposals.tell(proposal.number, [scores.ssim, math.log10(scores.cost)])
        found.append(scores)
    return found


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
