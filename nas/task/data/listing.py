"""Listing: the manifest of a folder as it is now, and all that cannot be used in one error."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nas.task.data.facts import Ledger, ledger
from nas.task.data.joining import Join
from nas.task.data.layouts import DataError, recognise
from nas.task.data.manifest import DATA, Entry, Photographs, Side, listed
from nas.task.data.splits import PARTS, scene_key, split

_SHOWN = 50  # problems of one error


@dataclass(frozen=True, slots=True)
class Where:
    """The folders that photographs are in, and how they are to be read."""

    data: Path
    validation: Path | None = None  # all photographs there are for validation; None: a part of `data`
    test: Path | None = None  # the same, for the test
    blur: str | None = None  # which of GoPro's two blurs: blur or blur_gamma
    patch: int = 0  # pixels per side that every photograph must have at least
    seed: int = 0  # of the split
    skip_unusable: bool = False  # leave out what cannot be used

    @property
    def folders(self) -> dict[str, Path]:
        """By what Entry.folder says."""
        found = {DATA: self.data, "validation": self.validation, "test": self.test}
        return {name: folder for name, folder in found.items() if folder is not None}


@dataclass(frozen=True, slots=True)
class Listed:
    """A manifest, and what was left out of it."""

    photographs: Photographs
    left_out: tuple[str, ...]  # file and reason


def list_photographs(where: Where, ledger_in: Path) -> Listed:
    """The photographs of all folders, split; `ledger_in` is the folder where what was seen is kept.

    Raises DataError that lists every unusable picture (cannot be read, unpaired, of unequal size within a pair, with a
    side below the patch), where there are too few, and where one photograph would be in two parts.
    """
    found: dict[str, list[_Seen]] = {}
    problems: list[str] = []
    says = ""
    with ledger(ledger_in) as known:
        for name, folder in where.folders.items():
            layout, found[name], wrong = _seen_in(folder, name, where, known)
            says = says or layout
            problems += wrong
    if problems and not where.skip_unusable:
        raise unusable(where.data, problems)
    given = [one for name, seen in found.items() for one in seen if name != DATA or one.join.part is not None]
    free = [one for one in found[DATA] if one.join.part is None]
    parts = [part for part in PARTS if not any(one.part == part for one in given)]
    entries, by = _split(where, free, parts, len(given))
    placed = [one.entry(one.part) for one in given if one.part is not None]
    photographs = Photographs((*entries, *placed), f"{says}; {by}")
    if placed:
        _require_apart(photographs, {entry.name for entry in placed})
    return Listed(photographs, tuple(problems))


def list_folder(folder: Path, ledger_in: Path, patch: int = 0, blur: str | None = None) -> Photographs:
    """All photographs of a folder to be judged on, not split; raises DataError as `list_photographs`."""
    with ledger(ledger_in) as known:
        says, seen, problems = _seen_in(folder, DATA, Where(folder, blur=blur, patch=patch), known)
    if problems:
        raise unusable(folder, problems)
    return Photographs(tuple(one.entry("test") for one in seen), says)


def on_two_sides(photographs: Photographs) -> list[tuple[str, str]]:
    """Names of photographs with one clean side, byte for byte, that are in different parts."""
    first: dict[str, Entry] = {}
    found = []
    for entry in photographs.entries:
        other = first.setdefault(entry.content[0], entry)
        if other.split != entry.split:
            found.append((other.name, entry.name))
    return found


def unusable(folder: Path, problems: Sequence[str]) -> DataError:
    shown = sorted(problems)[:_SHOWN]
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return DataError(
        f"{len(problems)} of the files in {folder} cannot be used:\n"
        + "\n".join(f"  {problem}" for problem in shown)
        + more
        + "\nRepair, pair or remove these files, then start again; or leave them out with --skip-unusable."
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A photograph whose files can be used."""

    join: Join
    unsplit: Entry  # its split means nothing yet
    part: str | None  # that its folder says

    def entry(self, part: str | None) -> Entry:
        return self.unsplit if part is None else replace(self.unsplit, split=part)


