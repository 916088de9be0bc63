"""Report: everything that a study says about its front, gathered once for table, JSON, plot and summary.

The validation photographs choose: the front, the knee, the candidates that a verdict names. What is said of the
chosen is of the test photographs wherever full trainings have been judged on them.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, variance
from typing import Any

import optuna

from results.candidate import Candidate, Scores
from results.front import Comparison, Point, ReferencePoint, compare, hypervolume, knee, pareto_front, verdict
from results.matrix import judge_trained
from results.photo_score import JUDGED_SIDE, crops_of
from results.study import (
    Trained,
    candidates,
    count_states,
    full_trainings,
    input_on_test,
    reference_failed,
    reference_of,
    reference_point,
    trainings,
)
from results.verdict import Verdict
from search_spaces.own import AnyGenotype

_BASES = {  # of what share weights, what a search goes by before any full training
    "supernet": "inherited weights of the supernet",
    "tuned": "inherited weights of the supernet, each tuned a little",
}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the test photographs say of the front as a whole."""

    photographs: int
    input_ssim: float  # of the degraded photographs themselves
    hypervolume: float  # of the front above that, in SSIM times decades of cost


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
    comparison: Comparison | None  # in final figures; None where the scores do not measure the reference
    seed_noise: float | None  # standard deviation of final SSIM between seeds, where any network was trained twice
    seeds: dict[int, int]  # full trainings by candidate
    searched: Sequence[Candidate]  # all, with the search's own scores
    cost: str = "macs"  # one of units.COSTS
    test: HeldOut | None = None  # None where the scores are the search's own
    failed: str | None = None  # why the reference has no scores; its comparison is None then
    judged: Verdict | None = None  # on the candidate that the comparison names the best; None where it was not tested
    hand_made: tuple[int, ...] = ()  # numbers of networks of the front that no search had to find, cheapest first

    def named(self, number: int) -> str:
        """What sentences call a candidate."""
        return "the reference" if number == self.reference.number else f"candidate {number}"

    @property
    def split(self) -> str:
        """The photographs that final figures are of: test, or validation where no network was tested."""
        return "validation" if self.test is None else "test"

    def final(self, candidate: Candidate) -> Point:
        """SSIM and PSNR of a candidate on the photographs of `split`; raises ValueError for one without."""
        return final_scores(candidate, self.split)

    @property
    def trained_and_dominated(self) -> list[Candidate]:
        """Candidates off the front after full training, cheapest first, without the reference."""
        on = {candidate.number for candidate in (*self.front, self.reference)}
        off = [c for c in self.candidates if c.number in self.seeds and c.number not in on]
        return sorted(off, key=lambda candidate: candidate.scores.cost)

    @property
    def verdict(self) -> str:
        """Whether and by how much the front beats the reference, in one sentence."""
        if self.failed is not None:
            return (
                f"Not compared with the reference, whose training failed: {self.failed}. `lpienas search --confirm 5` "
                "trains it again, fully, beside the best."
            )
        if self.comparison is None:
            return (
                f"Not compared with the reference: {self.basis} rank candidates, they do not measure the reference. "
                "`lpienas search --confirm 5` trains the best and the reference fully."
            )
        unit = {"macs": "MACs", "latency": "latency", "memory": "memory"}[self.cost]
        said = verdict(self.comparison, self.judged, self.seed_noise, unit)
        return f"{said}{self._made_by_hand} Scores: {self.basis}, {self.measured_on}."

    @property
    def _made_by_hand(self) -> str:
        """A sentence, after a space, on what of the front no search had to find; empty where that is nothing."""
        if not self.hand_made:
            return ""
        named = ", ".join(str(number) for number in self.hand_made)
        return f" Of the front's networks these were made by hand, not found: {named}."

    @property
    def measured_on(self) -> str:
        """Which photographs the final figures are of, in words."""
        if self.test is None:
            return "on the validation photographs, which chose them, so not final"
        many = "" if self.test.photographs == 1 else "s"
        return f"on {self.test.photographs} test photograph{many}, which chose nothing, {crops_of(JUDGED_SIDE)}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `lpienas front --json` prints them."""
        comparison = self.comparison
        return {
            "basis": self.basis,
            "reference": self.reference.to_json() | ({} if self.failed is None else {"ssim": None, "psnr": None}),
            "front": [candidate.to_json() for candidate in self.front],
            "dominated": [candidate.to_json() for candidate in self.trained_and_dominated],
            "hand_made": list(self.hand_made),
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
            "judged": None if self.judged is None else self.judged.to_json(),
            "chosen_by": "validation",
            "split": self.split,
            "test": None if self.test is None else asdict(self.test),
        }


