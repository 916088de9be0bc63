"""To train: which candidates of a search are trained fully, along the cost axis and of hand-made ones."""

import math
import random

import numpy as np
import pytest

from results.candidate import Candidate
from results.front import along_cost, to_train
from tests.candidate_sets import candidate, random_set


def chosen_by_hand(found: list[Candidate], count: int) -> set[int]:
    """The cheapest, the best, and the best of each step from the cheapest to the dearest, looked for step by step."""
    low, high = (end(c.scores.macs for c in found) for end in (min, max))
    best = max(found, key=lambda c: c.scores.ssim)
    cheapest = max((c for c in found if c.scores.macs == low), key=lambda c: c.scores.ssim)
    chosen = {best.number, cheapest.number}
    for step in range(count - 1):
        below, above = (low * (high / low) ** ((step + more) / (count - 1)) for more in (0, 1))
        inside = [c for c in found if below * (1 + 1e-9) < c.scores.macs <= min(above * (1 + 1e-9), high)]
        if inside:
            chosen.add(max(inside, key=lambda c: (c.scores.ssim, -c.scores.macs)).number)
    return chosen


def spread_set(seed: int, length: int = 60) -> list[Candidate]:
    """Candidates without ties whose SSIM rises with the decades, with noise."""
    generator = random.Random(seed)
    costs = [10 ** generator.uniform(1, 3) for _ in range(length)]
    return [candidate(n, 0.5 + 0.1 * math.log10(m) + generator.gauss(0, 0.02), round(m)) for n, m in enumerate(costs)]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_trained_are_the_cheapest_the_best_and_the_best_of_each_step_up_to_the_dearest(seed, count):
    found = spread_set(seed)
    chosen = along_cost(found, count)
    assert len(chosen) == len({c.number for c in chosen}) == count
    assert chosen_by_hand(found, count) <= {c.number for c in chosen}
    assert [c.scores.cost for c in chosen] == sorted(c.scores.cost for c in chosen)


@pytest.mark.parametrize("seed", range(20))
def test_of_what_is_trained_no_two_neighbours_are_further_apart_than_two_steps_where_every_step_holds_one(seed):
    found = spread_set(seed, 400)
    decades = [math.log10(c.scores.cost) for c in along_cost(found, 6)]
    assert max(np.diff(decades)) < 2 * (decades[-1] - decades[0]) / 5


@pytest.mark.parametrize("count", range(1, 30))
@pytest.mark.parametrize("seed", range(5))
def test_as_many_are_trained_as_were_asked_for_or_as_there_are(seed, count):
    found = random_set(seed)
    chosen = along_cost(found, count)
    assert len({c.number for c in chosen}) == len(chosen) == min(count, len(found))


def test_one_alone_is_the_front_s_best_and_two_are_its_ends():
    found = [candidate(1, 0.6, 10), candidate(2, 0.8, 100), candidate(3, 0.9, 500), candidate(4, 0.7, 900)]
    assert [c.number for c in along_cost(found, 1)] == [3]
    assert [c.number for c in along_cost(found, 2)] == [1, 3]
    assert along_cost([], 3) == []


def test_a_dear_candidate_is_trained_although_the_score_sees_no_gain_in_it():
    found = [candidate(1, 0.6, 10), candidate(2, 0.7, 30), candidate(3, 0.65, 100), candidate(4, 0.66, 900)]
    assert [c.number for c in along_cost(found, 4)] == [1, 2, 3, 4]


def test_where_steps_are_empty_the_front_s_most_isolated_are_trained_before_what_it_dominates():
    """The step from 10 to 316 is empty; of 2 and 3 the first is further from both ends."""
    found = [candidate(1, 0.5, 10), candidate(2, 0.6, 2_000), candidate(3, 0.7, 5_000), candidate(4, 0.8, 10_000)]
    dominated = [candidate(5, 0.1, 6_000), candidate(6, 0.2, 9_000)]
    assert [c.number for c in along_cost([*found, *dominated], 3)] == [1, 2, 4]
    assert [c.number for c in along_cost([*found, *dominated], 4)] == [1, 2, 3, 4]


def test_the_cheapest_worthwhile_is_the_cheapest_that_is_above_the_degraded_photographs():
    found = [candidate(1, 0.4, 1), candidate(2, 0.6, 10), candidate(3, 0.8, 100), candidate(4, 0.9, 1000)]
    assert [c.number for c in along_cost(found, 3, worthwhile=0.5)] == [2, 3, 4]
    assert [c.number for c in along_cost(found, 4, worthwhile=0.5)] == [1, 2, 3, 4]
    assert [c.number for c in along_cost(found, 2, worthwhile=1.0)] == [1, 4]


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("seed", range(5))
def test_half_of_what_is_trained_are_known_ones_and_the_others_are_chosen_as_without_them(seed, count):
    found = spread_set(seed)
    known = {c.number for c in found if c.number % 3 == 0}
    chosen = to_train(found, count, 0.0, known)
    assert len({c.number for c in chosen}) == len(chosen) == min(count, len(found))
    assert [c.scores.cost for c in chosen] == sorted(c.scores.cost for c in chosen)
    sure = by_hand_from_the_dearest([c for c in found if c.number in known], count // 2)
    left = [c for c in found if c.number not in sure]
    assert {c.number for c in chosen} == sure | {c.number for c in along_cost(left, count - len(sure))}


def by_hand_from_the_dearest(known: list[Candidate], count: int) -> set[int]:
    """Numbers: the dearest, then each time the dearest of those that cost at most two thirds of it."""
    chosen: set[int] = set()
    while known and len(chosen) < count:
        dearest = max(known, key=lambda c: c.scores.cost)
        chosen.add(dearest.number)
        known = [c for c in known if 1.5 * c.scores.cost <= dearest.scores.cost]
    return chosen


def test_a_known_candidate_is_trained_although_its_score_is_the_worst_of_all():
    found = [candidate(1, 0.7, 10), candidate(2, 0.8, 200), candidate(3, 0.1, 210), candidate(4, 0.75, 20)]
    assert 3 not in {c.number for c in to_train(found, 2, 0.0, frozenset())}
    assert [c.number for c in to_train(found, 2, 0.0, {3})] == [2, 3]
    assert [c.number for c in to_train(found, 1, 0.0, {3})] == [2], "one alone is the best by score"
