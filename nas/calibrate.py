"""Calibrate: how far each cheap score agrees with full training, on the user's own space and photographs.

Agreement (results.agreement) is Kendall's tau over networks spread evenly over the costs; multiply-adds alone and
parameters alone stand beside the scores, and a score that ranks no better than they do is not recommended.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nas.scoring.full import INHERITED, SCRATCH
from nas.scoring.halving import rungs_of
from nas.scoring.short import score_by_training
from nas.scoring.supernet import SupernetSettings, have_supernet, open_supernet, score_by_supernet
from nas.suggest import derive_seed
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from nas.workers import Workers, as_finished
from results.agreement import Agreement, agreement
from results.files import fingerprint, held_in, read_json, save_network, write_json
from results.progress import Watcher
from results.spent import Spent
from search_spaces import reach
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype
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
        return agreement(name, column, truth, macs, parameters, seconds, settings.seed)

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
    trainings: list[tuple[list[str], Recipe, tuple[int, ...], int, str]] = [
        ([_full_name(number)], settings.full, (settings.full.steps,), number, "calibration")
        for number in range(settings.seeds)
    ]  # with seeds of their own: from the same first weights and patches a short training would agree too well
    trainings.insert(1, ([short_name(steps) for steps in rungs], settings.short, rungs, 0, "calibration, short"))
    columns: dict[str, Column] = {name: [None] * len(networks) for names, *_ in trainings for name in names}
    pieces = []
    for index, genotype in enumerate(networks):
        for names, recipe, stops, number, purpose in trainings:
            seed = derive_seed(settings.seed, _SEEDS_APART * number + index, purpose)
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
        part = replace(recipe, steps=steps - below)
        with Spent(path / "spent.json") as counted:
            quality: Quality = score_by_training(
                task, counted.after(on_step), blueprint, part, derive_seed(seed, rung, "rung"), path, start
            )
        if not kept.exists():
            write_json(kept, {"seconds": counted.seconds()})
        stored = read_json(kept)
        with held_in(kept):
            spent += float(stored["seconds"])
        figures.append((quality.ssim, spent))
        start, below = path / "network", steps
    return figures


def _key_of(genotype: Genotype, task: Task, recipe: Recipe, stops: Sequence[int], seed: int, start: Path | None) -> str:
    """A name for all that a training depends on: a calibration with other settings chooses other networks."""
    inputs: list[Any] = [genotype.to_json(), task.made_from, asdict(recipe), stops, seed]
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
