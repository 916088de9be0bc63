"""Front: which candidates no other one beats, how much they cover, and where the knee is.

Two objectives: SSIM up, cost down. The cost is what the run was told to make small: multiply-adds (MACs), latency, or
memory. Costs are compared as they are and measured in decades (log10), as in the study.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from results.candidate import Candidate, Scores
from results.verdict import BETTER, Verdict

Point = tuple[float, float]  # SSIM, cost
_APART = 1.5  # times, at least, that one known candidate costs of the next cheaper one


@dataclass(frozen=True, slots=True)
class ReferencePoint:
    """The corner from which the hypervolume is measured; fixed when a study is made, and stored with it."""

    ssim: float  # of the degraded photographs themselves: what no network at all gives
    cost: float  # above every network of the space

    def __post_init__(self) -> None:
        if not math.isfinite(self.ssim) or self.cost <= 0:
            raise ValueError(f"reference point needs a finite ssim and a cost above 0, got {self}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The front against the reference network; None where the front has nothing to say."""

    ssim_gain: float | None  # best SSIM at no more cost than the reference, less the reference's
    best: Candidate | None
    cost_ratio: float | None  # reference's cost over the least that reaches its SSIM
    cheapest: Candidate | None


def pareto_front(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that no other one dominates, cheapest first; of equal ones the first in trial order stays."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.scores.cost, -c.scores.ssim, c.number)):
        if not front or candidate.scores.ssim > front[-1].scores.ssim:
            front.append(candidate)
    return front


def by_merit(points: Sequence[Point]) -> list[int]:
    """Places of `points` in order of merit: by non-dominated rank, and within one the most isolated first."""
    rank = ranks(points)
    spacing = [0.0] * len(points)
    of_level: dict[int, list[int]] = {}
    for i, level in enumerate(rank):
        of_level.setdefault(level, []).append(i)
    for members in of_level.values():
        for i, distance in zip(members, _crowding([points[i] for i in members]), strict=True):
            spacing[i] = distance
    return sorted(range(len(points)), key=lambda i: (rank[i], -spacing[i], i))


def to_train(candidates: Sequence[Candidate], count: int, worthwhile: float, known: Set[int]) -> list[Candidate]:
    """Up to `count` candidates that are worth a full training, cheapest first.

    Half of the places, rounded down, are for candidates of the numbers `known`, which are good whatever a cheap score
    says of them: the dearest one first, then each time the dearest that costs at most 1 / _APART of the one before. The
    other candidates have the other places, as `along_cost` gives them.
    """
    sure: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.scores.cost):
        apart = not sure or candidate.scores.cost * _APART <= sure[-1].scores.cost
        if candidate.number in known and apart and len(sure) < count // 2:
            sure.append(candidate)
    numbers = {candidate.number for candidate in sure}
    others = [candidate for candidate in candidates if candidate.number not in numbers]
    chosen = [*sure, *along_cost(others, count - len(sure), worthwhile)]
    return sorted(chosen, key=lambda c: (c.scores.cost, c.number))


def along_cost(candidates: Sequence[Candidate], count: int, worthwhile: float = -math.inf) -> list[Candidate]:
    """Up to `count` candidates from the cheapest to the dearest, evenly spread in decades, cheapest first.

    The cheapest, and in each of `count` - 1 equal steps from it to the dearest candidate the one with the best SSIM,
    whether the front holds it or not: scores are not so sure that a front of them is more than a hint, and a score of
    short trainings has no eye for what large networks come to. Steps that hold none give their places to the front's
    most isolated candidates, then to those next in merit. Candidates of SSIM `worthwhile` or less, such as the degraded
    photographs have themselves, come last. `count` of 1 gives the front's best SSIM.
    """
    worthy = [candidate for candidate in candidates if candidate.scores.ssim > worthwhile]
    others = [candidate for candidate in candidates if candidate.scores.ssim <= worthwhile]
    front = pareto_front(worthy or others)
    if not front or count < 1:
        return []
    cheapest, best = front[0], front[-1]
    chosen = {best.number: best}
    if count > 1:
        chosen[cheapest.number] = cheapest
        dearest = max(candidate.scores.cost for candidate in worthy or others)
        for step in _steps(worthy or others, cheapest.scores.cost, dearest, count - 1):
            top = max(step, key=lambda c: (c.scores.ssim, -c.scores.cost))
            chosen[top.number] = top
    while len(chosen) < count and (left := [candidate for candidate in front if candidate.number not in chosen]):
        isolated = max(left, key=lambda c: min(_decades(c, other) for other in chosen.values()))
        chosen[isolated.number] = isolated
    for rest in (worthy, others):
        for place in by_merit([(candidate.scores.ssim, candidate.scores.cost) for candidate in rest]):
            if len(chosen) < count:
                chosen.setdefault(rest[place].number, rest[place])
    return sorted(chosen.values(), key=lambda c: (c.scores.cost, c.number))


def ranks(points: Sequence[Point]) -> list[int]:
    """Non-dominated rank of each point: 0 for the Pareto front, 1 for the front of the rest, and so on."""
    rank = [0] * len(points)
    last: list[float] = []  # of each front so far its highest SSIM, negated: it falls from front to front
    before: Point | None = None
    level = 0
    for i in sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0])):
        if points[i] != before:  # equal ones do not dominate each other
            before = points[i]
            level = bisect_right(last, -before[0])
            last[level : level + 1] = [-before[0]]
        rank[i] = level
    return rank


