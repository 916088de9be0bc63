"""Trials: written down when their scoring begins, told once when it ends, and taken over from searches that died."""

import math
from datetime import datetime
from typing import Any
from uuid import uuid4

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Scores
from results.journal import COST, MACS, NUMBER
from results.patient import ASKED_AS, Patient
from results.rows import End, OfAnother, rows_of
from results.study import GENOTYPE, PARAMETERS, PSNR
from search_spaces.own import AnyGenotype

BY = "search"  # which one a trial is of, where several feed a study
SHOWN_CONSTRAINTS = "constraints"  # system attribute of a trial
_SCORED = "scored"  # key of the training that gave a trial its scores


class TakenOver(RuntimeError):
    """A trial that was to be told is another search's by now, or was told by it."""


def attributes_of(genotype: AnyGenotype, macs: int, parameters: int, cost: float) -> dict[str, Any]:
    """What is known of a candidate before it is scored, as the trial keeps it."""
    return {GENOTYPE: genotype.to_json(), MACS: macs, PARAMETERS: parameters, COST: cost}


def write_running(study: optuna.Study, trial: FrozenTrial, by: str | None = None) -> int:
    """Write down a trial whose scoring begins, in one transaction; returns its number.

    `by` is the search that scores it, where several feed the study.
    """
    return _write(study, trial, {} if by is None else {BY: by})


def write_rejected(study: optuna.Study, trial: FrozenTrial, reason: str) -> int:
    """Write down a trial that is not scored, PRUNED, with the reason; returns its number."""
    trial.state, trial.datetime_complete = TrialState.PRUNED, datetime.now()
    return _write(study, trial, {"reason": reason})


def _write(study: optuna.Study, trial: FrozenTrial, attributes: dict[str, Any]) -> int:
    storage, expected = study._storage, trial.number
    if not isinstance(storage, Patient):
        number = len(study.get_trials(deepcopy=False))
        trial.user_attrs = trial.user_attrs | attributes | {NUMBER: number}
        study.add_trial(_shown(trial))
        return number
    trial.user_attrs = trial.user_attrs | attributes | {ASKED_AS: uuid4().hex}
    made = storage.create_new_trial(study._study_id, _shown(trial))
    try:  # which reads less than the trial itself
        if storage.get_trial_id_from_study_id_trial_number(study._study_id, expected) == made:
            return expected
    except KeyError:
        pass
    return int(storage.get_trial(made).number)


def _shown(trial: FrozenTrial) -> FrozenTrial:
    """`trial` with its constraint also as optuna-dashboard 0.21 reads it: a list, where Optuna 5 gives each a name."""
    if trial.constraints and SHOWN_CONSTRAINTS not in trial.system_attrs:
        trial.system_attrs = trial.system_attrs | {SHOWN_CONSTRAINTS: list(trial.constraints.values())}
    return trial


def tell_scores(
    study: optuna.Study, number: int, scores: Scores, key: str | None = None, by: str | None = None
) -> list[float]:
    """Complete a trial; returns what a sampler is to see: SSIM and log10 of the cost.

    `key` is that of the training in results.store that was scored; None: no training of its own was. Raises TakenOver
    where the trial is not of the search `by` any more.
    """
    values = [scores.ssim, math.log10(scores.cost)]
    known = {PSNR: scores.psnr} | ({} if key is None else {_SCORED: key})
    _tell(study, number, End(TrialState.COMPLETE, values, known), by)
    return values


def tell_failed(study: optuna.Study, number: int, reason: str, by: str | None = None) -> None:
    """End a trial whose training failed; raises TakenOver as `tell_scores`."""
    _tell(study, number, End(TrialState.FAIL, attributes={"reason": reason}), by)


def withdraw(study: optuna.Study, number: int, reason: str, by: str | None = None) -> None:
    """End a trial that is not to be scored after all; raises TakenOver as `tell_scores`."""
    _tell(study, number, End(TrialState.PRUNED, attributes={"reason": reason}), by)


def take_over(study: optuna.Study, number: int, by: str) -> bool:
    """Mark a trial as of the search `by`, which holds its lease; False where it was ended meanwhile."""
    try:
        study._storage.set_trial_user_attr(_id_of(study, number), BY, by)
    except UpdateFinishedTrialError:
        return False
    return True


def _tell(study: optuna.Study, number: int, end: End, by: str | None) -> None:
    storage, trial, asked = study._storage, _id_of(study, number), 0
    rows = rows_of(storage.inner) if isinstance(storage, Patient) else None

    def end_row() -> None:
        nonlocal asked
        asked += 1
        assert rows is not None
        rows.end(trial, end, None if by is None else (BY, by))

    try:
        if isinstance(storage, Patient) and rows is not None:
            storage.answered(end_row)
        else:
            _end(storage, trial, end, by)
    except OfAnother as error:
        raise TakenOver(f"trial {number} is another search's by now") from error
    except UpdateFinishedTrialError as error:
        now = storage.get_trial(trial)
        ours = by is not None and now.user_attrs.get(BY) == by and (now.state, now.values) == (end.state, end.values)
        if not ours or asked == 1:  # else it was told, and a silent storage did not say so
            raise TakenOver(f"trial {number} was told by another search") from error


def _end(storage: BaseStorage, trial: int, end: End, by: str | None) -> None:
    """As Rows.end, one step after the other: the state is the last, and what counts."""
    if by is not None:
        now = storage.get_trial(trial)
        if now.state is not TrialState.RUNNING or now.user_attrs.get(BY) != by:
            raise OfAnother(f"trial {trial} of the storage is another search's")
    for name, value in end.attributes.items():
        storage.set_trial_user_attr(trial, name, value)
    storage.set_trial_state_values(trial, end.state, end.values)


def trial_of(study: optuna.Study, number: int) -> FrozenTrial:
    """As the storage has it now."""
    return study._storage.get_trial(_id_of(study, number))


def _id_of(study: optuna.Study, number: int) -> int:
    return study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
