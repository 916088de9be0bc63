"""Suggest: the only place where gene names meet Optuna."""

import hashlib
from itertools import pairwise

import optuna

from search_spaces.genotype import Gene
from search_spaces.own import AnyGenotype
from search_spaces.own_space import OwnSpace
from search_spaces.space import Space

POPULATION = 16  # of NSGA-II, in completed trials a generation


def suggest(trial: optuna.Trial, space: Space | OwnSpace) -> AnyGenotype:
    """The genotype that the study's sampler proposes for `trial`. Evenly spaced numbers keep their order."""
    counting = frozenset(space.counting())  # a gene that decides nothing would only blur the sampler's view
    genotype = space.genotype(
        {
            gene: _suggest(trial, gene, values) if gene in counting else values[0]
            for gene, values in space.choices.items()
        }
    )
    _join_generation(trial)
    return genotype


def parameters_of(genotype: AnyGenotype, space: Space | OwnSpace) -> dict[str, Gene]:
    """What to enqueue so that `suggest` returns `genotype` of `space`; what decides nothing has its first choice."""
    counting = frozenset(genotype.counting())
    return {gene: v if gene in counting else space.choices[gene][0] for gene, v in genotype.flat().items()}


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
