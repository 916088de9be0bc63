"""Confirm: train candidates of a search fully along its cost axis, so that its front stays one after full training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna

from nas.scoring.full import ANATOMY, train_fully
from nas.suggest import derive_seed
from nas.task.evaluation import mean_quality
from nas.task.training import Diverged, Recipe
from nas.workers import Workers, as_finished
from results.candidate import Candidate
from results.files import read_json, save_network
from results.front import along_cost
from results.progress import Watcher
from results.report import by_number, seed_noise
from results.run import Run
from results.study import (
    Training,
    candidates,
    full_trainings,
    open_study,
    record_training,
    reference_of,
    reference_point,
    state_full,
)
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype
from search_spaces.lpienet import LPIENet

SCRATCH, INHERITED = "scratch", "inherited weights"

Network = Callable[[Genotype], LPIENet]


@dataclass(frozen=True, slots=True)
class ConfirmSettings:
    """What full training may spend."""

    recipe: Recipe
    count: int = 5  # candidates, beside the reference
    seeds: int = 2  # trainings, at most, of candidates closer to a neighbour than twice the seed noise
    least: int = 1  # trainings of every candidate
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count = {self.count}: must be at least 1")
        if not 1 <= self.least <= self.seeds:
            raise ValueError(f"least = {self.least}, seeds = {self.seeds}: must be 1 <= least <= seeds")


def confirm(
    run: Run, settings: ConfirmSettings, workers: Workers, watcher: Watcher, inherited: Network | None = None
) -> None:
    """Train candidates of all costs and the reference fully, and record what each came to.

    The cheapest, and the best of each step of cost up to the dearest (`along_cost`).

    The reference is trained with every seed, which gives the seed noise; candidates whose SSIM is closer to that of a
    neighbour on the cost axis than twice the noise are trained again. What is recorded already is kept, and a training
    that was cut off continues from its checkpoint. Candidates start from the weights of `inherited(genotype)` where it
    is given, the reference always from scratch.
    """
    study = open_study(run.study)
    trials = study.get_trials(deepcopy=False)
    reference = reference_of(trials)
    plan = _Plan(run, study, settings, reference.number, inherited)
    state_full(study, settings.recipe.steps, plan.start)
    others = [candidate for candidate in candidates(trials) if candidate.number != reference.number]
    chosen = [*along_cost(others, settings.count, reference_point(study).ssim), reference]
    wanted = [(candidate, seed) for seed in range(settings.least) for candidate in chosen]
    wanted += [(reference, seed) for seed in range(settings.least, settings.seeds)]
    _train(plan, wanted, workers, watcher)
    for seed in range(settings.least, settings.seeds):
        close = too_close(chosen, full_trainings(study))
        again = [(candidate, seed) for candidate in chosen if candidate.number in close]
        _train(plan, again, workers, watcher)


def too_close(chosen: Sequence[Candidate], trained: Sequence[Training]) -> set[int]:
    """Numbers of candidates whose mean SSIM is within twice the seed noise of their neighbour's in cost."""
    noise = seed_noise(trained)
    if noise is None:
        return set()
    means = {n: sum(t.ssim for t in repeated) / len(repeated) for n, repeated in by_number(trained).items()}
    ordered = sorted((c for c in chosen if c.number in means), key=lambda c: c.scores.cost)
    close: set[int] = set()
    for one, other in pairwise(ordered):
        if abs(means[one.number] - means[other.number]) < 2 * noise:
            close |= {one.number, other.number}
    return close


def folder_of(run: Run, number: int, steps: int, start: str, seed: int) -> Path:
    """Where one full training is kept; `network` in it is the trained network."""
    return run.candidate(number) / f"{'full' if start == SCRATCH else 'inherited'}-{steps}-{seed}"


def anatomies(run: Run, study: optuna.Study) -> dict[int, list[dict[str, Any]]]:
    """What stands beside the full trainings that judge the front, by candidate, as nas.scoring.full keeps it.

    Trainings of earlier versions have none.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    for training in full_trainings(study):
        path = folder_of(run, training.number, training.steps, training.start, training.seed) / ANATOMY
        if path.exists():
            found.setdefault(training.number, []).append(read_json(path))
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all full trainings of one call share."""

    run: Run
    study: optuna.Study
    settings: ConfirmSettings
    reference: int  # number of its trial
    inherited: Network | None

    @property
    def start(self) -> str:
        return SCRATCH if self.inherited is None else INHERITED

    def start_of(self, number: int) -> str:
        return SCRATCH if number == self.reference else self.start

    def arguments(self, candidate: Candidate, seed: int) -> tuple[object, ...]:
        """What train_fully needs; the inherited network is written for the worker to read."""
        number, settings, first = candidate.number, self.settings, None
        folder = folder_of(self.run, number, settings.recipe.steps, self.start_of(number), seed)
        if self.inherited is not None and self.start_of(number) == INHERITED:
            first = folder / "start"
            save_network(first, self.inherited(candidate.genotype))
        own = derive_seed(settings.seed, 1000 * number + seed, "full training")
        return Blueprint.from_genotype(candidate.genotype), settings.recipe, own, folder, first


def _train(plan: _Plan, wanted: Sequence[tuple[Candidate, int]], workers: Workers, watcher: Watcher) -> None:
    steps = plan.settings.recipe.steps
    done = {(training.number, training.seed) for training in full_trainings(plan.study)}
    left = [(candidate, seed) for candidate, seed in wanted if (candidate.number, seed) not in done]
    if not left:
        return
    watcher.begin("full training", len(left) * steps)
    pieces = (((candidate.number, seed), plan.arguments(candidate, seed)) for candidate, seed in left)
    for (number, seed), future in as_finished(workers, train_fully, pieces, watcher.at):
        try:
            quality, test = future.result()
        except Diverged as error:
            watcher.say(f"candidate {number}, seed {seed}, failed: {error}")
            continue
        start = plan.start_of(number)
        record_training(plan.study, Training(number, "full", steps, seed, start, quality.ssim, quality.psnr, test))
        reached = mean_quality(test)
        said = f"SSIM {reached.ssim:.4f}, PSNR {reached.psnr:.2f} dB on the test photographs"
        watcher.say(f"candidate {number}, seed {seed}: {said}")
