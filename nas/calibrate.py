"""Calibrate: how far each cheap score agrees with full training, on the user's own space and photographs.

Agreement (results.agreement) is Kendall's tau over networks spread evenly over the costs; multiply-adds alone and
parameters alone stand beside the scores, and a score that ranks no better than they do is not recommended.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.scoring.halving import rungs_of
from nas.scoring.short import quality_of, score_by_training
from nas.scoring.supernet import SupernetSettings, SupernetTraining, have_supernet, open_supernet, score_by_supernet
from nas.scoring.training import INHERITED, SCRATCH, Training, begin, in_rungs
from nas.suggest import derive_seed
from nas.task.task import Task
from nas.task.training import Failed, Recipe
from nas.where.protocol import Workers, as_finished
from results.agreement import Agreement, Networks, agreement
from results.files import write_json
from results.progress import Watcher
from results.store import Store
from search_spaces import reach
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype
from search_spaces.lpienet import LPIENet
from search_spaces.space import Space

_POOL = 40  # genotypes drawn for each one that is kept
_SEEDS_APART = 1000  # more than there are networks
FULL = "full training"
MACS, PARAMETERS = "MACs alone", "parameters alone"
AGAIN = "full training, other seeds"  # one training against the mean of others, as a score stands against a mean


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
class Calibrating:
    """What is calibrated, and the folder that keeps it."""

    folder: Path
    space: Space
    task: Task
    settings: CalibrationSettings

    @property
    def store(self) -> Store:
        """Of all trainings, each resumable."""
        return Store(self.folder / "calibration")

    @property
    def supernet(self) -> SupernetTraining:
        return SupernetTraining(self.space, self.task, self.settings.supernet, self.settings.seed)


def calibrate(calibrating: Calibrating, workers: Workers, watcher: Watcher) -> dict[str, Any]:
    """Train networks fully, score them cheaply, and compare; returns what is also kept in `folder`/calibration.json.

    Every training is resumable and kept in `folder`/calibration. Raises Failed when the supernet fails; a network
    whose training fails is left out and named.
    """
    folder, settings = calibrating.folder, calibrating.settings
    networks = stratified(calibrating.space, settings)
    path = have_supernet(calibrating.supernet, folder / "supernet", watcher)
    scores = {"supernet": _supernet_scores(path, calibrating, networks)}
    starts: list[LPIENet | None] = [None] * len(networks)
    if settings.start == INHERITED:
        slices = open_supernet(path, calibrating.space)
        starts = [slices.network(_plan(genotype)) for genotype in networks]
    scores |= _trained_scores(calibrating, networks, starts, workers, watcher)
    scores |= {
        MACS: [(float(macs_of(_plan(g), settings.size)), 0.0) for g in networks],
        PARAMETERS: [(float(parameters_of(_plan(g))), 0.0) for g in networks],
    }
    usable = [i for i in range(len(networks)) if all(column[i] is not None for column in scores.values())]
    if len(usable) < 4:
        raise ValueError(f"only {len(usable)} of {len(networks)} networks could be trained; give more --full-steps")
    full = [scores.pop(_full_name(number)) for number in range(settings.seeds)]
    truth = _mean(full, usable)
    macs, parameters = (_values(scores[name], usable) for name in (MACS, PARAMETERS))

    def compared(name: str, column: list[float], truth: list[float], seconds: float) -> Agreement:
        return agreement(name, column, Networks(truth, macs, parameters), seconds, settings.seed)

    agreements = [
        compared(name, _values(column, usable), truth, _seconds(column, usable)) for name, column in scores.items()
    ]
    if settings.seeds > 1:
        once = _values(full[0], usable)
        agreements.append(compared(AGAIN, once, _mean(full[1:], usable), _seconds(full[0], usable)))
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


def advice(agreements: Sequence[Agreement], target: float) -> str:
    """The cheapest score that reaches the target and beats counting, or what comes closest and why it is not enough.

    Counting costs nothing, so a score has to rank better than MACs alone and parameters alone, with an interval of the
    difference that excludes 0.
    """
    counts = [one for one in agreements if one.name in (MACS, PARAMETERS)]
    scores = [one for one in agreements if one not in counts and one.name != AGAIN]
    enough = [one for one in scores if one.tau >= target and one.beats_counting]
    if enough:
        cheapest = min(enough, key=lambda one: one.seconds)
        return f"{cheapest.name}: tau {cheapest.tau:.2f} for {cheapest.seconds:.2g} processor seconds a candidate"
    nearest = max(scores, key=lambda one: one.tau)
    counted = max(counts, key=lambda one: one.tau)
    beside = f"the best is {nearest.name} with {nearest.tau:.2f}, beside {counted.name} with {counted.tau:.2f}"
    if all(one.tau < target for one in scores):
        return f"no score reaches tau {target:.2f}; {beside}"
    return f"no score that reaches tau {target:.2f} is above counting for certain; {beside}: calibrate more --networks"


def summary_line(result: dict[str, Any], score: str, steps: int) -> str:
    """What a front says of the score that it was made with, one of search.SCORES with the steps of its training."""
    name = score if score == "supernet" else short_name(steps)
    found = {one.name: one for one in map(Agreement.from_json, result["agreements"])}
    if name not in found:
        return f"calibration: {result['advice']}"
    one, counted = found[name], found.get(MACS)
    beside = "" if counted is None else f", beside {counted.tau:.2f} of {MACS}"
    return (
        f"calibrated: {name} against full training from {result.get('start', SCRATCH)}, Kendall tau {one.tau:.2f} "
        f"({one.low:.2f} to {one.high:.2f}) over {len(result['networks'])} networks{beside}"
    )


def short_name(steps: int) -> str:
    """The score that is a training of so many steps."""
    return f"short, {steps} steps"


Column = list[tuple[float, float] | None]  # score and processor seconds of each network; None: its training failed


def _supernet_scores(path: Path, calibrating: Calibrating, networks: Sequence[Genotype]) -> Column:
    column: Column = []
    for genotype in networks:
        began = time.process_time()
        quality = score_by_supernet(calibrating.task, lambda step, loss: None, path, calibrating.space, _plan(genotype))
        column.append((quality.ssim, time.process_time() - began))
    return column


def _trained_scores(
    calibrating: Calibrating,
    networks: Sequence[Genotype],
    starts: Sequence[LPIENet | None],
    workers: Workers,
    watcher: Watcher,
) -> dict[str, Column]:
    """Of the full trainings, from `starts`, and of every rung of the short ones, from scratch."""
    task, settings, store = calibrating.task, calibrating.settings, calibrating.store
    rungs = rungs_of(settings.short.steps)
    watcher.begin("training", len(networks) * (settings.seeds * settings.full.steps + rungs[-1]))
    kinds: list[tuple[list[str], Recipe, tuple[int, ...], int, str]] = [
        ([_full_name(number)], settings.full, (settings.full.steps,), number, "calibration")
        for number in range(settings.seeds)
    ]  # with seeds of their own: from the same first weights and patches a short training would agree too well
    kinds.insert(1, ([short_name(steps) for steps in rungs], settings.short, rungs, 0, "calibration, short"))
    columns: dict[str, Column] = {name: [None] * len(networks) for names, *_ in kinds for name in names}
    pieces = []
    for index, genotype in enumerate(networks):
        for names, recipe, stops, number, purpose in kinds:
            seed = derive_seed(settings.seed, _SEEDS_APART * number + index, purpose)
            first = None if recipe is settings.short else starts[index]
            trainings = in_rungs(Training.on(task, _plan(genotype), recipe, seed, first), stops)
            begin(store, trainings[0].scoring, first)
            pieces.append(((index, names), (trainings, store)))
    for (index, names), future in as_finished(workers, train_in_rungs, pieces, watcher.at):
        try:
            for name, figure in zip(names, future.result(), strict=True):
                columns[name][index] = figure
            watcher.say(f"network {index}, {names[-1]}: SSIM {future.result()[-1][0]:.4f}")
        except Failed as error:
            watcher.say(f"network {index} is left out: {error}")
    return columns


def train_in_rungs(
    task: Task, on_step: Callable[[int, float], None], trainings: Sequence[Training], store: Store
) -> list[tuple[float, float]]:
    """SSIM after each of `trainings`, one going on from the other, and the processor seconds up to it."""
    score_by_training(task, on_step, trainings, store)
    figures: list[tuple[float, float]] = []
    spent = 0.0
    for training in trainings:
        key = training.scoring.key
        spent += float(store.record(key)["cpu_seconds"])
        figures.append((quality_of(store, key).ssim, spent))
    return figures


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
