"""Report: everything that a study says about its front, gathered once for table, JSON, plot and summary."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import Any

import optuna

from results.candidate import Candidate
from results.front import Comparison, ReferencePoint, compare, hypervolume, knee, pareto_front, verdict
from results.study import (
    Training,
    candidates,
    count_states,
    full_trainings,
    reference_of,
    reference_point,
    trainings,
)


@dataclass(frozen=True, slots=True)
class FrontReport:
    """The front of one study, by the best scores that it has: after full training, or as the search scored."""

    basis: str  # which scores
    reference: Candidate
    candidates: Sequence[Candidate]  # that have these scores
    front: Sequence[Candidate]  # cheapest first
    knee: Candidate
    fell_off: Sequence[Candidate]  # on the front by the search's scores, dominated by these
    hypervolume: float  # SSIM times decades of cost
    reference_point: ReferencePoint
    trials: dict[str, int]  # by state
    comparison: Comparison | None  # None where the scores do not measure the reference
    seed_noise: float | None  # standard deviation of SSIM between seeds, where any network was trained twice
    seeds: dict[int, int]  # full trainings by candidate
    searched: Sequence[Candidate]  # all, with the search's own scores
    cost: str = "macs"  # one of units.COSTS

    @property
    def verdict(self) -> str:
        """Whether and by how much the front beats the reference, in one sentence."""
        if self.comparison is None:
            return (
                f"Not compared with the reference: {self.basis} rank candidates, they do not measure the reference. "
                "`lpienas search --confirm 5` trains the best and the reference fully."
            )
        unit = {"macs": "MACs", "latency": "latency", "memory": "memory"}[self.cost]
        return f"{verdict(self.comparison, self.seed_noise, unit)} Scores: {self.basis}."

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `lpienas front --json` prints them."""
        comparison = self.comparison
        return {
            "basis": self.basis,
            "reference": self.reference.to_json(),
            "front": [candidate.to_json() for candidate in self.front],
            "fell_off": [candidate.to_json() for candidate in self.fell_off],
            "knee": self.knee.number,
            "hypervolume": self.hypervolume,
            "hypervolume_unit": f"SSIM x decades of {self.cost}",
            "reference_point": {"ssim": self.reference_point.ssim, "cost": self.reference_point.cost},
            "cost": self.cost,
            "trials": self.trials,
            "seed_noise": self.seed_noise,
            "seeds": self.seeds,
            "ssim_gain_at_equal_cost": None if comparison is None else comparison.ssim_gain,
            "cost_ratio_at_equal_ssim": None if comparison is None else comparison.cost_ratio,
            "verdict": self.verdict,
        }


def report_front(
    study: optuna.Study,
    score: str = "short",
    cost: str = "macs",
    anatomies: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
) -> FrontReport:
    """The report of a study whose search scored by `score`; raises ValueError when nothing has been scored yet.

    `anatomies` are those of the full trainings, by candidate (nas.confirm.anatomies): a candidate counts without its
    dead channels, as it is shipped. The reference counts as it was released.
    """
    trials = study.get_trials(deepcopy=False)
    reference, searched, corner = reference_of(trials), candidates(trials), reference_point(study)
    if not searched:
        raise ValueError("no candidate within the budget has been scored yet; let the search go on")
    full, rungs = full_trainings(study), trainings(study, "rung")
    if {training.number for training in full} - {reference.number}:
        basis, final = _full_basis(full, reference.number), rescored([*searched, reference], full)
        for number in (anatomies or {}).keys() & final.keys() - {reference.number}:
            final[number] = stripped(final[number], (anatomies or {})[number], cost)
    elif reached := [rung.steps for rung in rungs if rung.number != reference.number]:  # it goes ahead of the others
        top = [training for training in rungs if training.steps == max(reached)]
        basis, final = f"training of {top[0].steps} steps, from scratch", rescored([*searched, reference], top)
    else:
        basis, final = {"supernet": "inherited weights of the supernet"}.get(score, "one short training each"), {}
    judged = [final[c.number] for c in searched if c.number in final] if final else list(searched)
    before = pareto_front(c for c in searched if not final or c.number in final)
    front = pareto_front(judged)
    yardstick = final.get(reference.number, reference)
    return FrontReport(
        basis=basis,
        reference=yardstick,
        candidates=judged,
        front=front,
        knee=knee(front),
        fell_off=[final[c.number] for c in before if final and all(c.number != kept.number for kept in front)],
        hypervolume=hypervolume([candidate.scores for candidate in judged], corner),
        reference_point=corner,
        trials=count_states(trials),
        comparison=None if score == "supernet" and not final else compare(judged, yardstick),
        seed_noise=seed_noise(full),
        seeds={number: len(repeated) for number, repeated in by_number(full).items()},
        searched=searched,
        cost=cost,
    )


def rescored(found: Sequence[Candidate], trained: Sequence[Training]) -> dict[int, Candidate]:
    """The candidates that were trained, by number, with the mean of their trainings' scores."""
    known = {candidate.number: candidate for candidate in found}
    return {
        number: replace(
            known[number],
            scores=replace(
                known[number].scores, ssim=fmean(t.ssim for t in repeated), psnr=fmean(t.psnr for t in repeated)
            ),
        )
        for number, repeated in by_number(trained).items()
        if number in known
    }


def stripped(candidate: Candidate, anatomies: Sequence[Mapping[str, Any]], cost: str) -> Candidate:
    """The candidate with the multiply-adds and parameters that are left without dead channels.

    Those of the training that leaves most, where there are several. A measured cost stays that of the whole network.
    """
    most = max(anatomies, key=lambda found: int(found["stripped"]["macs"]))
    scores = candidate.scores
    # Both counts are of one size and proportional to the pixels, so that this is exact at the size of the run.
    macs = scores.macs * int(most["stripped"]["macs"]) // int(most["macs"])
    parameters = int(most["stripped"]["parameters"])
    return replace(
        candidate,
        scores=replace(scores, macs=macs, parameters=parameters, cost=float(macs) if cost == "macs" else scores.cost),
    )


def seed_noise(trained: Sequence[Training]) -> float | None:
    """Pooled standard deviation of SSIM over the candidates that were trained with more than one seed."""
    groups = [[t.ssim for t in repeated] for repeated in by_number(trained).values() if len(repeated) > 1]
    if not groups:
        return None
    degrees = sum(len(group) - 1 for group in groups)
    return math.sqrt(sum(variance(group) * (len(group) - 1) for group in groups) / degrees)


def by_number(trained: Sequence[Training]) -> dict[int, list[Training]]:
    """Trainings grouped by candidate."""
    groups: dict[int, list[Training]] = defaultdict(list)
    for training in trained:
        groups[training.number].append(training)
    return dict(groups)


def _full_basis(full: Sequence[Training], reference: int) -> str:
    steps = sorted({training.steps for training in full})
    starts = sorted({training.start for training in full if training.number != reference})
    most = max(len(repeated) for repeated in by_number(full).values())
    seeds = "one seed each" if most == 1 else f"mean of up to {most} seeds"
    others = "" if starts == ["scratch"] else " (the reference from scratch)"
    return f"full training of {' or '.join(map(str, steps))} steps, from {' or '.join(starts)}{others}, {seeds}"
