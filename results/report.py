"""Report: everything that a study says about its front, gathered once for table, JSON, plot and summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from results.candidate import Candidate
from results.front import Comparison, ReferencePoint, compare, hypervolume, knee, pareto_front, verdict
from results.study import candidates, count_states, reference_of, reference_point


@dataclass(frozen=True, slots=True)
class FrontReport:
    """The front of one study."""

    reference: Candidate
    candidates: Sequence[Candidate]
    front: Sequence[Candidate]  # cheapest first
    knee: Candidate
    hypervolume: float  # SSIM times decades of MACs
    reference_point: ReferencePoint
    trials: dict[str, int]  # by state
    comparison: Comparison

    @property
    def verdict(self) -> str:
        """Whether and by how much the front beats the reference, in one sentence."""
        return verdict(self.comparison)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `lpienas front --json` prints them."""
        comparison = self.comparison
        return {
            "reference": self.reference.to_json(),
            "front": [candidate.to_json() for candidate in self.front],
            "knee": self.knee.number,
            "hypervolume": self.hypervolume,
            "hypervolume_unit": "SSIM x decades of MACs",
            "reference_point": {"ssim": self.reference_point.ssim, "macs": self.reference_point.macs},
            "trials": self.trials,
            "ssim_gain_at_equal_macs": comparison.ssim_gain,
            "macs_ratio_at_equal_ssim": comparison.macs_ratio,
            "verdict": self.verdict,
        }


def report_front(study: optuna.Study) -> FrontReport:
    """The report of a study; raises ValueError when nothing has been scored yet."""
    trials = study.get_trials(deepcopy=False)
    reference, scored, corner = reference_of(trials), candidates(trials), reference_point(study)
    front = pareto_front(scored)
    if not front:
        raise ValueError("no candidate within the budget has been scored yet; let the search go on")
    return FrontReport(
        reference=reference,
        candidates=scored,
        front=front,
        knee=knee(front),
        hypervolume=hypervolume([candidate.scores for candidate in scored], corner),
        reference_point=corner,
        trials=count_states(trials),
        comparison=compare(scored, reference),
    )
