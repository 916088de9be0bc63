"""Own reach: which costs the networks of an own family can have; each one that is counted is built and traced."""

import random

import numpy as np

from search_spaces.own import OwnBlueprint, OwnGenotype
from search_spaces.own_space import OwnSpace
from search_spaces.reach import QUANTILES, Counted, Reach, counted, require_within, share_of
from search_spaces.space import REFERENCE


def own_reach(space: OwnSpace, budget: int | None, size: tuple[int, int], samples: int, seed: int) -> Reach:
    """The extremes of `space` (see OwnSpace.extreme), and what `samples` uniformly drawn genotypes say of the rest.

    Raises ImpossibleBudget, FamilyError for a network that is not one, and ValueError for fewer than one sample.
    """
    if samples < 1:
        raise ValueError(f"samples = {samples}: must be at least 1")
    fewest, most = (_counted(space.extreme(largest), size) for largest in (False, True))
    if budget is not None:
        require_within(fewest.macs, budget, size)
    smallest, largest = (_counted(space.extreme(largest, "parameters"), size) for largest in (False, True))
    generator, reference = random.Random(seed), counted(REFERENCE, size)
    drawn = [
        space.family.blueprint(genotype.flat()).macs_at(size)
        for genotype in (space.sample(generator) for _ in range(samples))
    ]
    return Reach(
        genotypes=space.size,
        size=size,
        fewest_macs=fewest,
        most_macs=most,
        fewest_parameters=smallest,
        most_parameters=largest,
        reference=reference,
        samples=samples,
        quantiles=tuple(int(macs) for macs in np.quantile(drawn, QUANTILES, method="inverted_cdf")),
        cheaper_than_reference=share_of(sum(macs < reference.macs for macs in drawn), samples),
        budget=budget,
        within_budget=None if budget is None else share_of(sum(macs <= budget for macs in drawn), samples),
    )


def _counted(blueprint: OwnBlueprint, size: tuple[int, int]) -> Counted:
    genotype = OwnGenotype(blueprint.family, blueprint.genes)
    return Counted(genotype, blueprint.macs_at(size), blueprint.parameters)
