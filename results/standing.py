"""Standing: how far a search is while it runs, read from its study alone, so that who looks on disturbs nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Candidate
from results.front import hypervolume, pareto_front
from results.study import REFERENCE_NUMBER, candidates, genotype_of, reference_point, trainings
from search_spaces.units import format_cost

_ASKED = "asked"  # for how much, in a study
_RECENT = 12  # trials by which the pace is taken


@dataclass(frozen=True, slots=True)
class Asked:
    """What the last call of a search wanted in all; 0: that part was not begun."""

    trials: int = 0  # scored networks
    trainings: int = 0  # full trainings


@dataclass(frozen=True, slots=True)
class Running:
    """A candidate that is being scored, or was when its search was killed."""

    number: int
    cost: float  # in the run's unit
    seconds: float  # since it was begun


@dataclass(frozen=True, slots=True)
class Standing:
    """A search at one moment."""

    asked: Asked
    scored: int  # trials
    rejected: int  # proposals over the budget, or known already
    failed: dict[int, str]  # why, by trial
    running: Sequence[Running]
    front: Sequence[Candidate]  # by the search's own scores, cheapest first, without the reference
    hypervolume: float  # SSIM times decades of cost
    trained: int  # full trainings
    seconds_left: float | None  # of scoring, at the pace of the last trials; None: unknown

    @property
    def is_scored(self) -> bool:
        """Whether no trial is missing."""
        return bool(self.asked.trials) and self.scored + len(self.failed) >= self.asked.trials and not self.running

    @property
    def is_done(self) -> bool:
        """Whether nothing that was asked for is missing."""
        return self.is_scored and self.trained >= self.asked.trainings

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `lpienas watch --json` prints them."""
        return asdict(self) | {"front": [candidate.to_json() for candidate in self.front], "done": self.is_done}

    def lines(self, cost: str) -> list[str]:
        """The same in words, for a terminal; `cost` is one of units.COSTS."""
        left = "" if not self.seconds_left else f", about {_in_words(self.seconds_left)} left"
        of_trials = f" of {self.asked.trials}" if self.asked.trials else ""
        said = [f"scored {self.scored}{of_trials}, rejected {self.rejected}{left}"]
        if self.asked.trainings or self.trained:
            said.append(f"full trainings {self.trained} of {max(self.asked.trainings, self.trained)}")
        said += [
            f"in flight: candidate {one.number}, {format_cost(cost, one.cost)}, for {_in_words(one.seconds)}"
            for one in self.running
        ]
        said += [f"failed: candidate {number}: {reason}" for number, reason in self.failed.items()]
        said.append(f"hypervolume {self.hypervolume:.4f} SSIM x decades of cost, by the search's own scores")
        said += [
            f"front: candidate {one.number}, SSIM {one.scores.ssim:.4f}, {format_cost(cost, one.scores.cost)}"
            for one in self.front
        ]
        return said


def ask(study: optuna.Study, trials: int | None = None, trainings: int | None = None) -> None:
    """Keep what is wanted in all, for who looks on; None leaves what is kept."""
    before = _asked(study)
    now = Asked(before.trials if trials is None else trials, before.trainings if trainings is None else trainings)
    if now != before:
        study.set_user_attr(_ASKED, asdict(now))


def standing_of(study: optuna.Study, now: datetime) -> Standing:
    """Where a search is; `now` as datetime.now gives it."""
    trials = study.get_trials(deepcopy=False)
    of_state = {state: [trial for trial in trials if trial.state is state] for state in TrialState}
    complete, failed = of_state[TrialState.COMPLETE], of_state[TrialState.FAIL]
    asked, found = _asked(study), [one for one in candidates(trials) if one.number != REFERENCE_NUMBER]
    corner = reference_point(study) if "reference_point" in study.user_attrs else None
    return Standing(
        asked,
        len(complete),
        len(of_state[TrialState.PRUNED]),
        {trial.number: str(trial.user_attrs.get("reason", "no reason is known")) for trial in failed},
        [_running(trial, now) for trial in of_state[TrialState.RUNNING] if genotype_of(trial) is not None],
        pareto_front(found),
        0.0 if corner is None else hypervolume((candidate.scores for candidate in found), corner),
        len(trainings(study, "full")),
        _left(complete, asked.trials - len(complete) - len(failed), now),
    )


def _asked(study: optuna.Study) -> Asked:
    return Asked(**study.user_attrs.get(_ASKED, {}))


def _running(trial: FrozenTrial, now: datetime) -> Running:
    begun = trial.datetime_start or now
    return Running(trial.number, float(trial.user_attrs["cost"]), (now - begun).total_seconds())


def _left(complete: Sequence[FrozenTrial], missing: int, now: datetime) -> float | None:
    """Seconds until `missing` trials more are scored: what one of the last took of the clock, times their number.

    Several workers end trials more often, which the ends of trials show; a pause between two calls of a search shows
    there too, so that no step between ends counts for more than three times the longest of these trials took itself.
    """
    if missing <= 0:
        return 0.0
    recent = sorted((trial for trial in complete if trial.datetime_complete), key=_ended)[-_RECENT:]
    if len(recent) < 2:
        return None
    longest = max((trial.duration.total_seconds() for trial in recent if trial.duration is not None), default=0.0)
    ends = [_ended(trial) for trial in recent]
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(ends)]
    a_step = fmean(min(step, 3 * longest) for step in steps)
    return max(0.0, a_step * missing - min((now - ends[-1]).total_seconds(), a_step))


def _ended(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete


def _in_words(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
