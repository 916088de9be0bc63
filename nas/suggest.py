"""Suggest: the only place where gene names meet Optuna."""

import hashlib
import math
from collections.abc import Callable
from itertools import pairwise

import optuna

from search_spaces.genotype import Gene, Genotype
from search_spaces.space import Space

POPULATION = 16  # of NSGA-II, in completed trials a generation
AUTO = ((50, "gp"), (math.inf, "tpe"))  # up to how many trials, which sampler; by benchmarks/samplers.py
_IMPUTED = frozenset({"gp"})


def suggest(trial: optuna.Trial, space: Space) -> Genotype:
    """The genotype that the study's sampler proposes for `trial`. Evenly spaced numbers keep their order."""
    counting = frozenset(space.counting())  # a gene that decides nothing would only blur the sampler's view
    genotype = Genotype.from_flat(
        {
            gene: _suggest(trial, gene, values) if gene in counting else values[0]
            for gene, values in space.choices.items()
        }
    )
    _join_generation(trial)
    return genotype


def parameters_of(genotype: Genotype, space: Space) -> dict[str, Gene]:
    """What to enqueue so that `suggest` returns `genotype` of `space`; what decides nothing has its first choice."""
    counting = frozenset(genotype.counting())
    return {gene: v if gene in counting else space.choices[gene][0] for gene, v in genotype.flat().items()}


def make_sampler(seed: int, trial_number: int, name: str = "tpe") -> optuna.samplers.BaseSampler:
    """The sampler of one trial: one of SAMPLERS, seeded by (seed, trial number); raises ValueError for another name.

    A fresh seed for every trial makes a resumed search propose exactly what an uninterrupted one would, where one
    seed for the whole study would repeat its first proposals. Nothing is lost by a fresh sampler: each finds its
    history in the study, NSGA-II its generations and parents too.
    """
    if name not in SAMPLERS:
        raise ValueError(f"sampler = {name!r}: must be one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name](derive_seed(seed, trial_number, "sampler"))


def resolve_sampler(name: str, trials: int) -> str:
    """`name`, or for "auto" the name that AUTO gives to a search of `trials` networks; raises ValueError.

    Resolve once, when a search is made, and keep the answer: the samplers are told of a candidate over the budget in
    different ways (see `imputes`).
    """
    if name == "auto":
        return next(sampler for limit, sampler in AUTO if trials <= limit)
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


def derive_seed(seed: int, number: int, purpose: str) -> int:
    """A seed below 2**31 for one purpose of one trial; independent of the order in which trials are run."""
    text = f"{seed}/{number}/{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) % 2**31


def _suggest(trial: optuna.Trial, gene: str, values: tuple[Gene, ...]) -> Gene:
    numbers = [value for value in values if not isinstance(value, str)]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    if len(numbers) < len(values) or len(steps) != 1:  # words, a single choice, or uneven numbers
        chosen = trial.suggest_categorical(gene, values)
        assert chosen is not None
        return chosen
    step = steps.pop()
    if all(isinstance(value, int) for value in numbers):
        return trial.suggest_int(gene, int(numbers[0]), int(numbers[-1]), step=int(step))
    return trial.suggest_float(gene, numbers[0], numbers[-1], step=step)


def _join_generation(trial: optuna.Trial) -> None:
    """Let NSGA-II count `trial` in its generation; an enqueued trial it would never take for a parent otherwise."""
    sampler = trial.study.sampler
    if isinstance(sampler, optuna.samplers.NSGAIISampler):
        sampler.get_trial_generation(trial.study, trial.study.get_trials(deepcopy=False)[trial.number])


# One function a sampler; `seed` is that of one trial.


def _gaussian_process(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed)


def _tree_parzen(seed: int) -> optuna.samplers.BaseSampler:
    """`constant_liar`: a running trial counts as a poor one, so that parallel workers do not all propose its like."""
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)


def _genetic(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's own population of 50 leaves a search of 60 networks no second generation."""
    return optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)


def _random(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "gp": _gaussian_process,
    "tpe": _tree_parzen,
    "nsga2": _genetic,
    "random": _random,
}