def _seen_in(folder: Path, name: str, where: Where, known: Ledger) -> tuple[str, list[_Seen], list[str]]:
    """(layout, usable photographs, problems) of one folder."""
    found = recognise(folder, where.blur)
    problems = list(found.problems)
    seen = []
    for joined in found.joins:
        entry = _entry(joined, _Within(folder, name, where.patch), known, problems)
        if entry is not None:
            seen.append(_Seen(joined, entry, joined.part if name == DATA else name))
    return found.says, seen, list(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class _Within:
    """The folder that photographs are in."""

    folder: Path
    name: str  # as Entry.folder says it
    patch: int  # pixels per side that they must have at least


def _entry(joined: Join, within: _Within, known: Ledger, problems: list[str]) -> Entry | None:
    folder, name, patch = within.folder, within.name, within.patch
    sides = []
    sizes = []
    files = [joined.clean] if joined.degraded is None else [joined.clean, joined.degraded]
    for file in files:
        facts, told = known.facts(file), str(file)[len(str(folder)) + 1 :]  # relative_to takes ten times as long
        if facts.problem:
            problems.append(f"{told}: {facts.problem}")
        elif min(facts.height, facts.width) < patch:
            size = _size(facts.height, facts.width)
            problems.append(f"{told}: is {size}, smaller than the patch of {patch}x{patch}")
        else:
            sides.append(Side(told, facts.digest, facts.bits, joined.place))
            sizes.append((facts.height, facts.width))
    if len(sides) < len(files):
        return None
    if sizes[0] != sizes[-1]:
        problems.append(
            f"{sides[-1].file}: is {_size(*sizes[-1])} but {sides[0].file} is {_size(*sizes[0])}; the two sides of a "
            "pair must show the same pixels"
        )
        return None
    called = joined.name if name == DATA else f"{name}/{joined.name}"
    scene = joined.scene or scene_key(called)
    return Entry(called, scene, "training", *sizes[0], sides[0], sides[1] if len(sides) == 2 else None, name)


def _split(where: Where, free: Sequence[_Seen], parts: Sequence[str], placed: int) -> tuple[list[Entry], str]:
    """`free` photographs in `parts`, and how they came there."""
    kind = "clean photos, degraded synthetically" if free and free[0].unsplit.degraded is None else "pairs of photos"
    names = [one.join.name for one in free]
    if len(free) < len(parts):
        few = {3: "three", 2: "two", 1: "one"}[len(parts)]
        uses = {"training": "to train on", "validation": "to choose networks by", "test": "to test them on"}
        raise DataError(
            f"folder {where.data} holds too few photos, {', '.join(names) or 'none'}: at least {few} are needed, "
            f"one {', one '.join(uses[part] for part in parts)}; add photos of other scenes"
        )
    found = split(names, where.seed, [one.unsplit.scene for one in free], parts)
    entries: list[Entry | None] = [None] * len(free)
    for part in PARTS:
        for place in getattr(found, part):
            entries[place] = free[place].entry(part)
    beside = f"{placed} more are in folders of their part" if placed else ""
    by = f"{len(free)} {kind}, split {found.by}, with seed {where.seed}" + (f"; {beside}" if beside else "")
    return [entry for entry in entries if entry is not None], by


def _require_apart(photographs: Photographs, placed: set[str]) -> None:
    """Raises DataError where a photograph that its folder puts into one part is in another one too."""
    twice = [pair for pair in on_two_sides(photographs) if placed & set(pair)]
    if twice:
        raise DataError(
            f"photographs would be both trained on and judged by: {listed([' = '.join(pair) for pair in twice])}; "
            "these have the same clean side, byte for byte: leave each in one folder"
        )


def _size(height: int, width: int) -> str:
    return f"{height}x{width} (height x width)"
