"""Patient: a storage that is asked again while it does not answer, as a database does not while it is restarted."""

import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from results.lines import visible

ASKED_AS = "asked as"  # attribute of a trial: a word that no other one has, by which it is found again
WAITS = 300.0  # seconds for which a storage may be silent
_FIRST, _LONGEST = 0.2, 5.0  # seconds between two tries

Say = Callable[[str], None]


def _asked_again(name: str) -> Callable[..., Any]:
    def ask(self: "Patient", *arguments: Any, **named: Any) -> Any:
        return self.answered(lambda: getattr(self.inner, name)(*arguments, **named))

    return ask


class Unanswered(RuntimeError):
    """A storage was silent for too long; what was told before is in it."""


class Patience:
    """Waiting for one storage; raises Unanswered after `seconds` of silence."""

    def __init__(self, named: str, say: Say, seconds: float) -> None:
        """`named` stands for the storage in what `say` is told, and in errors: without a password."""
        self._named, self._say, self._seconds = named, say, seconds
        self._silent = False  # somebody was told so

    def answered(self, call: Callable[[], Any]) -> Any:
        """What `call` returns, as soon as the storage answers."""
        began, pause = time.monotonic(), _FIRST
        while True:
            try:
                found = call()
            except Exception as error:
                if not is_silence(error):
                    raise
                if time.monotonic() - began > self._seconds:
                    raise Unanswered(self._given_up()) from None  # what it was told may hold more than it should say
                if not self._silent:
                    self._silent = True
                    self._say(f"{self._named} does not answer; it is asked again for {self._seconds:.0f} s")
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST)
                continue
            if self._silent:
                self._silent = False
                self._say(f"{self._named} answers again")
            return found

    def _given_up(self) -> str:
        return (
            f"{self._named} did not answer for {self._seconds:.0f} s: see that it runs and can be reached; the same "
            "command then continues, and what was scored is kept"
        )


class Patient(BaseStorage):
    """Another storage, of which every call is made again until there is an answer.

    All calls of Optuna's storages but one have no further effect when they are made twice. A trial whose creation was
    not acknowledged may be there: it is looked for by its attribute ASKED_AS, and made only where it is not.
    """

    def __init__(self, inner: BaseStorage, patience: Patience) -> None:
        self.inner, self.answered = inner, patience.answered

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        asked_as = None if template_trial is None else template_trial.user_attrs.get(ASKED_AS)
        before = False

        def create() -> int:
            nonlocal before
            if before and asked_as is not None:
                for trial in self.inner.get_all_trials(study_id, deepcopy=False):
                    if trial.user_attrs.get(ASKED_AS) == asked_as:
                        return trial._trial_id
            before = True
            return self.inner.create_new_trial(study_id, template_trial)

        made: int = self.answered(create)
        return made

    create_new_study = _asked_again("create_new_study")
    delete_study = _asked_again("delete_study")
    get_all_studies = _asked_again("get_all_studies")
    get_all_trials = _asked_again("get_all_trials")
    get_study_directions = _asked_again("get_study_directions")
    get_study_id_from_name = _asked_again("get_study_id_from_name")
    get_study_name_from_id = _asked_again("get_study_name_from_id")
    get_study_system_attrs = _asked_again("get_study_system_attrs")
    get_study_user_attrs = _asked_again("get_study_user_attrs")
    get_trial = _asked_again("get_trial")
    get_trial_id_from_study_id_trial_number = _asked_again("get_trial_id_from_study_id_trial_number")
    set_study_system_attr = _asked_again("set_study_system_attr")
    set_study_user_attr = _asked_again("set_study_user_attr")
    set_trial_intermediate_value = _asked_again("set_trial_intermediate_value")
    set_trial_param = _asked_again("set_trial_param")
    set_trial_state_values = _asked_again("set_trial_state_values")
    set_trial_system_attr = _asked_again("set_trial_system_attr")
    set_trial_user_attr = _asked_again("set_trial_user_attr")


def is_silence(error: BaseException) -> bool:
    """Whether a storage raised `error` because it was not there; a database that refuses is not silent."""
    if isinstance(error, StorageInternalError):
        return error.__cause__ is not None and is_silence(error.__cause__)
    kind = type(error)
    if kind.__module__.startswith("sqlalchemy"):
        if kind.__name__ == "PendingRollbackError":  # Optuna asks in another way where one fails, whatever the reason
            return error.__context__ is not None and is_silence(error.__context__)
        lost = bool(getattr(error, "connection_invalidated", False))
        return lost or (kind.__name__ == "OperationalError" and not refuses(error))
    if kind.__module__.startswith("grpc"):
        code, details = (str(getattr(error, of, lambda: "")()) for of in ("code", "details"))
        behind = "UNKNOWN" in code and "during the commit" in details  # the proxy's own database does not answer
        return behind or "UNAVAILABLE" in code or "DEADLINE_EXCEEDED" in code
    return False


def refuses(error: BaseException) -> bool:
    """Whether a database answered, and will not have this user, password or name."""
    words = visible(str(getattr(error, "orig", error)))
    return any(one in words for one in ("authentication failed", "does not exist", "no password supplied", "no pg_hba"))
