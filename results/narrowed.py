"""Narrowed: the networks of a front that a user's limits leave, and the one to take of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from results.candidate import Candidate
from results.report import FrontReport
from search_spaces.units import format_cost


@dataclass(frozen=True, slots=True)
class Limits:
    """What a network may cost, and must reach; None: anything."""

    cost: float | None = None  # at most, in the run's unit
    ssim: float | None = None  # at least, in final figures

    def allow(self, report: FrontReport, candidate: Candidate) -> bool:
        """Whether a candidate with final figures keeps both."""
        affordable = self.cost is None or candidate.scores.cost <= self.cost
        return affordable and (self.ssim is None or report.final(candidate)[0] >= self.ssim)


def narrowed(report: FrontReport, limits: Limits) -> FrontReport:
    """`report` with what `limits` leave of the front and of what it dominates.

    Raises ValueError where they leave nothing of the front; it says how far the front reaches.
    """
    front = [candidate for candidate in report.front if limits.allow(report, candidate)]
    if not front:
        cheapest, best = report.front[0], max(report.front, key=lambda candidate: report.final(candidate)[0])
        raise ValueError(
            f"no network of the front is within these limits: the cheapest, {cheapest.number}, takes "
            f"{format_cost(report.cost, cheapest.scores.cost)}, and the best, {best.number}, has SSIM "
            f"{report.final(best)[0]:.4f} for {format_cost(report.cost, best.scores.cost)}"
        )
    apart = report.reference.number
    left = [
        c for c in report.candidates if c.number == apart or c.number not in report.seeds or limits.allow(report, c)
    ]
    return replace(report, front=front, candidates=left)


def advised(report: FrontReport, limits: Limits, left: Sequence[Candidate]) -> Candidate:
    """Of networks within `limits` the one to take: the cheapest that is good enough, else the best of them.

    Cheapest first in `left`, as a front is.
    """
    return left[0] if limits.ssim is not None else max(left, key=lambda candidate: report.final(candidate)[0])
