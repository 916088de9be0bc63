"""Rows: Optuna's storage in a database, which writes a new trial in few statements instead of three a parameter.

Optuna looks for an earlier parameter of the same name before it writes one; here all of a trial's are of one space.
"""

import json
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial


class Rows(RDBStorage):
    """As RDBStorage."""

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
        of_it: dict[str, Any] = {"trial_id": trial.trial_id}
        for place, value in enumerate(template_trial.values or ()):
            stored, kind = models.TrialValueModel.value_to_stored_repr(value)
            session.add(models.TrialValueModel(**of_it, objective=place, value=stored, value_type=kind))
        for name, chosen in template_trial.params.items():
            distribution = template_trial.distributions[name]
            session.add(
                models.TrialParamModel(
                    **of_it,
                    param_name=name,
                    param_value=distribution.to_internal_repr(chosen),
                    distribution_json=distribution_to_json(distribution),
                )
            )
        for kept, attributes in (
            (models.TrialUserAttributeModel, template_trial.user_attrs),
            (models.TrialSystemAttributeModel, template_trial.system_attrs),
        ):
            session.add_all(kept(**of_it, key=key, value_json=json.dumps(value)) for key, value in attributes.items())
        trial.number = trial.count_past_trials(session)
        return trial
