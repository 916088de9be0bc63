"""Calibrate: how far each cheap score agrees with full training, on the user's own space and photographs.

Agreement is Kendall's tau over networks spread evenly over the costs, with bootstrap intervals; multiply-adds alone
and parameters alone stand beside the scores, since a score that ranks no better than they do is worth nothing.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap, kendalltau

from nas.confirm import INHERITED, SCRATCH
from nas.scoring.halving import rungs_of
from nas.scoring.short import score_by_training
from nas.scoring.supernet import SupernetSettings, have_supernet, open_supernet, score_by_supernet
from nas.suggest import derive_seed
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from nas.workers import Workers, as_finished
from results.files import fingerprint, read_json, save_network, write_json
from results.progress import Watcher
from search_spaces import reach
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype
from search_spaces.space import Space

_POOL = 40  # genotypes drawn for each one that is kept
_RESAMPLES = 2000
_SEEDS_APART = 1000  # more than there are networks
FULL = "full training"
AGAIN = "full training, other seeds"  # how well it ranks as itself: no score can be asked for more


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """What a calibration may spend."""

    full: Recipe
    short: Recipe  # its rungs are compared
    supernet: SupernetSettings
    networks: int = 12
    seeds: int = 1  # full trainings of each network; scores are compared with their mean
    budget: int | None = None  # MACs at `size`; networks above it are not of interest
    size: tuple[int, int] = (256, 256)
    target: float = 0.7  # tau that a score has to reach to be recommended
    seed: int = 0
    start: str = SCRATCH  # first weights of a full training: SCRATCH, or INHERITED from the supernet

    def __post_init__(self) -> None:
        if self.networks < 4:
            raise ValueError(f"networks = {self.networks}: a rank correlation needs at least 4, better 12")
        if self.seeds < 1:
            raise ValueError(f"seeds = {self.seeds}: must be at least 1")
        if not 0 < self.target <= 1:
            raise ValueError(f"target = {self.target}: must be a Kendall tau above 0, at most 1")
        if self.start not in (SCRATCH, INHERITED):
            raise ValueError(f"start = {self.start!r}: must be {SCRATCH!r} or {INHERITED!r}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well one score ranks the networks as full training does."""

    score: str
    tau: float  # Kendall's tau-b; 1: the same order, 0: none
    low: float  # of the 95 % bootstrap interval
    high: float
    seconds: float  # processor seconds a candidate, the supernet's own training not in it

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(
    folder: Path, space: Space, task: Task, settings: CalibrationSettings, workers: Workers, watcher: Watcher
) -> dict[str, Any]:
    """Train networks fully, score them cheaply, and compare; returns what is also kept in `folder`/calibration.json.

    Every training is resumable and kept in `folder`/calibration. Raises Diverged when the supernet fails; a network
    whose training fails is left out and named.
    """
    networks = stratified(space, settings)
    path = have_supernet(space, task, settings.supernet, settings.seed, folder / "supernet", watcher)
    scores = {"supernet": _supernet_scores(path, space, task, networks)}
    starts: list[Path | None] = [None] * len(networks)
    if settings.start == INHERITED:
        starts = _write_starts(folder / "calibration", path, space, networks)
    scores |= _trained_scores(folder / "calibration", task, settings, networks, starts, workers, watcher)
    scores |= {
        "MACs alone": [(float(macs_of(_plan(g), settings.size)), 0.0) for g in networks],
        "parameters alone": [(float(parameters_of(_plan(g))), 0.0) for g in networks],
    }
    usable = [i for i in range(len(networks)) if all(column[i] is not None for column in scores.values())]
    if len(usable) < 4:
        raise ValueError(f"only {len(usable)} of {len(networks)} networks could be trained; give more --full-steps")
    full = [scores.pop(_full_name(number)) for number in range(settings.seeds)]
    truth = _mean(full, usable)
    agreements = [
        agreement(name, _values(column, usable), truth, _seconds(column, usable), settings.seed)
        for name, column in scores.items()
    ]
    if settings.seeds > 1:
        seconds = sum(_seconds(column, usable) for column in full[1:])
        agreements.append(agreement(AGAIN, _mean(full[1:], usable), _values(full[0], usable), seconds, settings.seed))
    advised = advice(agreements, settings.target)
    result = {
        "agreements": [one.to_json() for one in agreements],
        "advice": advised,
        "target": settings.target,
        "full_steps": settings.full.steps,
        "start": settings.start,
        "seeds": settings.seeds,
        "supernet_steps": settings.supernet.recipe.steps,
        "networks": [
            {"genotype": networks[i].to_json()}
            | {name: _value(column, i) for name, column in scores.items()}
            | {FULL: truth[place], f"{FULL}, each seed": [_value(column, i) for column in full]}
            for place, i in enumerate(usable)
        ],
        "left_out": [networks[i].to_json() for i in range(len(networks)) if i not in usable],
    }
    write_json(folder / "calibration.json", result)
    return result


