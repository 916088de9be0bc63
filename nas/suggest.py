"""Suggest: the only place where gene names meet Optuna."""

import hashlib
from itertools import pairwise

import optuna

from search_spaces.genotype import Gene, Genotype
from search_spaces.space import Space


def suggest(trial: optuna.Trial, space: Space) -> Genotype:
    """The genotype that the study's sampler proposes for `trial`. Evenly spaced numbers keep their order."""
    return Genotype.from_flat({gene: _suggest(trial, gene, values) for gene, values in space.choices.items()})


def parameters_of(genotype: Genotype) -> dict[str, Gene]:
    """What to enqueue so that `suggest` returns `genotype`."""
    return genotype.flat()


def make_sampler(seed: int, trial_number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial: multivariate TPE, seeded by (seed, trial number).

    A fresh seed for every trial makes a resumed search propose exactly what an uninterrupted one would, where one
    seed for the whole study would repeat its first proposals.
    """
    return optuna.samplers.TPESampler(multivariate=True, seed=derive_seed(seed, trial_number, "sampler"))


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
