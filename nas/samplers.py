"""Samplers: which one proposes the next genotype, and what each is to be told."""

import math
from collections.abc import Callable

import optuna

from nas.guided import GuidedSampler, Region
from nas.suggest import POPULATION, derive_seed

AUTO = ((500, "guided"), (math.inf, "tpe"))  # up to how many trials, which sampler; a process sees all of them
_IMPUTED = frozenset({"gp"})


def make_sampler(seed: int, trial_number: int, name: str, region: Region) -> optuna.samplers.BaseSampler:
    """The sampler of one trial: one of SAMPLERS, seeded by (seed, trial number); raises ValueError for another name.

    A fresh seed for every trial makes a resumed search propose exactly what an uninterrupted one would, where one
    seed for the whole study would repeat its first proposals. Nothing is lost by a fresh sampler: each finds its
    history in the study, NSGA-II its generations and parents too.
    """
    if name not in SAMPLERS:
        raise ValueError(f"sampler = {name!r}: must be one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name](derive_seed(seed, trial_number, "sampler"), region)


def resolve_sampler(name: str, trials: int, own: bool = False) -> str:
    """`name`, or for "auto" the name that AUTO gives to a search of `trials` networks; raises ValueError.

    Of an `own` family, of which "guided" knows nothing, it is "tpe".

    Resolve once, when a search is made, and keep the answer: the samplers are told of a candidate over the budget in
    different ways (see `imputes`).
    """
    if name == "auto":
        return "tpe" if own else next(sampler for limit, sampler in AUTO if trials <= limit)
    if own and name == "guided":
        raise ValueError("sampler = 'guided': it knows LPIENets alone; of an own family take tpe, nsga2, gp or random")
    if name not in SAMPLERS:
        raise ValueError(f"sampler = {name!r}: must be one of auto, {', '.join(SAMPLERS)}")
    return name


def imputes(name: str) -> bool:
    """Whether a candidate that was not trained must still be told to this sampler with scores, made up for it.

    A candidate over the budget always carries its constraint. TPE learns from that of a PRUNED trial; NSGA-II and
    random search never look at PRUNED trials and just propose another. A Gaussian process reads COMPLETE trials only,
    so after a PRUNED one its model is what it was and it comes back to the same point, again and again; and before
    ten of them are COMPLETE it draws at random. Tell it
    COMPLETE with the lowest quality among the feasible candidates so far (a quality of 0 would bend the model), and a
    duplicate COMPLETE with the scores of the earlier trial; mark both as imputed and keep them out of all reports.
    It also refuses a history in which only some of the COMPLETE trials have the constraint (ValueError).
    """
    return name in _IMPUTED


# One function a sampler; `seed` is that of one trial.


def _gaussian_process(seed: int, region: Region) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed)


def _tree_parzen(seed: int, region: Region) -> optuna.samplers.BaseSampler:
    """`constant_liar`: a running trial counts as a poor one, so that parallel workers do not all propose its like."""
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)


def _genetic(seed: int, region: Region) -> optuna.samplers.BaseSampler:
    """Optuna's own population of 50 leaves a search of 60 networks no second generation."""
    return optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)


def _random(seed: int, region: Region) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _guided(seed: int, region: Region) -> optuna.samplers.BaseSampler:
    return GuidedSampler(region, seed)


SAMPLERS: dict[str, Callable[[int, Region], optuna.samplers.BaseSampler]] = {
    "guided": _guided,
    "gp": _gaussian_process,
    "tpe": _tree_parzen,
    "nsga2": _genetic,
    "random": _random,
}