def stratified(space: Space, settings: CalibrationSettings) -> list[Genotype]:
    """Different random genotypes within the budget, their MACs spread evenly in decades."""
    drawn = random.Random(derive_seed(settings.seed, 0, "calibration networks"))
    pool: dict[Genotype, float] = {}
    for _ in range(_POOL * settings.networks):
        genotype = reach.draw_within(space, drawn, settings.budget, settings.size)
        macs = macs_of(_plan(genotype), settings.size)
        if settings.budget is None or macs <= settings.budget:
            pool[genotype] = math.log(macs)
    if len(pool) < settings.networks:
        raise ValueError(f"only {len(pool)} networks were found within the budget; raise --budget")
    low, high = min(pool.values()), max(pool.values())
    chosen: list[Genotype] = []
    for place in range(settings.networks):
        wanted = low + (high - low) * place / (settings.networks - 1)
        nearest = min((g for g in pool if g not in chosen), key=lambda g: abs(pool[g] - wanted))
        chosen.append(nearest)
    return chosen


def agreement(name: str, score: Sequence[float], truth: Sequence[float], seconds: float, seed: int) -> Agreement:
    """Kendall's tau between two columns with its bootstrap interval; NaN resamples, where all are equal, are left out.

    A score that is the same for all networks ranks none of them: 0.
    """
    if len(set(score)) == 1 or len(set(truth)) == 1:
        return Agreement(name, 0.0, 0.0, 0.0, seconds)

    def tau(one: Any, other: Any) -> float:
        return float(kendalltau(one, other).statistic)

    resampled = bootstrap(
        (np.array(score), np.array(truth)),
        tau,
        n_resamples=_RESAMPLES,
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).bootstrap_distribution
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return Agreement(name, tau(score, truth), float(low), float(high), seconds)


def advice(agreements: Sequence[Agreement], target: float) -> str:
    """The cheapest score that reaches the target, or what comes closest."""
    scores = [one for one in agreements if not one.score.endswith("alone") and one.score != AGAIN]
    enough = [one for one in scores if one.tau >= target]
    if enough:
        cheapest = min(enough, key=lambda one: one.seconds)
        return f"{cheapest.score}: tau {cheapest.tau:.2f} for {cheapest.seconds:.2g} processor seconds a candidate"
    nearest = max(scores, key=lambda one: one.tau)
    return f"no score reaches tau {target:.2f}; the best is {nearest.score} with {nearest.tau:.2f}"


def summary_line(result: dict[str, Any], score: str, steps: int) -> str:
    """What a front says of the score that it was made with, one of search.SCORES with the steps of its training."""
    name = score if score == "supernet" else short_name(steps)
    for one in result["agreements"]:
        if one["score"] == name:
            return (
                f"calibrated: {one['score']} against full training from {result.get('start', SCRATCH)}, Kendall tau "
                f"{one['tau']:.2f} "
                f"({one['low']:.2f} to {one['high']:.2f}) over {len(result['networks'])} networks"
            )
    return f"calibration: {result['advice']}"


def short_name(steps: int) -> str:
    """The score that is a training of so many steps."""
    return f"short, {steps} steps"


Column = list[tuple[float, float] | None]  # score and processor seconds of each network; None: its training failed


def _supernet_scores(path: Path, space: Space, task: Task, networks: Sequence[Genotype]) -> Column:
    column: Column = []
    for genotype in networks:
        began = time.process_time()
        quality = score_by_supernet(task, lambda step, loss: None, path, space, _plan(genotype))
        column.append((quality.ssim, time.process_time() - began))
    return column


