"""Own reach: which costs the networks of an own family can have; each one that is counted is built and traced."""

import random

from search_spaces.own import OwnBlueprint, OwnGenotype
from search_spaces.own_space import OwnSpace
from search_spaces.reach import Counted, Reach, reach_of, require_within


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
    generator = random.Random(seed)
    drawn = [
        space.family.blueprint(genotype.flat()).macs_at(size)
        for genotype in (space.sample(generator) for _ in range(samples))
    ]
    return reach_of(space.size, (fewest, most, smallest, largest), drawn, budget, size)


def _counted(blueprint: OwnBlueprint, size: tuple[int, int]) -> Counted:
    genotype = OwnGenotype(blueprint.family, blueprint.genes)
    return Counted(genotype, blueprint.macs_at(size), blueprint.parameters)
