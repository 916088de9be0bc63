"""Journal: the file of a study, each line looked at before Optuna reads any.

Optuna gives trials their numbers by counting lines, so that after a lost or doubled one the scores of a candidate would
be another's. A trial is therefore written down with its number, and its scores must be at its own cost.
"""

import json
import math
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import OptunaError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from results.files import held_in

NUMBER, COST, MACS = "number", "cost", "macs"  # what a trial keeps, as the study does
# Operations of optuna.storages.journal, by what they speak of.
_CREATE_STUDY, _CREATE_TRIAL, _SET_STATE, _SET_ATTRIBUTE = 0, 4, 6, 8
_OF_STUDY, _OF_TRIAL, _COMPLETE = (1, 2, 3, 4), (5, 6, 7, 8, 9), 1
_MEND = "put a copy of the file from before back, or start another run with --out"
_COMPLETED = b'"state":1,'  # of a line that tells scores
_MEASURED_AGAIN = 0.1  # decades by which a latency may differ between two measurements


def journal_storage(path: Path) -> JournalStorage:
    """Optuna's storage in the file `path`, one line a change."""
    return JournalStorage(JournalFileBackend(str(path), _Lock(path)))


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that was half written when the power failed: Optuna would append to it, and read neither."""
    if path.read_bytes()[-1:] in (b"", b"\n"):
        return
    with _lock_of(path), path.open("r+b") as file:  # nobody is writing now, so a torn line stays torn
        file.truncate(file.read().rfind(b"\n") + 1)


def require_whole(path: Path) -> None:
    """Raises ValueError that names the line where the journal in `path` is damaged; torn last lines are cut before."""
    trials: list[dict[str, Any]] = []  # what is known of each
    studies = scored = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break  # another process is writing it
            try:
                studies += _follow(line, trials, studies)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"{path}, line {number}: {error}. Scores could be taken for those of another candidate: {_MEND}"
                    f"{_kept(path, number, scored)}"
                ) from error
            scored += _COMPLETED in line
    if not studies:
        raise ValueError(f"{path} holds no study: delete it, and `lpienas search` begins it anew")


@contextmanager
def replayed(where: object) -> Iterator[None]:
    """Within it a study is made of what a file, or a server, holds; where that cannot be, the ValueError names it."""
    try:
        with held_in(where, _MEND):
            yield
    except (OptunaError, AssertionError) as error:
        raise ValueError(f"{where} holds something else than it should ({error!r}): {_MEND}") from error


def _kept(path: Path, number: int, scored: int) -> str:
    """How to keep what is whole before a line, for the end of a sentence; empty where that is nothing."""
    if not scored:
        return ""
    damaged = path.with_suffix(".damaged")
    names = [shlex.quote(str(name)) for name in (path, damaged)]
    return (
        f"; or keep the {scored} candidate{'s' if scored > 1 else ''} told before that line, after which the search "
        f"goes on: cp {names[0]} {names[1]} && head -n {number - 1} {names[1]} > {names[0]}"
    )


def _follow(line: bytes, trials: list[dict[str, Any]], studies: int) -> int:
    """Take one line in; returns how many studies it begins."""
    entry = _entry(line)
    operation = entry.get("op_code")
    if type(operation) is not int or operation < 0:
        raise ValueError(f"op_code = {operation!r}: must be a whole number; it is no line of a study")
    if operation == _CREATE_STUDY:
        return 1
    if operation in _OF_STUDY and not _is_index(entry.get("study_id"), studies):
        raise ValueError(f"it speaks of study {entry.get('study_id')!r}, which no line before it begins")
    if operation in _OF_TRIAL and not _is_index(entry.get("trial_id"), len(trials)):
        raise ValueError(f"it speaks of trial {entry.get('trial_id')!r}, which no line before it begins: one was lost")
    if operation == _CREATE_TRIAL:
        trials.append(dict(_object(entry.get("user_attrs", {}), "user_attrs")))
        written = trials[-1].get(NUMBER, len(trials) - 1)
        if written != len(trials) - 1:
            raise ValueError(f"it begins trial {written} as trial {len(trials) - 1}: a line before it is lost or twice")
    elif operation == _SET_ATTRIBUTE:
        trials[entry["trial_id"]] |= _object(entry.get("user_attr"), "user_attr")
    elif operation == _SET_STATE and entry.get("state") == _COMPLETE:
        _require_own_cost(entry, trials[entry["trial_id"]])
    return 0


def _entry(line: bytes) -> dict[str, Any]:
    if not line.strip(b"\0 \r\n\t"):
        raise ValueError("it is empty")
    try:
        return _object(json.loads(line), "it")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not one JSON object ({error})") from error


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} = {value!r}: must be a JSON object")
    return value


def _is_index(value: Any, count: int) -> bool:
    return type(value) is int and 0 <= value < count


def _require_own_cost(entry: dict[str, Any], trial: dict[str, Any]) -> None:
    """Raises ValueError where scores are told at another cost than the trial's genotype has."""
    values = entry.get("values")
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        raise ValueError(f"values = {values!r}: must be numbers")
    cost = trial.get(COST, trial.get(MACS))
    if cost is None or len(values) != 2:
        return  # not of lpienas, which is said where candidates are read
    if not isinstance(cost, int | float) or cost <= 0:
        raise ValueError(f"the cost of trial {entry['trial_id']} is {cost!r}: must be above 0")
    allowed = 1e-9 if cost == trial.get(MACS) else _MEASURED_AGAIN
    if abs(values[1] - math.log10(cost)) > allowed:
        raise ValueError(
            f"trial {entry['trial_id']} costs {cost:g}, and its scores are told at {10 ** values[1]:g}: a line before "
            "it is lost or twice"
        )


class _Lock(JournalFileOpenLock):
    """Goes with its process, also when that is killed; after one of Optuna's own, the next process waits for 30 s."""

    def __init__(self, path: Path) -> None:
        self._lock = _lock_of(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _lock_of(path: Path) -> FileLock:
    return FileLock(path.with_name(".study.lock"))
