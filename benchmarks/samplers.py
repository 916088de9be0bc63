"""Samplers: which one finds the best networks under each ceiling of cost in how many trials, over many seeds.

    python benchmarks/samplers.py --run runs/night --seeds 5    # of the scores of a search
    python benchmarks/samplers.py --table results/published/table/table.json --publish FILE

Thousands of trainings cannot be had, so the truth is made of those that were: a ridge over every gene (each value of
each stage a column of its own) beside the logarithms of multiply-adds and parameters, fitted to the scores of a search
or to the full trainings of benchmarks/table.py. It is not the guided sampler's own predictor, which sees no single
gene. A sampler is told that truth with the scatter that the fit leaves. Printed is the best truth under each ceiling
and the hypervolume below the budget, mean and standard deviation of the seeds; how much of the scores the ridge
explains (leave one out) says how far to trust any of it.
"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import optuna
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from nas.guided import Region
from nas.propose import Proposals
from nas.samplers import SAMPLERS
from results.candidate import Scores
from results.files import read_json, write_json
from results.front import ReferencePoint, hypervolume
from results.run import Run
from results.study import candidates, open_study
from results.trials import attributes_of
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype
from search_spaces.own import require_lpienet
from search_spaces.space import Space, default_space

CEILINGS = (100e6, 200e6, 400e6, 600e6)  # MACs; the last is the budget
_REJECTED = 200  # proposals in a row, after which a search ends as lpienas search does


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", type=Path, help="run folder of a search")
    source.add_argument("--table", type=Path, help="JSON of benchmarks/table.py")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=48)
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=SAMPLERS)
    parser.add_argument("--publish", type=Path, metavar="FILE")
    options = parser.parse_args()
    truth = Truth.fitted(*(_of_run(options.run) if options.table is None else _of_table(options.table)))
    print(
        f"{truth.count} networks; the ridge explains {truth.explained:.0%} of the variance of a score it has not seen "
        f"and leaves {truth.scatter:.4f} SSIM; {options.trials} trials, {options.seeds} seeds"
    )
    found: dict[str, Any] = {}
    for name in options.samplers:
        begun = time.process_time()
        runs = [_searched(truth, name, seed, options.trials) for seed in range(options.seeds)]
        seconds = (time.process_time() - begun) / (options.seeds * options.trials)
        found[name] = {f"{ceiling / 1e6:.0f}M": [_best(run, ceiling) for run in runs] for ceiling in CEILINGS}
        corner = ReferencePoint(truth.worst, CEILINGS[-1])
        found[name]["hypervolume"] = [hypervolume(run, corner) for run in runs]
        cells = ", ".join(f"{at} {fmean(values):.4f} +- {_spread(values):.4f}" for at, values in found[name].items())
        print(f"{name:7} {cells}; {seconds:.2f} s a trial", flush=True)
        found[name]["seconds"] = seconds
    if options.publish is not None:
        about = {"networks": truth.count, "explained": truth.explained, "scatter": truth.scatter}
        write_json(options.publish, about | {"trials": options.trials, "samplers": found})


@dataclass(frozen=True, slots=True)
class Truth:
    """What a network is worth, by a ridge over its genes."""

    space: Space
    ridge: RidgeCV
    count: int  # networks that it was fitted to
    explained: float  # share of the variance of scores that it has not seen
    scatter: float  # standard deviation of what is left
    worst: float  # the lowest score that it was fitted to

    @classmethod
    def fitted(cls, genotypes: Sequence[Genotype], scores: Sequence[float]) -> "Truth":
        space = default_space()
        rows, values = np.array([_columns(space, genotype) for genotype in genotypes]), np.asarray(scores)
        ridge = RidgeCV(alphas=np.logspace(-1, 3, 13))
        left = values - cross_val_predict(ridge, rows, values, cv=LeaveOneOut())
        explained = 1 - float(np.mean(left**2) / np.var(values))
        return cls(space, ridge.fit(rows, values), len(values), explained, float(left.std()), float(values.min()))

    def of(self, genotype: Genotype) -> float:
        return float(self.ridge.predict([_columns(self.space, genotype)])[0])


def _columns(space: Space, genotype: Genotype) -> list[float]:
    """Cost and size in decades, and of every gene that counts one column a value."""
    blueprint, genes = Blueprint.from_genotype(genotype), genotype.flat()
    counting = frozenset(genotype.counting())
    of_genes = [
        float(gene in counting and genes[gene] == value)
        for gene, values in space.choices.items()
        for value in values
        if len(values) > 1
    ]
    # Scaled up, so that the ridge holds them back less than single genes: cost decides most.
    return [3 * math.log(macs_of(blueprint, DEFAULT_SIZE)), 3 * math.log(parameters_of(blueprint)), *of_genes]


def _of_run(folder: Path) -> tuple[list[Genotype], list[float]]:
    found = candidates(open_study(Run(folder).study).get_trials(deepcopy=False))
    return [require_lpienet(one.genotype) for one in found], [one.scores.ssim for one in found]


def _of_table(file: Path) -> tuple[list[Genotype], list[float]]:
    """Mean SSIM on the test photographs of the trainings of the least length, one each network."""
    rows = read_json(file)["networks"]
    least, of_number = min(row["steps"] for row in rows), dict[int, list[dict[str, Any]]]()
    for row in rows:
        if row["steps"] == least:
            of_number.setdefault(row["number"], []).append(row)
    genotypes = [Genotype.from_json(alike[0]["genotype"]) for alike in of_number.values()]
    return genotypes, [fmean(row["test"]["ssim"] for row in alike) for alike in of_number.values()]


def _searched(truth: Truth, sampler: str, seed: int, trials: int) -> list[Scores]:
    """What a search of `trials` scored within the budget, with their true worth."""
    budget, luck = CEILINGS[-1], random.Random(seed)
    study = optuna.create_study(directions=["maximize", "minimize"])
    first = truth.space.hand_made()  # without the reference, which is over the budget
    proposals = Proposals(study, Region(truth.space, budget), sampler, seed, first)
    found: list[Scores] = []
    rejected = 0
    while len(found) < trials and rejected < _REJECTED:
        proposal = proposals.ask()
        genotype = require_lpienet(proposal.genotype)
        blueprint = Blueprint.from_genotype(genotype)
        macs, parameters = macs_of(blueprint, DEFAULT_SIZE), parameters_of(blueprint)
        proposals.frozen(proposal, attributes_of(genotype, macs, parameters, macs), macs / budget - 1)
        if macs > budget or proposals.earlier(genotype) is not None:
            proposals.reject(proposal)
            rejected += 1
            continue
        proposals.accept(proposal)
        worth, rejected = truth.of(genotype), 0
        proposals.tell(proposal.number, [worth + luck.gauss(0, truth.scatter), math.log10(macs)])
        found.append(Scores(worth, 0.0, macs, parameters))
    return found


def _best(found: Sequence[Scores], ceiling: float) -> float:
    return max((one.ssim for one in found if one.macs <= ceiling), default=math.nan)


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
