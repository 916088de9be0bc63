"""Sharing: a study on a server: whose settings a search takes from it, and that the two are of the same thing."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lpienas.run_settings import RunOptions
from results.record import FOLDERS, SHARED, RunSettings

if TYPE_CHECKING:  # Optuna takes seconds to import; `--help` and wrong arguments answer at once
    from nas.task.task import Task

Options = TypeVar("Options", bound=RunOptions)
_STUDY = "lpienas"  # its name, where none is given


def without_password(options: Options) -> Options:
    """`options` with an address that can be kept and shown; its password goes to the environment."""
    if options.storage is None:
        return options
    from results.storage import kept_apart

    return replace(options, storage=kept_apart(options.storage))


def settings_of_study(options: RunOptions) -> RunSettings | None:
    """Those of a shared study that other searches feed already; where photographs are, each machine says itself."""
    if options.storage is None:
        return None
    study = options.study or _STUDY
    stated = _stated_by(options.storage, study)
    return None if stated is None else replace(stated, storage=options.storage, study=study)


def require_same_study(asked: RunSettings) -> None:
    """Raises ValueError where a shared study is of other settings: its scores could not be compared."""
    assert asked.storage is not None
    stated = _stated_by(asked.storage, asked.study)
    if stated is not None and (changes := stated.changes(asked, ("sampler", *FOLDERS, *SHARED))):
        raise ValueError(
            f"study {asked.study} at {asked.storage} was made with other settings ({changes}): use them, or another "
            "--study"
        )


def require_same_photographs(asked: RunSettings, task: "Task") -> None:
    """Raises ValueError where a shared study is of other photographs than this machine has."""
    if asked.storage is None:
        return
    from results.study import PHOTOGRAPHS

    kept = _facts(asked.storage, asked.study).get(PHOTOGRAPHS)
    if kept not in (None, task.photos.fingerprint):
        raise ValueError(
            f"study {asked.study} at {asked.storage} is of other photographs than {task.photos.source}: say with "
            "--data where the same ones are on this machine, or take another --study"
        )


def require_moved(folder: Path, known: RunSettings, asked: RunSettings) -> None:
    """Raises ValueError where the study of a run is to be at another address, and is not there."""
    moved = known.storage is not None and asked.storage is not None
    if not moved or (known.storage, known.study) == (asked.storage, asked.study):
        return
    from results.storage import Shared

    assert asked.storage is not None
    if not Shared(asked.storage, asked.study).exists():
        raise ValueError(
            f"{folder} feeds study {known.study} at {known.storage}, and there is no {asked.study} at {asked.storage}: "
            "leave --storage and --study out, or move the study there first"
        )


def _stated_by(storage: str, study: str) -> RunSettings | None:
    from results.study import SETTINGS

    stated = _facts(storage, study).get(SETTINGS)
    return None if stated is None else RunSettings.from_json(stated, f"study {study} at {storage}")


def _facts(storage: str, study: str) -> dict[str, Any]:
    from results.storage import Shared

    return Shared(storage, study).attributes() or {}