def report_front(
    study: optuna.Study,
    score: str = "short",
    cost: str = "macs",
    anatomies: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    hand_made: Collection[AnyGenotype] = (),
) -> FrontReport:
    """The report of a study whose search scored by `score`; raises ValueError when nothing has been scored yet.

    `anatomies` are those of the full trainings, by candidate (nas.confirm.anatomies): a candidate counts without its
    dead channels, as it is shipped. The reference counts as it was released. Networks of the front that are among
    `hand_made` are named as such.
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
        basis, final = _BASES.get(score or "", "one short training each"), {}
    judged = [final[c.number] for c in searched if c.number in final] if final else list(searched)
    before = pareto_front(c for c in searched if not final or c.number in final)
    front = pareto_front(judged)
    yardstick = final.get(reference.number, reference)
    tested = _tested(study, front, corner, full) if all(map(is_tested, judged)) else None
    failed = None if yardstick.number in final else reference_failed(trials)
    unmeasured = failed is not None or (score in _BASES and not final)
    comparison = None if unmeasured else compare(judged, yardstick)
    if tested is not None and comparison is not None:
        comparison = on_test(comparison, yardstick) if is_tested(yardstick) else None  # its training failed
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
        comparison=comparison,
        seed_noise=seed_noise(
            full if tested is None else [_test_means(training) for training in full if training.test]
        ),
        seeds={number: len(repeated) for number, repeated in by_number(full).items()},
        searched=searched,
        cost=cost,
        test=tested,
        failed=failed,
        judged=None if tested is None else _judged(comparison, judged, yardstick, full),
        hand_made=tuple(candidate.number for candidate in front if candidate.genotype in hand_made),
    )


def final_scores(candidate: Candidate, split: str) -> Point:
    """SSIM and PSNR (dB) of a candidate on the photographs of `split`, test or validation; raises ValueError."""
    scores = candidate.scores
    if split == "validation":
        return scores.ssim, scores.psnr
    if scores.test_ssim is None or scores.test_psnr is None:
        raise ValueError(f"candidate {candidate.number} was not judged on test photographs: train it fully")
    return scores.test_ssim, scores.test_psnr


def is_tested(candidate: Candidate) -> bool:
    """Whether a candidate was judged on test photographs."""
    return candidate.scores.test_ssim is not None


def on_test(comparison: Comparison, reference: Candidate) -> Comparison:
    """The same comparison in scores on test photographs: of the candidates that the validation photographs chose.

    The cheapest that reaches the reference's SSIM is the one that does on validation, if it does on the test too,
    else the best one, if that does.
    """
    level, _ = final_scores(reference, "test")
    chosen = [candidate for candidate in (comparison.cheapest, comparison.best) if candidate is not None]
    cheapest = next((candidate for candidate in chosen if final_scores(candidate, "test")[0] >= level), None)
    best = comparison.best
    return Comparison(
        ssim_gain=None if best is None else final_scores(best, "test")[0] - level,
        best=best,
        cost_ratio=None if cheapest is None else reference.scores.cost / cheapest.scores.cost,
        cheapest=cheapest,
    )


def _test_means(training: Trained) -> Trained:
    """A training with the means over its test photographs in place of those over the validation photographs."""
    ssim, psnr = (fmean(getattr(score, name) for score in training.test) for name in ("ssim", "psnr"))
    return replace(training, ssim=ssim, psnr=psnr)


def rescored(found: Sequence[Candidate], trained: Sequence[Trained]) -> dict[int, Candidate]:
    """The candidates that were trained, by number, with the means of their trainings' scores."""
    known = {candidate.number: candidate for candidate in found}
    return {
        number: replace(known[number], scores=_rescored(known[number].scores, repeated))
        for number, repeated in by_number(trained).items()
        if number in known
    }


def _rescored(scores: Scores, repeated: Sequence[Trained]) -> Scores:
    means = replace(scores, ssim=fmean(t.ssim for t in repeated), psnr=fmean(t.psnr for t in repeated))
    if not all(training.test for training in repeated):
        return means
    tested = [_test_means(training) for training in repeated]
    return replace(means, test_ssim=fmean(t.ssim for t in tested), test_psnr=fmean(t.psnr for t in tested))


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


def seed_noise(trained: Sequence[Trained]) -> float | None:
    """Pooled standard deviation of SSIM over the candidates that were trained with more than one seed."""
    groups = [[t.ssim for t in repeated] for repeated in by_number(trained).values() if len(repeated) > 1]
    if not groups:
        return None
    degrees = sum(len(group) - 1 for group in groups)
    return math.sqrt(sum(variance(group) * (len(group) - 1) for group in groups) / degrees)


def by_number(trained: Sequence[Trained]) -> dict[int, list[Trained]]:
    """Trainings grouped by candidate."""
    groups: dict[int, list[Trained]] = defaultdict(list)
    for training in trained:
        groups[training.number].append(training)
    return dict(groups)


def _judged(
    comparison: Comparison | None, found: Sequence[Candidate], reference: Candidate, full: Sequence[Trained]
) -> Verdict | None:
    """The verdict on the best candidate that costs no more than the reference, chosen of all that do not."""
    if comparison is None or comparison.best is None:
        return None
    choice = [c for c in found if c.number != reference.number and c.scores.cost <= reference.scores.cost]
    return judge_trained(by_number(full), comparison.best.number, reference.number, len(choice))


def _tested(
    study: optuna.Study, front: Sequence[Candidate], corner: ReferencePoint, full: Sequence[Trained]
) -> HeldOut | None:
    degraded = input_on_test(study)
    if degraded is None:
        return None
    on_photographs = [replace(c.scores, ssim=final_scores(c, "test")[0]) for c in front]
    above = replace(corner, ssim=degraded)
    return HeldOut(len(full[0].test), degraded, hypervolume(on_photographs, above))


def _full_basis(full: Sequence[Trained], reference: int) -> str:
    steps = sorted({training.steps for training in full})
    starts = sorted({training.start for training in full if training.number != reference})
    most = max(len(repeated) for repeated in by_number(full).values())
    seeds = "one seed each" if most == 1 else f"mean of up to {most} seeds"
    others = "" if starts == ["scratch"] else " (the reference from scratch)"
    return f"full training of {' or '.join(map(str, steps))} steps, from {' or '.join(starts)}{others}, {seeds}"
