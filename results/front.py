"""Front: which candidates no other one beats, how much they cover, and where the knee is.

Two objectives: SSIM up, MACs down. MACs are compared as they are and measured in decades (log10), as in the study.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.candidate import Candidate, Scores


@dataclass(frozen=True, slots=True)
class ReferencePoint:
    """The corner from which the hypervolume is measured; fixed when a study is made, and stored with it."""

    ssim: float  # of the degraded photographs themselves: what no network at all gives
    macs: int  # above every network of the space

    def __post_init__(self) -> None:
        if not math.isfinite(self.ssim) or self.macs < 1:
            raise ValueError(f"reference point needs a finite ssim and macs of at least 1, got {self}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The front against the reference network; None where the front has nothing to say."""

    ssim_gain: float | None  # best SSIM at no more MACs than the reference, less the reference's
    best: Candidate | None
    macs_ratio: float | None  # reference's MACs over the fewest MACs that reach its SSIM
    cheapest: Candidate | None


def pareto_front(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that no other one dominates, cheapest first; of equal ones the first in trial order stays."""
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.scores.macs, -c.scores.ssim, c.number)):
        if not front or candidate.scores.ssim > front[-1].scores.ssim:
            front.append(candidate)
    return front


def hypervolume(scores: Iterable[Scores], reference: ReferencePoint) -> float:
    """Area that `scores` dominate above `reference`, in SSIM times decades of MACs; points outside it count 0."""
    inside = [s for s in scores if s.macs < reference.macs and s.ssim > reference.ssim]
    area, best = 0.0, reference.ssim
    for point in sorted(inside, key=lambda s: (s.macs, -s.ssim)):
        if point.ssim > best:
            area += (point.ssim - best) * math.log10(reference.macs / point.macs)
            best = point.ssim
    return area


def knee(front: Sequence[Candidate]) -> Candidate:
    """The candidate furthest above the line from the cheapest to the best one, both axes scaled to [0, 1].

    With fewer than three candidates the best one. Raises ValueError for an empty front.
    Source: Das, "On characterizing the knee of the Pareto curve", 1999.
    """
    if not front:
        raise ValueError("an empty front has no knee; score at least one candidate first")
    ordered = sorted(front, key=lambda c: c.scores.macs)
    if len(ordered) < 3:
        return ordered[-1]
    first, last = ordered[0].scores, ordered[-1].scores
    decades, gain = math.log10(last.macs / first.macs), last.ssim - first.ssim

    def height(candidate: Candidate) -> float:
        scores = candidate.scores
        return (scores.ssim - first.ssim) / gain - math.log10(scores.macs / first.macs) / decades

    return max(ordered, key=height)


def compare(candidates: Iterable[Candidate], reference: Candidate) -> Comparison:
    """What the other candidates give at the reference's MACs, and need for the reference's SSIM."""
    others = [c for c in candidates if c.number != reference.number]
    affordable = [c for c in others if c.scores.macs <= reference.scores.macs]
    as_good = [c for c in others if c.scores.ssim >= reference.scores.ssim]
    best = max(affordable, key=lambda c: c.scores.ssim, default=None)
    cheapest = min(as_good, key=lambda c: c.scores.macs, default=None)
    return Comparison(
        ssim_gain=None if best is None else best.scores.ssim - reference.scores.ssim,
        best=best,
        macs_ratio=None if cheapest is None else reference.scores.macs / cheapest.scores.macs,
        cheapest=cheapest,
    )


def verdict(comparison: Comparison) -> str:
    """One sentence that says whether, and by how much, the front beats the reference."""
    best, gain, cheapest = comparison.best, comparison.ssim_gain, comparison.cheapest
    if best is None or gain is None:
        return "No candidate costs as little as the reference, so the front does not beat it."
    if cheapest is None or comparison.macs_ratio is None:
        return (
            f"The front does not beat the reference: at no more MACs its best candidate, {best.number}, "
            f"is {-gain:.4f} SSIM below it."
        )
    if gain <= 0 and comparison.macs_ratio <= 1:
        return "The front does not beat the reference: no candidate is better at no more MACs."
    at_equal_quality = f"candidate {cheapest.number} reaches its SSIM with {1 / comparison.macs_ratio:.0%} of its MACs"
    if gain > 0:
        return (
            f"The front beats the reference: at no more MACs candidate {best.number} is {gain:.4f} SSIM above it, and "
            f"{at_equal_quality} (scores of one short training each: seed noise is not in them)."
        )
    return f"The front beats the reference in cost only: {at_equal_quality}."
