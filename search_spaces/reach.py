"""Reach: which costs a space can have, before anything is trained; and whether a budget is possible in it."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of, within
from search_spaces.genotype import Gene, GeneError, Genotype
from search_spaces.own import AnyGenotype
from search_spaces.space import REFERENCE, Space
from search_spaces.units import format_macs

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE = 0.95  # of the intervals around a share

_DRAWS = 1000  # after which a limit is so low that the cheapest network of a width is taken
_STARTS = 6  # random genotypes from which an extreme is looked for, beside the first and the last choices
_ONE_SIZE = (256, 256)  # which genotype is the cheapest does not depend on the size: every count grows with the pixels


class ImpossibleBudget(ValueError):
    """No genotype of the space fits the budget; the message names the smallest budget that one does."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A genotype and its costs."""

    genotype: AnyGenotype
    macs: int  # at the size of the Reach
    parameters: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the sampled genotypes, and Wilson's interval for that of the whole space."""

    value: float  # 0 to 1, as sampled
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reach:
    """The costs that a space can have at one size."""

    genotypes: int  # in the space
    size: tuple[int, int]  # height, width in pixels at which MACs are counted
    fewest_macs: Counted
    most_macs: Counted
    fewest_parameters: Counted
    most_parameters: Counted
    reference: Counted  # LPIENet itself, which need not be in the space
    samples: int  # genotypes drawn uniformly, for all that follows
    quantiles: tuple[int, ...]  # MACs of the samples, one per QUANTILES
    cheaper_than_reference: Share
    budget: int | None  # MACs
    within_budget: Share | None  # None: no budget

    def to_json(self) -> dict[str, Any]:
        """Plain values; the genotypes as Genotype.to_json gives them."""
        counted = ("fewest_macs", "most_macs", "fewest_parameters", "most_parameters", "reference")
        return asdict(self) | {
            **{
                name: {
                    "macs": getattr(self, name).macs,
                    "parameters": getattr(self, name).parameters,
                    "genotype": getattr(self, name).genotype.to_json(),
                }
                for name in counted
            },
            "size": list(self.size),
            "quantiles": {str(at): macs for at, macs in zip(QUANTILES, self.quantiles, strict=True)},
            "confidence": CONFIDENCE,
        }


def reach(space: Space, budget: int | None, size: tuple[int, int], samples: int, seed: int) -> Reach:
    """The exact extremes of `space`, and what `samples` uniformly drawn genotypes say of the rest.

    Raises ImpossibleBudget, and ValueError for fewer than one sample.
    """
    if samples < 1:
        raise ValueError(f"samples = {samples}: must be at least 1")
    require_possible(space, budget, size)
    generator = random.Random(seed)
    drawn = [_macs(space.sample(generator), size) for _ in range(samples)]
    ends = (cheapest(space), dearest(space), _extreme(space, _parameters, False), _extreme(space, _parameters, True))
    fewest, most, smallest, largest = (_counted(genotype, size) for genotype in ends)
    return reach_of(space.size, (fewest, most, smallest, largest), drawn, budget, size)


def reach_of(
    genotypes: int,
    extremes: tuple[Counted, Counted, Counted, Counted],
    drawn: Sequence[int],
    budget: int | None,
    size: tuple[int, int],
) -> Reach:
    """Of a space of so many genotypes: what MACs that were `drawn` say of it, beside its extremes.

    Those are the networks with the fewest MACs, the most, the fewest parameters and the most.
    """
    fewest_macs, most_macs, fewest_parameters, most_parameters = extremes
    reference, samples = _counted(REFERENCE, size), len(drawn)
    return Reach(
        genotypes=genotypes,
        size=size,
        fewest_macs=fewest_macs,
        most_macs=most_macs,
        fewest_parameters=fewest_parameters,
        most_parameters=most_parameters,
        reference=reference,
        samples=samples,
        quantiles=tuple(int(macs) for macs in np.quantile(drawn, QUANTILES, method="inverted_cdf")),
        cheaper_than_reference=_share(sum(macs < reference.macs for macs in drawn), samples),
        budget=budget,
        within_budget=None if budget is None else _share(sum(macs <= budget for macs in drawn), samples),
    )


