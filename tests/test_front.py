"""Front: equal to brute force on random sets, and sentences that say what the figures say."""

import itertools
import math
import random

import numpy as np
import pytest

from results.candidate import Candidate, Scores
from results.front import (
    ReferencePoint,
    along_cost,
    by_merit,
    compare,
    hypervolume,
    knee,
    pareto_front,
    ranks,
    to_train,
    verdict,
)
from results.verdict import judge
from search_spaces.space import REFERENCE

CORNER = ReferencePoint(ssim=0.5, cost=10_000)


def candidate(number: int, ssim: float, macs: int) -> Candidate:
    return Candidate(number, REFERENCE, Scores(ssim, 30.0, macs, 1000))


def random_set(seed: int) -> list[Candidate]:
    """Up to 25 candidates from a coarse grid, so that ties in one objective and in both are common."""
    generator = random.Random(seed)
    return [
        candidate(number, generator.randrange(40, 101, 5) / 100, 10 ** generator.randrange(1, 6))
        for number in range(generator.randrange(1, 26))
    ]


def dominates(one: Candidate, other: Candidate) -> bool:
    no_worse = one.scores.ssim >= other.scores.ssim and one.scores.macs <= other.scores.macs
    return no_worse and (one.scores.ssim, one.scores.macs) != (other.scores.ssim, other.scores.macs)


def area_by_cells(points: list[Candidate], corner: ReferencePoint) -> float:
    """The dominated area as the sum of the grid cells between all coordinates that some point dominates."""
    inside = [p.scores for p in points if p.scores.ssim > corner.ssim and p.scores.macs < corner.cost]
    heights = sorted({corner.ssim, *(s.ssim for s in inside)})
    costs = sorted({corner.cost, *(s.macs for s in inside)})
    return sum(
        (top - bottom) * (math.log10(right) - math.log10(left))
        for bottom, top in itertools.pairwise(heights)
        for left, right in itertools.pairwise(costs)
        if any(s.ssim >= top and s.macs <= left for s in inside)
    )


def distance_above_chord(candidate: Candidate, front: list[Candidate]) -> float:
    """Signed perpendicular distance to the line from the first to the last of `front`, in [0, 1] coordinates."""
    points = np.array([[math.log10(c.scores.macs), c.scores.ssim] for c in (front[0], front[-1], candidate)])
    start, end, point = (points - points[0]) / (points[1] - points[0])
    along = (end - start) / np.linalg.norm(end - start)
    return float(along[0] * (point - start)[1] - along[1] * (point - start)[0])


def front_of(length: int, seed: int) -> list[Candidate]:
    generator = random.Random(seed)
    costs = sorted(generator.sample(range(10, 10_000), length))
    scores = sorted(generator.sample(range(500, 1000), length))
    return [candidate(n, ssim / 1000, macs) for n, (ssim, macs) in enumerate(zip(scores, costs, strict=True))]


@pytest.mark.parametrize("seed", range(100))
def test_the_front_is_the_set_that_nothing_dominates(seed):
    points = random_set(seed)
    expected: dict[Scores, Candidate] = {}
    for point in points:
        if not any(dominates(other, point) for other in points):
            expected.setdefault(point.scores, point)  # of equal ones the first
    assert pareto_front(points) == sorted(expected.values(), key=lambda c: c.scores.macs)


def test_the_front_does_not_depend_on_the_order_of_the_candidates():
    for seed in range(50):
        points = random_set(seed)
        assert pareto_front(random.Random(seed).sample(points, len(points))) == pareto_front(points)


def test_the_front_of_nothing_is_empty():
    assert pareto_front([]) == []


