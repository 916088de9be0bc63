"""Record: the settings that run.json states, each held to its kind when they are read."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

DAMAGED = "it is damaged, and nothing else says what the run is made of: put a copy of it back, or start another run"
FOLDERS = ("data", "validation", "test")  # settings that name where photographs are, which may be renamed
OF_SUPERNET = ("supernet", "tuned")  # scores of candidates that share weights
SHARED = ("storage", "study")  # settings that name where a shared study is, which may be moved

Kind = tuple[Callable[[Any], bool], str]


def is_number(value: Any) -> bool:
    """Of JSON; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _or_null(kind: Kind) -> Kind:
    return lambda value: value is None or kind[0](value), f"{kind[1]}, or null"


_TEXT: Kind = (lambda value: isinstance(value, str), "a text")
_WHOLE: Kind = (_whole, "a whole number")
_NUMBER: Kind = (is_number, "a number")
_TEXTS: Kind = (_texts, "a list of texts")
_OBJECT: Kind = (lambda value: isinstance(value, dict), "an object")
_YES_NO: Kind = (lambda value: isinstance(value, bool), "true or false")
_SIZE: Kind = (
    lambda value: (
        isinstance(value, list | tuple) and len(value) == 2 and all(_whole(side) and side > 0 for side in value)
    ),
    "height and width in pixels",
)


def _stated(before: Any, kind: Kind, needed: bool = False) -> Any:
    """A setting; `before` is its value in a run that does not state it, unless every version stated it."""
    return field(default=before, metadata={"kind": kind, "needed": needed})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that a run folder is made with, in the kinds of JSON but for tuples in place of lists."""

    data: str | None = _stated(None, _or_null(_TEXT), needed=True)  # the user's folder; None: sample photographs
    validation: str | None = _stated(None, _or_null(_TEXT))  # folders of photographs
    test: str | None = _stated(None, _or_null(_TEXT))
    blur: str | None = _stated(None, _or_null(_TEXT))
    skip_unusable: bool = _stated(False, _YES_NO)
    judged: int = _stated(64, _WHOLE)  # photographs
    least_judged: int = _stated(1, _WHOLE)  # degraded photographs of a part
    score: str = _stated("short", _TEXT, needed=True)
    cost: str = _stated("macs", _TEXT, needed=True)
    latency_in: str = _stated("onnx-float", _TEXT)
    budget: str | None = _stated(None, _or_null(_TEXT), needed=True)  # with its unit
    fix: tuple[str, ...] = _stated((), _TEXTS, needed=True)  # GENE=VALUE,VALUE
    steps: int | None = _stated(None, _or_null(_WHOLE), needed=True)
    sampler: str = _stated("auto", _TEXT)
    seed: int = _stated(0, _WHOLE, needed=True)
    size: tuple[int, int] = _stated((256, 256), _SIZE, needed=True)  # height, width in pixels
    patch: int = _stated(64, _WHOLE, needed=True)  # pixels per side
    batch: int = _stated(8, _WHOLE, needed=True)
    task: str = _stated("denoise", _TEXT)
    kernels: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # nas.task.degrade.KernelFile as JSON
    shown: float = _stated(0.0, _NUMBER)
    noise: str = _stated("white", _TEXT)
    blend: float = _stated(0.5, _NUMBER)
    noise_profile: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # nas.task.degrade.NoiseProfile as JSON
    synthetic: float = _stated(0.0, _NUMBER)
    recipe: str = _stated("default", _TEXT)  # one of nas.task.recipes.PLANS
    loss: tuple[str, ...] = _stated((), _TEXTS)  # weights of nas.task.losses.TERMS
    teacher: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # nas.task.teacher.Teacher as JSON
    teacher_share: float = _stated(0.5, _NUMBER)
    degradation: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # nas.task.own.OwnCode as JSON
    own_loss: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # likewise
    splits: tuple[str, ...] | None = _stated(None, _TEXTS)  # None: no photographs were kept for the test
    family: Mapping[str, Any] | None = _stated(None, _or_null(_OBJECT))  # search_spaces.own.FamilyName; None: LPIENets
    storage: str | None = _stated(None, _or_null(_TEXT))  # address of a shared study; None: it is in the run folder
    study: str = _stated("lpienas", _TEXT)  # its name there
    space: Mapping[str, Any] | None = _stated(None, _OBJECT)  # None: the default one, as it is now

    @classmethod
    def from_json(cls, stated: Mapping[str, Any], path: object) -> "RunSettings":
        """As `path` states them; raises ValueError that names it for one of another kind, or one that is missing."""
        known: dict[str, Any] = {}
        if newer := sorted(stated.keys() - {one.name for one in fields(cls)}):
            raise ValueError(
                f"{path} states {', '.join(newer)}, which this version does not know: a newer one made this run; "
                'install that, which "versions" there names'
            )
        for one in fields(cls):
            (holds, words), needed = one.metadata["kind"], one.metadata["needed"]
            if one.name not in stated:
                if needed:
                    raise ValueError(f"{path} does not state {one.name}: {DAMAGED}")
                continue
            value = stated[one.name]
            if not holds(value):
                raise ValueError(f"{path}: {one.name} = {value!r}: must be {words}; {DAMAGED}")
            known[one.name] = tuple(value) if isinstance(value, list) else value
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """As run.json states them; what a run of before has none of is left out."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        later = ("splits", "space", "family")
        return {name: value for name, value in found.items() if value is not None or name not in later}

    def changes(self, asked: "RunSettings", apart: tuple[str, ...] = ()) -> str:
        """Which of `asked` differ from these, as a person reads it; settings `apart` are not compared."""
        known, now = self.to_json(), asked.to_json()
        return "; ".join(
            f"{name} was {_said(known[name])}, now {_said(now.get(name))}"
            for name in known
            if name not in apart and known[name] != now.get(name)
        )


def _said(value: Any) -> Any:
    """A camera's profile by its name, a file of kernels by its path, own code by what its file held."""
    named = value if isinstance(value, dict) else {}
    if "file" in named:
        return f"{named['file']}:{named.get('name')} of digest {named.get('digest')}"
    return named.get("name", named.get("path", value))