def draw_within(space: Space, generator: random.Random, most: int | None, size: tuple[int, int]) -> Genotype:
    """A genotype of at most `most` MACs at `size`, every width of the first encoder as likely as any other that fits.

    That encoder works at full resolution and decides most of the cost and of the quality. Of genotypes that are drawn
    freely and kept where they fit a third of the reference's cost, one in two hundred has its full width. A budget that
    no genotype fits gives the cheapest.
    """

    def fits(genotype: Genotype) -> bool:
        return most is None or within(Blueprint.from_genotype(genotype), size, most)

    def widened(genotype: Genotype, width: int) -> Genotype:
        return Genotype.from_flat(genotype.flat() | {"encoder1.width": width})

    least = cheapest(space)
    widths = [int(width) for width in space.choices["encoder1.width"] if fits(widened(least, int(width)))]
    if not widths:
        return least
    width = generator.choice(widths)
    for _ in range(_DRAWS):
        genotype = space.sample_of_any_size(generator, {"encoder1.width": width})
        if fits(genotype):
            return genotype
    return widened(least, width)


def cheapest(space: Space) -> Genotype:
    """The genotype of `space` with the fewest MACs, at any size."""
    return _extreme(space, _macs, False)


def dearest(space: Space) -> Genotype:
    """The genotype of `space` with the most MACs, at any size."""
    return _extreme(space, _macs, True)


def require_possible(space: Space, budget: int | None, size: tuple[int, int]) -> None:
    """Raise ImpossibleBudget when no genotype of `space` has at most `budget` MACs at `size` (height, width)."""
    if budget is not None:
        require_within(_macs(cheapest(space), size), budget, size)


def require_within(least: int, budget: int, size: tuple[int, int]) -> None:
    """Raise ImpossibleBudget where `least`, the fewest MACs of a space at `size`, are above `budget`."""
    if budget < least:
        raise ImpossibleBudget(
            f"no network of this space fits a budget of {format_macs(budget)} at {size[0]}x{size[1]}; "
            f"the smallest possible budget is {least}, which is {format_macs(least)}"
        )


@lru_cache(maxsize=64)
def _extreme(space: Space, measure: Callable[[Genotype], int], largest: bool) -> Genotype:
    """The genotype whose `measure` is smallest or largest, by descent from several starts.

    A step changes one gene, or two genes that hold words, by what is measured: nothing is assumed of any gene. This is
    exact where the measure rises or falls with every number whatever the words are, as MACs and parameters do.
    """
    sign = -1 if largest else 1
    best: tuple[int, Genotype] | None = None
    for start in _starts(space):
        genes, value = start.flat(), sign * measure(start)
        improved = True
        while improved:
            improved = False
            for change in _changes(space):
                if any(genes[gene] == choice for gene, choice in change.items()):
                    continue  # nothing changes, or one gene alone does
                genotype = _valid(genes | change)
                if genotype is not None and sign * measure(genotype) < value:
                    genes, value, improved = genotype.flat(), sign * measure(genotype), True
        if best is None or value < best[0]:
            best = value, Genotype.from_flat(genes)
    if best is None:
        raise ValueError("no combination of this space's choices is a valid genotype; change the widths or expansions")
    return best[1]


def _starts(space: Space) -> Iterator[Genotype]:
    generator = random.Random(0)
    wishes = [{gene: values[at] for gene, values in space.choices.items()} for at in (0, -1)]
    wishes += [{gene: generator.choice(values) for gene, values in space.choices.items()} for _ in range(_STARTS)]
    for wish in wishes:
        genotype = _valid(wish)
        if genotype is not None:
            yield genotype


def _changes(space: Space) -> Iterator[dict[str, Gene]]:
    for gene, values in space.choices.items():
        for value in values:
            yield {gene: value}
    words = [(gene, values) for gene, values in space.choices.items() if len(values) > 1 and isinstance(values[0], str)]
    for (first, left), (second, right) in combinations(words, 2):
        for one, other in product(left, right):
            yield {first: one, second: other}


def _valid(genes: dict[str, Gene]) -> Genotype | None:
    """Some combinations are no genotype: a width times an expansion has to be whole."""
    try:
        return Genotype.from_flat(genes)
    except GeneError:
        return None


def _macs(genotype: Genotype, size: tuple[int, int] = _ONE_SIZE) -> int:
    return macs_of(Blueprint.from_genotype(genotype), size)


def _parameters(genotype: Genotype) -> int:
    return parameters_of(Blueprint.from_genotype(genotype))


def _counted(genotype: Genotype, size: tuple[int, int]) -> Counted:
    """An LPIENet's costs at `size` (height, width)."""
    return Counted(genotype, _macs(genotype, size), _parameters(genotype))


def _share(found: int, samples: int) -> Share:
    """`found` of so many samples."""
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(found, samples).proportion_ci(CONFIDENCE, method="wilson")
    return Share(found / samples, float(interval.low), float(interval.high))