@pytest.mark.parametrize("seed", range(100))
def test_hypervolume_equals_the_sum_of_dominated_cells(seed):
    points = random_set(seed)
    found = hypervolume([p.scores for p in points], CORNER)
    assert found == pytest.approx(area_by_cells(points, CORNER), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_hypervolume_equals_that_of_optuna(seed):
    hypervolumes = pytest.importorskip("optuna._hypervolume")
    points = [p for p in random_set(seed) if p.scores.ssim > CORNER.ssim and p.scores.macs < CORNER.cost]
    if not points:
        pytest.skip("no point above the corner")
    losses = np.array([[-p.scores.ssim, math.log10(p.scores.macs)] for p in points])
    expected = hypervolumes.compute_hypervolume(losses, np.array([-CORNER.ssim, math.log10(CORNER.cost)]))
    assert hypervolume([p.scores for p in points], CORNER) == pytest.approx(expected, abs=1e-12)


def test_hypervolume_of_one_point_is_its_rectangle():
    assert hypervolume([candidate(0, 0.7, 100).scores], CORNER) == pytest.approx(0.2 * 2)


@pytest.mark.parametrize(("ssim", "macs"), [(0.5, 100), (0.4, 100), (0.9, 10_000), (0.9, 20_000)])
def test_points_on_or_outside_the_corner_add_nothing(ssim, macs):
    assert hypervolume([candidate(0, ssim, macs).scores], CORNER) == 0


@pytest.mark.parametrize("seed", range(50))
def test_the_knee_is_furthest_above_the_chord(seed):
    front = front_of(length=3 + seed % 10, seed=seed)
    assert distance_above_chord(knee(front), front) == pytest.approx(
        max(distance_above_chord(c, front) for c in front), abs=1e-9
    )


def test_the_knee_does_not_depend_on_the_order_of_the_front():
    front = front_of(length=8, seed=0)
    assert knee(front[::-1]) == knee(front)


def test_the_knee_of_an_obvious_bend_is_the_bend():
    assert knee([candidate(0, 0.5, 10), candidate(1, 0.9, 20), candidate(2, 0.91, 1000)]).number == 1


def test_front_and_hypervolume_go_by_the_cost_and_not_by_the_multiply_adds():
    slow = Candidate(0, REFERENCE, Scores(0.7, 30.0, 10, 1000, cost=100.0))
    quick = Candidate(1, REFERENCE, Scores(0.8, 30.0, 1000, 1000, cost=10.0))
    assert pareto_front([slow, quick]) == [quick]
    assert hypervolume([slow.scores, quick.scores], CORNER) == pytest.approx(0.3 * 3)


def test_the_knee_of_one_or_two_is_the_best():
    assert knee(front_of(1, seed=0)).number == 0
    assert knee(front_of(2, seed=0)).number == 1


def test_an_empty_front_has_no_knee():
    with pytest.raises(ValueError, match="no knee"):
        knee([])


def test_a_front_that_beats_the_reference_in_both_says_by_how_much():
    reference = candidate(0, 0.80, 1000)
    comparison = compare([reference, candidate(1, 0.83, 900), candidate(2, 0.81, 250)], reference)
    assert comparison.ssim_gain == pytest.approx(0.03)
    assert comparison.cost_ratio == 4
    sentence = verdict(comparison)
    assert sentence.startswith("The front beats the reference: at no more MACs candidate 1 is 0.0300 SSIM above it")
    assert "candidate 2 reaches its SSIM with 25% of its MACs" in sentence


def test_a_front_that_beats_the_reference_in_cost_only_says_so():
    reference = candidate(0, 0.80, 1000)
    comparison = compare([reference, candidate(1, 0.80, 500), candidate(2, 0.90, 2000)], reference)
    assert (comparison.ssim_gain, comparison.cost_ratio) == (0, 2)
    assert verdict(comparison) == (
        "The front beats the reference in cost only: candidate 1 reaches its SSIM with 50% of its MACs "
        "(seed noise is not known; not tested against chance)."
    )


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ([(0.75, 500)], "does not beat the reference: at no more MACs its best candidate, 1, is 0.0500 SSIM below it"),
        ([(0.75, 500), (0.90, 2000)], "does not beat the reference: no candidate is better at no more MACs"),
        ([(0.80, 1000)], "does not beat the reference: no candidate is better at no more MACs"),
        ([(0.90, 2000)], "No candidate costs as little as the reference, in MACs, so the front does not beat it"),
        ([], "No candidate costs as little as the reference, in MACs, so the front does not beat it"),
    ],
)
def test_a_front_that_does_not_beat_the_reference_says_so(others, sentence):
    reference = candidate(0, 0.80, 1000)
    found = [candidate(number, ssim, macs) for number, (ssim, macs) in enumerate(others, 1)]
    assert sentence in verdict(compare([reference, *found], reference))


@pytest.mark.parametrize("noise", [None, 0.004])
def test_a_verdict_that_no_test_photographs_gave_says_so_with_the_seed_noise(noise):
    reference = candidate(0, 0.80, 1000)
    sentence = verdict(compare([reference, candidate(1, 0.83, 900)], reference), noise=noise)
    scatter = "seed noise is not known" if noise is None else "seed noise 0.0040"
    assert sentence.endswith(f"({scatter}; not tested against chance).")


