"""Front: equal to brute force on random sets, and sentences that say what the figures say."""

import itertools
import math
import random

import numpy as np
import pytest

from results.candidate import Candidate, Scores
from results.front import ReferencePoint, by_merit, compare, hypervolume, knee, pareto_front, ranks, verdict
from results.verdict import judge
from search_spaces.space import REFERENCE
from tests.candidate_sets import candidate, random_set

CORNER = ReferencePoint(ssim=0.5, cost=10_000)


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
