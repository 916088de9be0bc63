"""Seen: what a search knows of its study: its own results as they come, those of others whenever it looks."""

import time
from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Candidate
from results.front import pareto_front
from results.leases import Leases
from results.study import Trained, candidate_of, in_flight, is_within_budget, trainings
from results.trials import BY

_PAUSE, _SHARE = 1.0, 20.0  # seconds between two looks, at least, and how many times longer than a look took
_COUNTED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL)


class Seen:
    """The trials of a study and the trainings of its rungs, kept up to date; all of it can be read from the study."""

    def __init__(self, study: optuna.Study, leases: Leases, in_rungs: bool) -> None:
        """`in_rungs` says whether candidates are trained further by successive halving."""
        self._study, self._leases, self._in_rungs = study, leases, in_rungs
        self.known: dict[int, Candidate] = {}  # with the scores of the first rung
        self.front: list[Candidate] = []  # of those within the budget
        self.counted: set[int] = set()  # trials that are scored, failed, or being scored
        self._ended: set[int] = set()  # trials that are scored or failed
        self.open: dict[int, FrozenTrial] = {}  # trials that run elsewhere, or did when their search was killed
        self.higher: dict[int, dict[int, Trained]] = {}  # by steps and trial
        self.changes = 0  # how often a candidate or a training was added, so that others know when to think again
        self._length, self._next_look = 0, 0.0
        self._take_in(study.get_trials(deepcopy=False))
        self._read_rungs()

    @property
    def ended(self) -> int:
        """Number of trials that are scored or failed."""
        return len(self._ended)

    def look(self, at_once: bool = False) -> list[FrozenTrial]:
        """What other searches have added or ended since the last look; nothing where it was not long ago."""
        if self._leases.me is None or (not at_once and time.monotonic() < self._next_look):
            return []
        began = time.monotonic()
        trials = self._study.get_trials(deepcopy=False)
        changed = [trials[number] for number in sorted(self.open) if trials[number].state.is_finished()]
        for trial in changed:
            del self.open[trial.number]
        fresh = [trial for trial in trials[self._length :] if trial.user_attrs.get(BY) != self._leases.me]
        self._take_in([*changed, *fresh])
        self._length = len(trials)
        self._refresh_open(trials)
        self._read_rungs()
        took = time.monotonic() - began
        self._next_look = time.monotonic() + max(_PAUSE, _SHARE * took)
        return sorted([*changed, *fresh], key=lambda trial: trial.number)

    def begin(self, number: int) -> None:
        """This search begins to score a trial."""
        self.counted.add(number)
        self.open.pop(number, None)
        if self._leases.me is None:
            self._length = max(self._length, number + 1)

    def drop(self, number: int, trial: FrozenTrial | None = None) -> None:
        """A trial is not to be scored after all; or, where it is given, it runs elsewhere."""
        self.counted.discard(number)
        if trial is not None:
            self._take_in([trial])

    def scored(self, candidate: Candidate, within: bool) -> None:
        """A candidate has its scores; `within` says whether it keeps to the budget."""
        self._ended.add(candidate.number)
        self.changes += 1
        self.counted.add(candidate.number)
        self.known[candidate.number] = candidate
        if within:
            self.front = pareto_front([*self.front, candidate])

    def failed(self, number: int) -> None:
        """The training of a candidate failed."""
        self._ended.add(number)
        self.counted.add(number)

    def trained(self, training: Trained) -> None:
        """A candidate was trained to a higher rung."""
        self.changes += 1
        self.higher.setdefault(training.steps, {})[training.number] = training

    def dead(self) -> list[FrozenTrial]:
        """Trials that run although their search does not, by number."""
        return [
            trial
            for trial in in_flight([self.open[number] for number in sorted(self.open)])
            if not self._leases.is_alive(str(trial.user_attrs.get(BY)))
        ]

    def _take_in(self, trials: Sequence[FrozenTrial]) -> None:
        for trial in trials:
            self._length = max(self._length, trial.number + 1)
            if trial.number in self._ended:
                continue
            if trial.state in _COUNTED:
                self.counted.add(trial.number)
            else:
                self.counted.discard(trial.number)
            if trial.state is TrialState.COMPLETE:
                self.scored(candidate_of(trial), is_within_budget(trial))
            elif trial.state is TrialState.FAIL:
                self.failed(trial.number)
            elif trial.state is TrialState.RUNNING:
                self.open[trial.number] = trial

    def _refresh_open(self, trials: Sequence[FrozenTrial]) -> None:
        """Whose the open ones are by now."""
        self.open = {number: trials[number] for number in self.open}

    def _read_rungs(self) -> None:
        if self._in_rungs:
            for training in trainings(self._study, "rung"):
                if training.number not in self.higher.get(training.steps, {}):
                    self.trained(training)
