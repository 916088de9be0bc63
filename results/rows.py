"""Rows: Optuna's storage in a database, which writes and ends a trial in few statements, each in one transaction.

Optuna looks for an earlier parameter of the same name before it writes one; here all of a trial's are of one space. And
it ends a trial in as many transactions as it has attributes, so that one may be half told.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from optuna.distributions import distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import CursorResult, delete, insert, select, update


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ends."""

    state: TrialState
    values: Sequence[float] | None = None  # where it is COMPLETE
    attributes: dict[str, Any] = field(default_factory=dict)  # that it gets as well


class OfAnother(RuntimeError):
    """A trial that is to be ended by one search has the mark of another one by now."""


class Rows(RDBStorage):
    """As RDBStorage."""

    def end(self, trial: int, end: End, mark: tuple[str, str] | None) -> None:
        """End a trial that runs, all at once.

        `mark` is the name and the value of an attribute that it must have. Raises UpdateFinishedTrialError for one that
        is ended, OfAnother for one of another mark.
        """
        attributes, of_it = models.TrialUserAttributeModel, {"trial_id": trial}
        with _create_scoped_session(self.scoped_session) as session:
            # First of all, since it locks the trial, in SQLite the file.
            ended = session.execute(
                update(models.TrialModel)
                .where(models.TrialModel.trial_id == trial, models.TrialModel.state == TrialState.RUNNING)
                .values(state=end.state, datetime_complete=datetime.now())
                .execution_options(synchronize_session=False)
            )
            if cast("CursorResult[Any]", ended).rowcount != 1:
                raise UpdateFinishedTrialError(f"trial {trial} of the storage is ended")
            if mark is not None:
                kept = select(attributes.value_json).where(attributes.trial_id == trial, attributes.key == mark[0])
                if session.scalar(kept) != json.dumps(mark[1]):
                    raise OfAnother(f"trial {trial} of the storage is another search's")
            if end.attributes:
                session.execute(
                    delete(attributes)
                    .where(attributes.trial_id == trial, attributes.key.in_(list(end.attributes)))
                    .execution_options(synchronize_session=False)
                )
                session.execute(insert(attributes), _attributes(of_it, end.attributes))
            if end.values:
                session.execute(insert(models.TrialValueModel), _values(of_it, end.values))

    def _get_prepared_new_trial(self, study_id: int, template_trial: FrozenTrial | None, session: Any) -> Any:
        if template_trial is None or template_trial.intermediate_values:
            return super()._get_prepared_new_trial(study_id, template_trial, session)
        trial = models.TrialModel(
            study_id=study_id,
            number=None,
            state=template_trial.state,
            datetime_start=template_trial.datetime_start,
            datetime_complete=template_trial.datetime_complete,
        )
        session.add(trial)
        session.flush()  # gives it its id
        of_it = {"trial_id": trial.trial_id}
        for kind, rows in (
            (models.TrialValueModel, _values(of_it, template_trial.values or ())),
            (models.TrialParamModel, _parameters(of_it, template_trial)),
            (models.TrialUserAttributeModel, _attributes(of_it, template_trial.user_attrs)),
            (models.TrialSystemAttributeModel, _attributes(of_it, template_trial.system_attrs)),
        ):
            if rows:
                session.execute(insert(kind), rows)
        trial.number = trial.count_past_trials(session)
        return trial


def rows_of(storage: BaseStorage) -> Rows | None:
    """The database behind `storage`, as optuna.storages.get_storage gives it; None where it is another one."""
    behind = getattr(storage, "_backend", None)
    return behind if isinstance(behind, Rows) else None


Row = dict[str, Any]


def _values(of_it: Row, values: Sequence[float]) -> list[Row]:
    found = []
    for objective, value in enumerate(values):
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        found.append(of_it | {"objective": objective, "value": stored, "value_type": kind})
    return found


def _attributes(of_it: Row, attributes: dict[str, Any]) -> list[Row]:
    return [of_it | {"key": name, "value_json": json.dumps(value)} for name, value in attributes.items()]


def _parameters(of_it: Row, trial: FrozenTrial) -> list[Row]:
    return [
        of_it
        | {
            "param_name": name,
            "param_value": trial.distributions[name].to_internal_repr(chosen),
            "distribution_json": distribution_to_json(trial.distributions[name]),
        }
        for name, chosen in trial.params.items()
    ]