def _write_starts(folder: Path, supernet: Path, space: Space, networks: Sequence[Genotype]) -> list[Path | None]:
    """The slice of the supernet of every network, written for the workers to read."""
    slices = open_supernet(supernet, space)
    paths: list[Path | None] = []
    for genotype in networks:
        path = folder / "starts" / fingerprint([supernet.name, genotype.to_json()])
        save_network(path, slices.network(_plan(genotype)))
        paths.append(path)
    return paths


def _trained_scores(
    folder: Path,
    task: Task,
    settings: CalibrationSettings,
    networks: Sequence[Genotype],
    starts: Sequence[Path | None],
    workers: Workers,
    watcher: Watcher,
) -> dict[str, Column]:
    """Of the full trainings, from `starts`, and of every rung of the short ones, from scratch."""
    rungs = rungs_of(settings.short.steps)
    watcher.begin("training", len(networks) * (settings.seeds * settings.full.steps + rungs[-1]))
    trainings: list[tuple[list[str], Recipe, tuple[int, ...], int]] = [
        ([_full_name(number)], settings.full, (settings.full.steps,), number) for number in range(settings.seeds)
    ]
    trainings.insert(1, ([short_name(steps) for steps in rungs], settings.short, rungs, 0))
    columns: dict[str, Column] = {name: [None] * len(networks) for names, *_ in trainings for name in names}
    pieces = []
    for index, genotype in enumerate(networks):
        for names, recipe, stops, number in trainings:
            seed = derive_seed(settings.seed, _SEEDS_APART * number + index, "calibration")
            start = None if recipe is settings.short else starts[index]
            path = folder / f"{index:03d}-{recipe.steps}-{_key_of(genotype, task, recipe, stops, seed, start)}"
            pieces.append(((index, names), (_plan(genotype), recipe, stops, seed, path, start)))
    for (index, names), future in as_finished(workers, train_in_rungs, pieces, watcher.at):
        try:
            for name, figure in zip(names, future.result(), strict=True):
                columns[name][index] = figure
            watcher.say(f"network {index}, {names[-1]}: SSIM {future.result()[-1][0]:.4f}")
        except Diverged as error:
            watcher.say(f"network {index} is left out: {error}")
    return columns


def train_in_rungs(
    task: Task,
    on_step: Callable[[int, float], None],
    blueprint: Blueprint,
    recipe: Recipe,
    rungs: Sequence[int],
    seed: int,
    folder: Path,
    start: Path | None = None,
) -> list[tuple[float, float]]:
    """SSIM at each rung and the processor seconds up to it, each rung a warm restart of the one below.

    `start` is a network's path without suffix, whose weights the first rung begins with.
    """
    figures: list[tuple[float, float]] = []
    spent, below = 0.0, 0
    for rung, steps in enumerate(rungs):
        path = folder / f"rung-{rung}"
        kept = path / "seconds.json"
        began = time.process_time()
        part = replace(recipe, steps=steps - below)
        quality: Quality = score_by_training(
            task, on_step, blueprint, part, derive_seed(seed, rung, "rung"), path, start
        )
        if not kept.exists():
            write_json(kept, {"seconds": time.process_time() - began})
        spent += float(read_json(kept)["seconds"])
        figures.append((quality.ssim, spent))
        start, below = path / "network", steps
    return figures


def _key_of(genotype: Genotype, task: Task, recipe: Recipe, stops: Sequence[int], seed: int, start: Path | None) -> str:
    """A name for all that a training depends on: a calibration with other settings chooses other networks."""
    inputs: list[Any] = [genotype.to_json(), task.settings.to_json(), asdict(recipe), stops, seed]
    return fingerprint(inputs if start is None else [*inputs, start.name])


def _plan(genotype: Genotype) -> Blueprint:
    return Blueprint.from_genotype(genotype)


def _full_name(number: int) -> str:
    return f"{FULL}, seed {number}"


def _value(column: Column, index: int) -> float:
    figure = column[index]
    assert figure is not None
    return figure[0]


def _values(column: Column, usable: Sequence[int]) -> list[float]:
    return [_value(column, index) for index in usable]


def _mean(columns: Sequence[Column], usable: Sequence[int]) -> list[float]:
    return [sum(_value(column, index) for column in columns) / len(columns) for index in usable]


def _seconds(column: Column, usable: Sequence[int]) -> float:
    figures = [column[index] for index in usable]
    return sum(figure[1] for figure in figures if figure is not None) / len(usable)