def hypervolume(scores: Iterable[Scores], reference: ReferencePoint) -> float:
    """Area that `scores` dominate above `reference`, in SSIM times decades of cost; points outside it count 0."""
    inside = [s for s in scores if s.cost < reference.cost and s.ssim > reference.ssim]
    area, best = 0.0, reference.ssim
    for point in sorted(inside, key=lambda s: (s.cost, -s.ssim)):
        if point.ssim > best:
            area += (point.ssim - best) * math.log10(reference.cost / point.cost)
            best = point.ssim
    return area


def knee(front: Sequence[Candidate]) -> Candidate:
    """The candidate furthest above the line from the cheapest to the best one, both axes scaled to [0, 1].

    With fewer than three candidates the best one. Raises ValueError for an empty front.
    Source: Das, "On characterizing the knee of the Pareto curve", 1999.
    """
    if not front:
        raise ValueError("an empty front has no knee; score at least one candidate first")
    ordered = sorted(front, key=lambda c: c.scores.cost)
    if len(ordered) < 3:
        return ordered[-1]
    first, last = ordered[0].scores, ordered[-1].scores
    decades, gain = math.log10(last.cost / first.cost), last.ssim - first.ssim

    def height(candidate: Candidate) -> float:
        scores = candidate.scores
        return (scores.ssim - first.ssim) / gain - math.log10(scores.cost / first.cost) / decades

    return max(ordered, key=height)


def compare(candidates: Iterable[Candidate], reference: Candidate) -> Comparison:
    """What the other candidates give at the reference's MACs, and need for the reference's SSIM."""
    others = [c for c in candidates if c.number != reference.number]
    affordable = [c for c in others if c.scores.cost <= reference.scores.cost]
    as_good = [c for c in others if c.scores.ssim >= reference.scores.ssim]
    best = max(affordable, key=lambda c: c.scores.ssim, default=None)
    cheapest = min(as_good, key=lambda c: c.scores.cost, default=None)
    return Comparison(
        ssim_gain=None if best is None else best.scores.ssim - reference.scores.ssim,
        best=best,
        cost_ratio=None if cheapest is None else reference.scores.cost / cheapest.scores.cost,
        cheapest=cheapest,
    )


def verdict(
    comparison: Comparison, judged: Verdict | None = None, noise: float | None = None, unit: str = "MACs"
) -> str:
    """Whether, and by how much, the front beats the reference, for people.

    `judged` is the verdict on the best candidate at no more cost, where test photographs have given one; else `noise`,
    the standard deviation of SSIM between seeds, is quoted, and that nothing was tested against chance.
    """
    best, gain, cheapest = comparison.best, comparison.ssim_gain, comparison.cheapest
    if best is None or gain is None:
        return f"No candidate costs as little as the reference, in {unit}, so the front does not beat it."
    scatter = "seed noise is not known" if noise is None else f"seed noise {noise:.4f}"
    doubt = f" ({scatter}; not tested against chance)." if judged is None else f". {judged.sentence}"
    if cheapest is None or comparison.cost_ratio is None:
        return (
            f"The front does not beat the reference: at no more {unit} its best candidate, {best.number}, "
            f"is {-gain:.4f} SSIM below it{doubt}"
        )
    if gain <= 0 and comparison.cost_ratio <= 1:
        return f"The front does not beat the reference: no candidate is better at no more {unit}{doubt}"
    at_equal_quality = (
        f"candidate {cheapest.number} reaches its SSIM with {1 / comparison.cost_ratio:.0%} of its {unit}"
    )
    if gain <= 0:
        return f"The front beats the reference in cost only: {at_equal_quality}{doubt}"
    shown = judged is None or judged.word == BETTER
    beats = "The front beats the reference" if shown else "The front is not shown to beat the reference in SSIM"
    return (
        f"{beats}: at no more {unit} candidate {best.number} is {gain:.4f} SSIM above it, and {at_equal_quality}{doubt}"
    )


def _steps(found: Sequence[Candidate], low: float, high: float, count: int) -> list[list[Candidate]]:
    """The candidates in each of `count` steps of cost, equal in decades, above `low` up to `high`; no empty ones."""
    steps: dict[int, list[Candidate]] = {}
    for candidate in found:
        if low < candidate.scores.cost <= high:
            at = math.log(candidate.scores.cost / low) / math.log(high / low)
            steps.setdefault(min(math.ceil(at * count - 1e-9), count), []).append(candidate)
    return [steps[at] for at in sorted(steps)]


def _decades(one: Candidate, other: Candidate) -> float:
    return abs(math.log10(one.scores.cost / other.scores.cost))


def _crowding(points: Sequence[Point]) -> list[float]:
    """Distance between each point's neighbours along the cost axis, in decades; infinite at both ends (NSGA-II)."""
    spacing = [math.inf] * len(points)
    order = sorted(range(len(points)), key=lambda i: points[i][1])
    for before, here, after in zip(order, order[1:], order[2:], strict=False):
        spacing[here] = math.log10(points[after][1] / points[before][1])
    return spacing
