"""Works: the functions that workers run, by name from a closed list, and what comes of them as JSON."""

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from nas.logs import OnStep
from nas.scoring.training import Training
from nas.task.data.layouts import DataError
from nas.task.task import Task
from nas.task.training import Diverged, Failed, OutOfMemory
from nas.where.told import AsTold, Found, heard, told
from results.files import fingerprint
from search_spaces.family import FamilyError

WORKS = (
    "nas.scoring.short:score_by_training",
    "nas.scoring.full:train_fully",
    "nas.scoring.supernet:score_by_supernet",
    "nas.scoring.tuned:score_tuned",
    "nas.calibrate:train_in_rungs",
)
_ROOT = Path(__file__).parents[2]
_HERE = "<lpienas>"  # stands for _ROOT of whichever machine
_ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        *(Failed, Diverged, OutOfMemory, DataError, FamilyError),
        *(ValueError, TypeError, KeyError, RuntimeError, ImportError, MemoryError),
    )
}


class Elsewhere(Exception):
    """The trace of an error in a worker, as text; the cause of what is raised here."""


def asked(work: Callable[..., Any], arguments: Sequence[Any], also: Sequence[str] = ()) -> dict[str, Any]:
    """A piece of work as JSON; raises ValueError for a function that is not on the list, or in `also`.

    `stages` are the keys of results.store that it reads and leaves.
    """
    name = f"{work.__module__}:{work.__qualname__}"
    if name not in (*WORKS, *also):
        raise ValueError(f"{name}: workers run {', '.join((*WORKS, *also))} and no other function")
    trainings = [one for one in _flat(arguments) if isinstance(one, Training)]
    keys = [key for one in trainings for key in (one.key, one.scoring.key, *([one.first] if one.continues else []))]
    return {"function": name, "arguments": [told(one) for one in arguments], "stages": sorted(set(keys))}


def key_of(piece: Mapping[str, Any]) -> str:
    """Equal for the same piece of work, in a later call too."""
    return fingerprint(piece)


def done(piece: Mapping[str, Any], task: Task, on_step: OnStep, found: Found, also: Sequence[str] = ()) -> str:
    """Do `piece` as `asked` gave it; what came of it as the text of a JSON object, an error too."""
    name = piece["function"]
    if name not in (*WORKS, *also):
        raise ValueError(f"{name}: is not on the list of works")
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    answer = work(task, on_step, *(heard(one, found) for one in piece["arguments"]))
    return json.dumps({"answer": told(answer)}, allow_nan=False)


def failed(error: Exception) -> str:
    """An error as `answered` reads it."""
    trace = "".join(traceback.format_exception(error)).replace(str(_ROOT), _HERE)
    kind = next((one.__name__ for one in type(error).__mro__ if one.__name__ in _ERRORS), "RuntimeError")
    says = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    system = None
    if isinstance(error, OSError) and error.errno is not None:
        names = [None if name is None else str(name) for name in (error.filename, error.filename2)]
        system = [error.errno, error.strerror, *names]
    return json.dumps({"error": kind, "says": says, "system": system, "trace": trace})


def answered(text: str) -> Any:
    """What a piece of work came to; raises what it raised, with the worker's trace as the cause."""
    found = json.loads(text)
    if "answer" in found:
        return heard(found["answer"], AsTold())
    trace = Elsewhere(found["trace"].replace(_HERE, str(_ROOT)))
    if found["system"] is not None:
        number, says, first, second = found["system"]
        raise OSError(number, says, first, None, second) from trace
    raise _ERRORS[found["error"]](found["says"]) from trace


def _flat(values: Sequence[Any]) -> list[Any]:
    """`values` with the lists and tuples among them opened."""
    return [one for value in values for one in (_flat(value) if isinstance(value, list | tuple) else [value])]
