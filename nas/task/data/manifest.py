"""Manifest: which photographs a run is about: name, scene, size, digest of the bytes, side and split of each.

A run keeps it, so that a folder that has changed since is noticed, and each photograph stays where it is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from nas.task.data.splits import PARTS
from results.files import read_json, write_json

DATA = "data"  # the folder that photographs are in, but for those of the folders of --validation and --test
_MEND = "take it from a copy, or start another run"
_SHOWN = 12  # names of a list


@dataclass(frozen=True, slots=True)
class Side:
    """One picture of a photograph."""

    file: str  # relative to its folder
    digest: str  # of the file's bytes, hexadecimal
    bits: int  # of a channel: 8 or 16
    place: int | None = None  # among the pictures of the file


@dataclass(frozen=True, slots=True)
class Entry:
    """One photograph: a clean side, and perhaps a degraded one of the same size."""

    name: str
    scene: str  # photographs of one scene are in one part
    split: str  # one of splits.PARTS
    height: int  # pixels, upright
    width: int
    clean: Side
    degraded: Side | None = None
    folder: str = DATA  # DATA, "validation" or "test"

    def __post_init__(self) -> None:
        if self.split not in PARTS:
            raise ValueError(f"photograph {self.name}: split = {self.split!r}, must be one of {', '.join(PARTS)}")

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.clean,) if self.degraded is None else (self.clean, self.degraded)

    @property
    def content(self) -> tuple[str, ...]:
        """What it shows, by whatever name."""
        return tuple(side.digest if side.place is None else f"{side.digest}-{side.place}" for side in self.sides)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Entry":
        """From `dataclasses.asdict`, without what is None."""
        sides = {side: _stored(stored[side]) for side in ("clean", "degraded") if side in stored}
        return cls(**(dict(stored) | sides))


@dataclass(frozen=True)
class Photographs:
    """A manifest; raises ValueError where two photographs have one name."""

    entries: tuple[Entry, ...]
    says: str  # which layout, and how they were split, for a sentence

    def __post_init__(self) -> None:
        if len({entry.name for entry in self.entries}) < len(self.entries):
            seen: set[str] = set()
            twice = next(e.name for e in self.entries if e.name in seen or seen.add(e.name))  # type: ignore[func-returns-value]
            raise ValueError(f"two photographs are named {twice}: rename one of them")

    @cached_property
    def fingerprint(self) -> str:
        """Names all that a training can see of these photographs; folders and files may be renamed."""
        digest = hashlib.blake2b(digest_size=12)
        for entry in self.entries:
            digest.update(json.dumps([entry.name, entry.split, *entry.content]).encode())
        return digest.hexdigest()

    def part(self, split: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.split == split)

    def without(self, names: set[str]) -> "Photographs":
        return replace(self, entries=tuple(entry for entry in self.entries if entry.name not in names))

    def write(self, path: Path) -> None:
        """As JSON."""
        write_json(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        rows = [{k: _plain(v) for k, v in asdict(entry).items() if v is not None} for entry in self.entries]
        return {"fingerprint": self.fingerprint, "says": self.says, "photographs": rows}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Photographs":
        """Inverse of `to_json`; its fingerprint is not compared with what is stored."""
        return cls(tuple(Entry.from_json(row) for row in stored["photographs"]), stored["says"])

    @classmethod
    def read(cls, path: Path) -> "Photographs":
        """What `write` wrote; raises ValueError naming the file when it is damaged."""
        stored = read_json(path, _MEND)
        try:
            found = cls.from_json(stored)
            whole = found.fingerprint == stored["fingerprint"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} is damaged ({error}): {_MEND}") from error
        if not whole:
            raise ValueError(f"{path} was changed, as its fingerprint says: {_MEND}")
        return found


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of photographs, from one manifest to another."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]  # before, now

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.renamed)

    def lines(self) -> list[str]:
        """One for each kind."""
        renamed = tuple(f"{before} to {now}" for before, now in self.renamed)
        kinds = {"added": self.added, "removed": self.removed, "changed": self.changed, "renamed": renamed}
        return [f"{kind}: {listed(names)}" for kind, names in kinds.items() if names]


def changes(before: Photographs, now: Photographs) -> Changes:
    """What happened to the photographs of `before`."""
    old, new = ({entry.name: entry for entry in one.entries} for one in (before, now))
    removed = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    by_content = {old[name].content: name for name in removed}
    renamed = [(by_content[new[name].content], name) for name in added if new[name].content in by_content]
    gone, came = {one for one, _ in renamed}, {one for _, one in renamed}
    return Changes(
        tuple(name for name in added if name not in came),
        tuple(name for name in removed if name not in gone),
        tuple(name for name in old if name in new and old[name].content != new[name].content),
        tuple(renamed),
    )


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """`3: a, b, c`, with the rest counted."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(names[:most])}{more}"


def _stored(side: Mapping[str, Any]) -> Side:
    """A side as a manifest states it; raises ValueError where its file would be outside of the folder."""
    found = Side(**side)
    path = PurePath(found.file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"file = {found.file!r}: must be a path inside of the folder of photographs")
    if not found.digest or not set(found.digest) <= set("0123456789abcdef"):
        raise ValueError(f"digest = {found.digest!r}: must be hexadecimal")
    return found


def _plain(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