@pytest.mark.parametrize(("apart", "beats"), [(0.03, True), (0.0001, False)])
def test_the_front_beats_the_reference_only_where_the_test_photographs_say_so(apart, beats):
    drawn = np.random.default_rng(0).normal(0.8, 0.002, (2, 3, 12))
    judged = judge(drawn[0] - drawn[0].mean() + drawn[1].mean() + apart, drawn[1], names=("candidate 1", "it"))
    reference = candidate(0, 0.80, 1000)
    sentence = verdict(compare([reference, candidate(1, 0.80 + apart, 900)], reference), judged, noise=0.5)
    assert sentence.startswith("The front beats the reference: ") == beats
    assert sentence.startswith("The front is not shown to beat the reference in SSIM: ") != beats
    assert sentence.endswith(judged.sentence)
    assert "seed noise" not in sentence


def test_the_verdict_names_the_cost_that_it_is_told():
    reference = candidate(0, 0.80, 1000)
    sentence = verdict(compare([reference, candidate(1, 0.83, 250)], reference), unit="latency")
    assert "at no more latency" in sentence
    assert "25% of its latency" in sentence


def points_of(seed: int) -> list[tuple[float, float]]:
    return [(c.scores.ssim, c.scores.cost) for c in random_set(seed)]


def ranks_by_removal(points: list[tuple[float, float]]) -> list[int]:
    """Ranks by taking away, again and again, what nothing that is left dominates."""
    rank, left, level = [0] * len(points), set(range(len(points))), 0
    while left:
        front = {
            i
            for i in left
            if not any(
                points[j][0] >= points[i][0] and points[j][1] <= points[i][1] and points[j] != points[i] for j in left
            )
        }
        for i in front:
            rank[i] = level
        left, level = left - front, level + 1
    return rank


@pytest.mark.parametrize("seed", range(100))
def test_ranks_equal_taking_away_one_front_after_the_other(seed):
    points = points_of(seed)
    assert ranks(points) == ranks_by_removal(points)


@pytest.mark.parametrize("seed", range(30))
def test_the_order_of_merit_never_puts_a_higher_rank_first_and_holds_everyone_once(seed):
    points = points_of(seed)
    order, rank = by_merit(points), ranks_by_removal(points)
    assert sorted(order) == list(range(len(points)))
    assert [rank[i] for i in order] == sorted(rank)


def test_within_a_rank_the_ends_come_first_and_then_the_most_isolated():
    """Distances between neighbours, in decades, of the four in between: 2, 2.5, 3, 2.5 (counted by hand)."""
    decades = (0, 0.5, 2, 3, 5, 5.5)
    points = [(0.1 * place, 10.0**at) for place, at in enumerate(decades)]
    assert by_merit(points) == [0, 5, 3, 2, 4, 1]


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


@pytest.mark.parametrize("seed", range(50))
def test_the_comparison_equals_a_search_through_all_candidates(seed):
    reference, *others = [candidate(0, 0.7, 1000), *random_set(seed)[1:]]
    comparison = compare([reference, *others], reference)
    gains = [c.scores.ssim - 0.7 for c in others if c.scores.macs <= 1000]
    ratios = [1000 / c.scores.macs for c in others if c.scores.ssim >= 0.7]
    assert comparison.ssim_gain == (max(gains) if gains else None)
    assert comparison.cost_ratio == (max(ratios) if ratios else None)


@pytest.mark.parametrize(("ssim", "macs"), [(float("nan"), 100), (0.5, 0)])
def test_a_reference_point_that_is_no_corner_is_refused(ssim, macs):
    with pytest.raises(ValueError, match="reference point needs"):
        ReferencePoint(ssim, macs)


@pytest.mark.parametrize(
    ("ssim", "psnr", "macs", "count"),
    [(float("nan"), 30.0, 1, 1), (0.5, float("inf"), 1, 1), (0.5, 30.0, 0, 1), (0.5, 30.0, 1, 0)],
)
def test_scores_that_are_no_measurement_are_refused(ssim, psnr, macs, count):
    with pytest.raises(ValueError, match="must be"):
        Scores(ssim, psnr, macs, count)
