"""Search: ask for a genotype, reject or score it, tell the study; any kill loses at most ten seconds of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.scoring.short import train_from_scratch
from nas.suggest import derive_seed, make_sampler, parameters_of, suggest
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from results.candidate import Candidate, Scores
from results.front import ReferencePoint, knee, pareto_front
from results.progress import Watcher
from results.run import Run
from results.study import (
    BUDGET,
    REFERENCE_NUMBER,
    candidates,
    fix_reference_point,
    genotype_of,
    in_flight,
    open_study,
    record_genotype,
    tell_scores,
    tell_unscored,
)
from search_spaces.blueprint import Blueprint
from search_spaces.cost import Cost, cost_of
from search_spaces.genotype import Genotype
from search_spaces.space import REFERENCE, Space, hand_made
from search_spaces.units import format_macs

REJECTED_IN_A_ROW = 100  # proposals without a single new affordable genotype, after which the search gives up


class SearchStopped(RuntimeError):
    """The search cannot go on; the message says why and what to change."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search may spend."""

    trials: int  # genotypes to train, the reference among them; rejected proposals come on top
    recipe: Recipe  # of the short training that scores one candidate
    budget: int | None = None  # MACs at `size`; a genotype above it is not trained, except the reference
    size: tuple[int, int] = (256, 256)  # height, width at which MACs are counted
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials = {self.trials}: must be at least 1")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget = {self.budget} MACs: must be at least 1")


def search(run: Run, space: Space, task: Task, settings: SearchSettings, watcher: Watcher) -> None:
    """Score genotypes of `space` until the study in `run` holds `settings.trials` trained ones.

    Continues whatever study is there; the trials that a killed process left behind are taken up first, each from its
    checkpoint. Raises SearchStopped when no affordable new genotype is found.
    """
    require_possible(space, settings)
    study = open_study(run.study, create=True)
    fix_reference_point(study, ReferencePoint(task.input.ssim, _ceiling(space, settings.size)))
    for genotype in hand_made(space)[: settings.trials]:
        study.enqueue_trial(parameters_of(genotype), skip_if_exists=True)
    watcher.begin("search", settings.trials * settings.recipe.steps)
    left_behind = in_flight(study)
    rejected = 0
    while (trained := _trained(study)) < settings.trials:
        number = left_behind[0].number if left_behind else len(study.get_trials(deepcopy=False))
        study.sampler = make_sampler(settings.seed, number)
        trial = left_behind.pop(0) if left_behind else study.ask()
        genotype = suggest(trial, space)
        cost = cost_of(Blueprint.from_genotype(genotype), settings.size)
        record_genotype(trial, genotype, cost.macs, cost.parameters)
        reason = _rejection(study, trial, genotype, cost, settings)
        if reason is not None:
            tell_unscored(study, trial, TrialState.PRUNED, reason)
            rejected += 1
            if rejected >= REJECTED_IN_A_ROW:
                raise SearchStopped(f"the last {rejected} proposals were all known or over budget; raise --budget")
            continue
        rejected = 0
        _score(run, study, trial, genotype, cost, task, settings, trained, watcher)
    watcher.at(settings.trials * settings.recipe.steps, best_so_far(study))


def require_possible(space: Space, settings: SearchSettings) -> None:
    """Raise SearchStopped when no genotype of `space` fits the budget, naming the nearest budget that one does."""
    cheapest = cost_of(Blueprint.from_genotype(_extreme(space, largest=False)), settings.size).macs
    if settings.budget is not None and settings.budget < cheapest:
        raise SearchStopped(
            f"no network of this space fits a budget of {format_macs(settings.budget)} at "
            f"{settings.size[0]}x{settings.size[1]}; the cheapest needs {format_macs(cheapest)}"
        )


def best_so_far(study: optuna.Study) -> str:
    """`SSIM best 0.831, knee 0.821 at 340M`, in MACs, or nothing yet."""
    front = pareto_front(candidates(study.get_trials(deepcopy=False)))
    if not front:
        return ""
    chosen = knee(front).scores
    return f"SSIM best {front[-1].scores.ssim:.3f}, knee {chosen.ssim:.3f} at {chosen.macs / 1e6:.0f}M"


def _rejection(
    study: optuna.Study, trial: optuna.Trial, genotype: Genotype, cost: Cost, settings: SearchSettings
) -> str | None:
    """Why `genotype` is not to be trained, or None. Sets the constraint that the sampler learns the budget from."""
    if settings.budget is not None:
        trial.set_constraint(BUDGET, cost.macs / settings.budget - 1)
    if trial.number == REFERENCE_NUMBER:
        return None  # the yardstick is measured whatever it costs
    if settings.budget is not None and cost.macs > settings.budget:
        return f"{format_macs(cost.macs)} is over the budget of {format_macs(settings.budget)}"
    earlier = _first_with(study.get_trials(deepcopy=False), genotype, before=trial.number)
    return None if earlier is None else f"the same genotype as trial {earlier}"


def _first_with(trials: Sequence[FrozenTrial], genotype: Genotype, before: int) -> int | None:
    for known in trials:
        if known.number < before and genotype_of(known) == genotype:
            return known.number
    return None


def _score(
    run: Run,
    study: optuna.Study,
    trial: optuna.Trial,
    genotype: Genotype,
    cost: Cost,
    task: Task,
    settings: SearchSettings,
    trained: int,
    watcher: Watcher,
) -> None:
    """Train one candidate and tell the study its scores, or FAIL with the reason."""
    begun = trained * settings.recipe.steps
    watcher.at(begun, best_so_far(study))
    try:
        _, quality = train_from_scratch(
            Blueprint.from_genotype(genotype),
            task,
            settings.recipe,
            derive_seed(settings.seed, trial.number, "training"),
            run.candidate(trial.number),
            lambda step, loss: watcher.at(begun + step + 1),
        )
    except Diverged as error:
        tell_unscored(study, trial, TrialState.FAIL, str(error))
        watcher.say(f"candidate {trial.number} failed: {error}")
        return
    scores = Scores(quality.ssim, quality.psnr, cost.macs, cost.parameters)
    tell_scores(study, trial, scores)
    watcher.say(_line(Candidate(trial.number, genotype, scores)))


def _line(candidate: Candidate) -> str:
    scores, name = candidate.scores, " (LPIENet reference)" if candidate.genotype == REFERENCE else ""
    return (
        f"candidate {candidate.number}{name}: SSIM {scores.ssim:.4f}, PSNR {scores.psnr:.2f} dB, "
        f"{format_macs(scores.macs)}"
    )


def _trained(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL)))


def _ceiling(space: Space, size: tuple[int, int]) -> int:
    """MACs of the largest network of the space."""
    return cost_of(Blueprint.from_genotype(_extreme(space, largest=True)), size).macs


def _extreme(space: Space, largest: bool) -> Genotype:
    """The most or least expensive genotype: cost grows with every number, with attention, and with the gated head."""
    pick = {gene: values[-1 if largest else 0] for gene, values in space.choices.items()}
    for gene, values in space.choices.items():
        if gene.endswith(".attention"):
            pick[gene] = ("both" if "both" in values else values[-1]) if largest else values[0]
    return min(
        (Genotype.from_flat(pick | {"head": head}) for head in space.choices["head"]),
        key=lambda genotype: (-1 if largest else 1) * cost_of(Blueprint.from_genotype(genotype)).macs,
    )
