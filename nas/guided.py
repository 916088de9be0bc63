"""Guided: a sampler that scores the budget evenly, and at each cost what a predictor holds for the best.

Optuna's own samplers of two objectives make a hypervolume large. Over decades of cost each cheaper network adds to
that, so half of a search went to networks below a sixth of the budget; and what a score of few steps knows of forty
genes is little. Here each trial draws its cost first, log-uniform up to the budget, and takes of many networks near it
the one whose predicted score may be the best: mean plus deviation (Auer, "Using confidence bounds for
exploitation-exploration trade-offs", 2002, over an ensemble-free predictor as in White et al., "BANANAS", 2021).
In most trials these networks differ in few genes from hand-made ones.
"""

import math
import random
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from nas.scoring.predictor import FEWEST, Features, Predictor, features, fit, shape_of
from nas.suggest import parameters_of
from results.front import ranks
from results.study import genotype_of
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.genotype import Gene, Genotype
from search_spaces.own_space import OwnSpace
from search_spaces.space import Space

POOL = 192  # networks of which one is taken
_LIKE_KNOWN = 0.75  # of the trials are of networks like hand-made ones
_BESIDE, _LEAST_POOL = 8, 48  # where more candidates than these run, a pool is smaller by as much, for its time
BAND = 1.25  # a network may cost so many times less than the cost that was drawn
SPREAD = 10.0  # the budget over the least cost that is drawn
_GENES = 3  # at most so many change at a time
_OFTEN, _STEP = 48, 1.15  # scores up to which a predictor is shaped anew each time, and how many times more then
_FEWEST = 12  # networks to choose from; where a band holds fewer, the nearest


@dataclass(frozen=True, slots=True)
class Region:
    """Where networks are proposed."""

    space: Space | OwnSpace
    budget: float | None = None  # of the cost; None: what the space reaches


@dataclass(frozen=True, slots=True)
class Scored:
    """What the sampler knows of one network."""

    genotype: Genotype
    score: float
    decades: float  # log10 of its cost


class GuidedSampler(optuna.samplers.BaseSampler):
    """Of one trial; seeded, so that the same history gives the same proposal."""

    def __init__(self, region: Region, seed: int) -> None:
        if not isinstance(region.space, Space):
            raise ValueError("sampler = 'guided': it knows LPIENets alone")
        self._space, self._budget, self._random = region.space, region.budget, random.Random(seed)
        self._genes: dict[str, Gene] = {}
        self._size = POOL  # of the pool
        self._settled = 0  # scored networks, in order, to which no other one will be added

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Choose the genotype whose genes the trial will ask for."""
        known = ((genotype_of(trial), trial) for trial in study.get_trials(deepcopy=False))
        asked = [(genotype, trial) for genotype, trial in known if isinstance(genotype, Genotype)]
        scored = [(genotype, t) for genotype, t in asked if t.state is TrialState.COMPLETE]
        # Trials that run will stand among those before them; what is learned of the others stays as it is.
        first = min((t.number for _, t in asked if t.state is TrialState.RUNNING), default=math.inf)
        self._settled = sum(t.number < first for _, t in scored)
        running = sum(t.state is TrialState.RUNNING for _, t in asked)
        self._size = max(_LEAST_POOL, POOL * _BESIDE // max(_BESIDE, running))
        chosen = self._choose([Scored(genotype, *t.values) for genotype, t in scored], {g for g, _ in asked})
        self._genes = parameters_of(chosen, self._space)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._genes[param_name]

    def _choose(self, scored: Sequence[Scored], known: Set[Genotype]) -> Genotype:
        """A genotype that is not in `known`, unless the space holds no other."""
        pool, seen = self._pool(scored, known), features([one.genotype for one in scored])
        near = self._near(self._decades(pool, seen, [one.decades for one in scored]))
        if len(scored) < FEWEST:
            return pool[self._random.choice(near)]
        found = self._fitted(seen, [one.score for one in scored]).predict(features([pool[place] for place in near]))
        hopes = [mean + deviation for mean, deviation in zip(found.means, found.deviations, strict=True)]
        return pool[near[hopes.index(max(hopes))]]

    def _pool(self, scored: Sequence[Scored], known: Set[Genotype]) -> list[Genotype]:
        """Networks that nobody asked for yet, that differ in few genes from others; or drawn, every second one.

        In most trials the others are hand-made ones, which are better than what a cheap score finds
        (results/published/search), else the networks of the two best ranks, beside which as many are drawn.
        """
        space, found = self._space, dict[Genotype, None]()
        like_known = self._random.random() < _LIKE_KNOWN
        parents = [one for one in (space.first() if like_known else _best(scored)) if space.holds(one)]
        for attempt in range(4 * self._size):
            if len(found) == self._size:
                break
            drawn = not parents or not (like_known or attempt % 2)
            one = space.sample_of_any_size(self._random) if drawn else self._changed(self._random.choice(parents))
            if one not in known:
                found[one] = None
        return list(found) or [space.sample_of_any_size(self._random)]

    def _changed(self, genotype: Genotype) -> Genotype:
        genes, choices = genotype.flat(), self._space.choices
        counting = [gene for gene in genotype.counting() if len(choices[gene]) > 1]
        for gene in self._random.sample(counting, min(len(counting), self._random.randint(1, _GENES))):
            genes[gene] = self._random.choice(choices[gene])
        return self._space.nearest(Genotype.from_flat(genes))

    def _near(self, decades: Features) -> list[int]:
        """Places of the pool whose cost is below one that is drawn, and near it."""
        budget = self._budget
        highest = float(decades.max()) if budget is None else math.log10(budget)
        wanted = highest - self._random.random() * math.log10(SPREAD)
        below = [place for place, cost in enumerate(decades) if wanted - math.log10(BAND) <= cost <= wanted]
        if len(below) >= _FEWEST:
            return below
        affordable = [place for place, cost in enumerate(decades) if cost <= highest] or list(range(len(decades)))
        return sorted(affordable, key=lambda place: abs(decades[place] - wanted))[:_FEWEST]

    def _decades(self, pool: Sequence[Genotype], seen: Features, decades: Sequence[float]) -> Features:
        """log10 of what networks cost: exact for multiply-adds, for a latency by those measured."""
        macs: Features = np.log10([macs_of(Blueprint.from_genotype(one), DEFAULT_SIZE) for one in pool])
        if not decades:
            return macs
        beyond = np.asarray(decades) - seen[:, 0] / math.log(10)
        if len(decades) < FEWEST or np.allclose(beyond, beyond[0], atol=1e-9):
            beyond_of: Features = np.full(len(macs), beyond.mean())
        else:
            beyond_of = np.asarray(self._fitted(seen, beyond.tolist()).predict(features(pool)).means)
        found: Features = np.add(macs, beyond_of)
        return found

    def _fitted(self, rows: Features, scores: Sequence[float]) -> Predictor:
        """A predictor of all scores, whose shape was found by the first of them, up to the last step of ever more."""
        shaped = self._settled if self._settled > len(scores) / 2 else len(scores)
        if shaped <= _OFTEN:
            return fit(rows, scores)
        steps = math.floor(math.log(shaped / _OFTEN, _STEP))
        shaped = math.floor(_OFTEN * _STEP**steps)
        return fit(rows, scores, shape_of(rows[:shaped].tobytes(), tuple(scores[:shaped])))


def _best(scored: Sequence[Scored]) -> list[Genotype]:
    """Those of the two best non-dominated ranks."""
    order = ranks([(one.score, one.decades) for one in scored])
    return [one.genotype for one, rank in zip(scored, order, strict=True) if rank < 2]
