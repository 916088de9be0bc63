"""Joining: which degraded picture belongs to which clean one, by what their names share; one clean may serve many."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.task.data.sides import CLEAN, DEGRADED, Named
from nas.task.data.splits import scene_of

_LEGACY = re.compile(r"_(?:clean|noisy|blurred|degraded)$", re.IGNORECASE)
_PIECE = re.compile(r"[_\-. ][^_\-. /]+$")  # the last piece of a name


@dataclass(frozen=True, slots=True)
class Side:
    """A file of one side."""

    path: Path
    scene: str  # the folder below its side's, with a slash; empty: none
    named: Named


@dataclass(frozen=True, slots=True)
class Join:
    """The files of one photograph."""

    name: str
    clean: Path
    degraded: Path | None
    scene: str | None = None  # where folders or a shared clean side tell it; None: the name may
    part: str | None = None  # that the data set says it belongs to
    place: int | None = None  # among the pictures of both files


@dataclass(frozen=True, slots=True)
class Joined:
    """Pairs, and what has no partner: (file, why)."""

    joins: tuple[Join, ...]
    problems: tuple[tuple[Path, str], ...]


def join(clean: Sequence[Side], degraded: Sequence[Side]) -> Joined:
    """Pairs in the order of the clean files' names.

    A degraded file belongs to the clean one of its name (endings and the words of sides do not count, nor does case);
    else to that of its scene, where it has only one; else to that whose name its own begins with, as a_3 and a.
    """
    for keyed in (_plain, _without_side):
        cleans, degradeds = (_by_key(side, keyed) for side in (clean, degraded))
        if cleans.keys() & degradeds.keys():
            break
    partners: dict[str, list[tuple[str, Side]]] = {key: [] for key in cleans}
    problems: list[tuple[Path, str]] = []
    for key, sides in degradeds.items():
        partner = _partner(key, cleans)
        if len(sides) > 1 or (partner is not None and len(cleans[partner]) > 1):
            problems += [(side.path, f"is one of several files of the pair {keyed(side)}") for side in sides]
            if partner is not None:
                problems += [(s.path, f"is one of several files of the pair {keyed(s)}") for s in cleans[partner]]
                partners.pop(partner, None)
        elif partner is None:
            problems.append((sides[0].path, f"has no {CLEAN} partner"))
        elif partner in partners:
            partners[partner].append((key, sides[0]))
    joins = []
    for key, found in partners.items():
        if not found:
            problems += [(side.path, f"has no {DEGRADED} partner") for side in cleans[key]]
        for own, side in found:
            whole = cleans[key][0]
            alone = len(found) == 1 and own == key
            name = keyed(whole if alone else side)
            joins.append(Join(name, whole.path, side.path, _scene(whole, keyed(whole), alone)))
    return Joined(tuple(joins), tuple(dict.fromkeys(problems)))


def _scene(clean: Side, name: str, alone: bool) -> str | None:
    """What all pictures of one scene share; None where the photograph's own name may tell."""
    if clean.scene:
        folder = clean.scene.rstrip("/")
        return scene_of(f"{folder}_0") or scene_of(folder) or folder.casefold()
    return None if alone else scene_of(name) or name.casefold()


def _partner(key: str, cleans: dict[str, list[Side]]) -> str | None:
    if key in cleans:
        return key
    scene, slash, _ = key.rpartition("/")
    if slash:
        if scene in cleans:
            return scene
        of_scene = [other for other in cleans if other.startswith(f"{scene}/")]
        if len(of_scene) == 1:
            return of_scene[0]
    shorter = key
    while found := _PIECE.search(shorter):
        shorter = shorter[: found.start()]
        if shorter in cleans:
            return shorter
    return None


def _by_key(sides: Sequence[Side], keyed: Callable[[Side], str]) -> dict[str, list[Side]]:
    found: dict[str, list[Side]] = {}
    for side in sides:
        found.setdefault(keyed(side).casefold(), []).append(side)
    return found


def _plain(side: Side) -> str:
    """The name without the four words that files of pairs have always had."""
    key = side.named.key if side.named.always else _LEGACY.sub("", side.path.stem)
    return side.scene + key


def _without_side(side: Side) -> str:
    return side.scene + side.named.key
