"""Confirm: train candidates of a search fully along its cost axis, so that its front stays one after full training."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna

from nas.merit import held_for
from nas.pictured import show_training
from nas.scoring.full import ANATOMY, train_fully
from nas.scoring.training import INHERITED, NETWORK, SCRATCH, Training, begin
from nas.suggest import derive_seed
from nas.task.evaluation import mean_quality
from nas.task.task import Task
from nas.task.training import Failed, Recipe
from nas.where.protocol import Workers, as_finished
from results.candidate import Candidate
from results.dashboard import Beside
from results.files import has_network, read_json
from results.front import to_train
from results.leases import Alone, Leases
from results.progress import Watcher
from results.report import by_number, seed_noise
from results.run import Run
from results.standing import ask
from results.store import Store
from results.study import (
    Trained,
    candidates,
    full_trainings,
    open_study,
    record_training,
    reference_of,
    reference_point,
    state_full,
)
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet
from search_spaces.networks import families_of
from search_spaces.own import AnyBlueprint, AnyGenotype, require_lpienet
from search_spaces.own_space import OwnSpace

_PAUSE = 1.0  # seconds between two looks at what other searches train


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


@dataclass(frozen=True, slots=True)
class Confirming:
    """Of which search the best are trained fully, and on what."""

    run: Run
    task: Task
    inherited: Callable[[AnyGenotype], LPIENet] | None = None  # the first weights; None: random ones
    own: OwnSpace | None = None  # of which its candidates are; None: they are LPIENets
    logs: Path | None = None  # folder for TensorBoard; None: there are no logs
    leases: Leases = field(default_factory=Alone)  # who trains what, where several searches feed the study
    known: Collection[AnyGenotype] = ()  # good ones, whatever their scores are

    def blueprint_of(self, genotype: AnyGenotype) -> AnyBlueprint:
        """What a candidate is built by."""
        own = self.own
        return Blueprint.from_genotype(require_lpienet(genotype)) if own is None else own.blueprint(genotype)


def confirm(search: Confirming, settings: ConfirmSettings, workers: Workers, watcher: Watcher) -> None:
    """Train candidates of all costs and the reference fully, and record what each came to.

    Half of them are of those known to be good, the others the cheapest, and the best of each step of cost up to the
    dearest (`to_train`).

    The reference is trained with every seed, which gives the seed noise; candidates whose SSIM is closer to that of a
    neighbour on the cost axis than twice the noise are trained again. What is recorded of the same training already is
    kept, and one that was cut off continues from its checkpoint. The reference always starts from scratch.
    """
    study = open_study(search.run.study, say=watcher.say)
    trials = study.get_trials(deepcopy=False)
    reference = reference_of(trials)
    plan = _Plan(search, study, settings, reference.number)
    state_full(study, settings.recipe.steps, plan.start)
    others = [candidate for candidate in candidates(trials) if candidate.number != reference.number]
    known = {candidate.number for candidate in others if candidate.genotype in search.known}
    best = to_train(held_for(study, others), settings.count, reference_point(study).ssim, known)
    scored = {candidate.number: candidate for candidate in others}
    chosen = [*(scored[candidate.number] for candidate in best), reference]
    wanted = [(candidate, seed) for seed in range(settings.least) for candidate in chosen]
    wanted += [(reference, seed) for seed in range(settings.least, settings.seeds)]
    ask(study, trainings=len(wanted))
    _train(plan, wanted, workers, watcher)
    for seed in range(settings.least, settings.seeds):
        close = too_close(chosen, full_trainings(study))
        again = [(candidate, seed) for candidate in chosen if candidate.number in close]
        wanted += [one for one in again if one not in wanted]
        ask(study, trainings=len(wanted))
        _train(plan, again, workers, watcher)


def too_close(chosen: Sequence[Candidate], trained: Sequence[Trained]) -> set[int]:
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


def seed_of(seed: int, number: int, repetition: int) -> int:
    """The seed of one full training of a candidate, in a run of `seed`."""
    return derive_seed(seed, 1000 * number + repetition, "full training")


def folder_of(run: Run, trained: Trained) -> Path:
    """Where a full training is kept; `network` in it is the trained network."""
    if trained.key is not None:
        return Store(run.made).at(trained.key)
    kind = "full" if trained.start == SCRATCH else "inherited"  # in runs of versions before 2026-11-26
    return run.candidate(trained.number) / f"{kind}-{trained.steps}-{trained.seed}"


def anatomies(run: Run, study: optuna.Study) -> dict[int, list[dict[str, Any]]]:
    """What stands beside the full trainings that judge the front, by candidate, as nas.scoring.full keeps it.

    Trainings of earlier versions have none.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    for training in full_trainings(study):
        path = folder_of(run, training) / ANATOMY
        if path.exists():
            found.setdefault(training.number, []).append(read_json(path))
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all full trainings of one call share."""

    search: Confirming
    study: optuna.Study
    settings: ConfirmSettings
    reference: int  # number of its trial

    @property
    def start(self) -> str:
        return SCRATCH if self.search.inherited is None else INHERITED

    def training(self, candidate: Candidate, repetition: int) -> tuple[Training, LPIENet | None]:
        """One full training, and its first weights where they are inherited."""
        settings, inherited = self.settings, self.search.inherited
        blueprint = self.search.blueprint_of(candidate.genotype)
        seed = seed_of(settings.seed, candidate.number, repetition)
        first = None if inherited is None or candidate.number == self.reference else inherited(candidate.genotype)
        return Training.on(self.search.task, blueprint, settings.recipe, seed, first), first

    def is_recorded(self, number: int, repetition: int, training: Training) -> bool:
        """Whether the study has what this training came to; what versions before recorded is of this one, too.

        So is what another machine recorded, of which the key may tell the processor.
        """
        shared = self.search.leases.me is not None
        return any(
            (one.number, one.seed) == (number, repetition) and (shared or one.key in (None, training.key))
            for one in full_trainings(self.study)
        )


def _train(plan: _Plan, wanted: Sequence[tuple[Candidate, int]], workers: Workers, watcher: Watcher) -> None:
    search, steps = plan.search, plan.settings.recipe.steps
    store = Store(search.run.made, search.logs)
    left: dict[tuple[int, int], Training] = {}
    for candidate, repetition in sorted(wanted, key=lambda one: -one[0].scores.macs):  # or the dearest ends alone
        training, first = plan.training(candidate, repetition)
        if not plan.is_recorded(candidate.number, repetition, training):
            begin(store, training.stage, first)
            left[candidate.number, repetition] = training
    if not left:
        return
    watcher.begin("full training", len(left) * steps)
    while left:
        pieces = ((name, (left[name], store)) for name in list(left) if search.leases.claim(_work(left[name], *name)))
        for (number, repetition), future in as_finished(workers, train_fully, pieces, watcher.at):
            made = left.pop((number, repetition))
            try:
                quality, test = future.result()
            except Failed as error:
                watcher.say(f"candidate {number}, seed {repetition}, failed: {error}")
                search.leases.give_up(_work(made, number, repetition))
                continue
            figures = (quality.ssim, quality.psnr, test, made.key)
            trained = Trained(number, "full", steps, repetition, made.start, *figures)
            _record(plan, trained, made)
            reached = mean_quality(test)
            said = f"SSIM {reached.ssim:.4f}, PSNR {reached.psnr:.2f} dB on the test photographs"
            watcher.say(f"candidate {number}, seed {repetition}: {said}")
        left = {name: one for name, one in left.items() if not plan.is_recorded(*name, one)}
        if left:
            time.sleep(_PAUSE)  # other searches train them


def _record(plan: _Plan, trained: Trained, made: Training) -> None:
    """Keep what a full training came to, unless another search took it over."""
    search, work = plan.search, _work(made, trained.number, trained.seed)
    if search.leases.holds(work):
        record_training(plan.study, trained)
        beside, network = Beside(plan.study, search.run.artifacts), Store(search.run.made).at(made.key) / NETWORK
        if has_network(network):
            show_training(beside, trained, network, search.task, families_of(made.blueprint))
    search.leases.done(work)


def _work(made: Training, number: int, repetition: int) -> str:
    """What a full training is called in leases."""
    return f"full training of trial {number}, {made.recipe.steps} steps from {made.start}, seed {repetition}"
