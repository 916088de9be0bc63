"""Record: the settings that run.json states, each held to its kind when they are read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DAMAGED = "it is damaged, and nothing else says what the run is made of: put a copy of it back, or start another run"


class Stated(dict[str, Any]):
    """Settings by name; one that is asked for and not stated is an error that names the file."""

    def __init__(self, settings: Mapping[str, Any], path: Path) -> None:
        """Raises ValueError for a value of another kind than the setting has."""
        super().__init__(settings)
        self._path = path
        for name, value in settings.items():
            holds, words = _KINDS.get(name, (lambda value: True, ""))
            if not holds(value):
                raise ValueError(f"{path}: {name} = {value!r}: must be {words}; {DAMAGED}")

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"{self._path} does not state {name}: {DAMAGED}")


Kind = tuple[Callable[[Any], bool], str]


def is_number(value: Any) -> bool:
    """Of JSON; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _or_null(kind: Kind) -> Kind:
    return lambda value: value is None or kind[0](value), f"{kind[1]}, or null"


_TEXT: Kind = (lambda value: isinstance(value, str), "a text")
_WHOLE: Kind = (_whole, "a whole number")
_NUMBER: Kind = (is_number, "a number")
_TEXTS: Kind = (_texts, "a list of texts")
_OBJECT: Kind = (lambda value: isinstance(value, dict), "an object")
_SIZE: Kind = (
    lambda value: isinstance(value, list) and len(value) == 2 and all(_whole(side) and side > 0 for side in value),
    "height and width in pixels",
)
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("score", "cost", "latency_in", "sampler", "noise"), _TEXT),
    **dict.fromkeys(("data", "validation", "test", "blur", "budget"), _or_null(_TEXT)),
    **dict.fromkeys(("seed", "patch", "batch", "judged"), _WHOLE),
    "steps": _or_null(_WHOLE),
    **dict.fromkeys(("blend", "synthetic"), _NUMBER),
    **dict.fromkeys(("fix", "splits"), _TEXTS),
    "noise_profile": _or_null(_OBJECT),
    "space": _OBJECT,
    "size": _SIZE,
    "skip_unusable": (lambda value: isinstance(value, bool), "true or false"),
}
