"""Layouts: how a folder holds clean photographs or pairs, recognised by the names in it before a file is opened."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from nas.task.data.arrays import MAT, NPY, array_header, block_shape
from nas.task.data.joining import Join, Side, join
from nas.task.data.reading import ENDINGS, FOREIGN, Unreadable
from nas.task.data.sides import (
    CLEAN,
    DEGRADED,
    Named,
    looks_like_a_side,
    side_of_file,
    side_of_folder,
)
from nas.task.data.splits import scene_of

BLURS = ("blur", "blur_gamma")  # of GoPro: the mean of frames as they are, or of their light
PART_FOLDERS = {
    "train": None, "training": None, "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip

_PARTNERLESS = ("noisy", "blurred", "degraded", "clean")  # folders of sides whatever lies beside them
_WRAPPERS = ("data",)  # SIDD's folder around its instances
_MAT_SIDES = re.compile(r"^(.*?)(noisy|gt|clean)(.*)\.mat$", re.IGNORECASE)


class DataError(ValueError):
    """Pictures that cannot be used; the message names every one, its reason, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds, and what in it cannot be used."""

    says: str  # which layout, for a sentence
    joins: tuple[Join, ...]
    problems: tuple[str, ...] = ()


def recognise(folder: Path, blur: str | None = None) -> Found:
    """The photographs of `folder`, in the order of their names; see docs/data.md for the layouts.

    `blur`: which of GoPro's two blurred sides, one of BLURS. Raises DataError where there is no folder, where which of
    two readings is meant is not said, and where names look like both sides of pairs but do not say which is which.
    """
    if not folder.is_dir():
        raise DataError(f"folder {folder} does not exist or is a file: name a folder that holds your photos")
    inside = _list(folder, folder)
    if not inside.pictures and len(inside.folders) == 1 and inside.folders[0].name.casefold() in _WRAPPERS:
        inside = _list(folder, inside.folders[0])
    parts = [sub for sub in inside.folders if sub.name.casefold() in PART_FOLDERS]
    reader = _Reader(folder, blur)
    if not parts or inside.pictures or any(side_of_folder(sub.name) for sub in inside.folders):
        found = reader.read(inside)
    else:
        each = [(sub.name, reader.read(_list(folder, sub))) for sub in parts]
        joins = [
            replace(joined, name=f"{name}/{joined.name}", part=PART_FOLDERS[name.casefold()])
            for name, of_part in each
            for joined in of_part.joins
        ]
        says = f"{each[0][1].says}, in {', '.join(f'{name}/' for name, _ in each)}"
        found = Found(says, tuple(joins), tuple(problem for _, of_part in each for problem in of_part.problems))
    if not found.joins and not found.problems:
        raise DataError(
            f"folder {folder} holds no pictures: put {', '.join(ENDINGS)} files directly into it, or pairs into its "
            "folders noisy/ and clean/"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Listing:
    """What lies directly in a folder, in the order of names."""

    folder: Path
    folders: tuple[Path, ...]
    pictures: tuple[Path, ...]
    arrays: tuple[Path, ...]
    foreign: tuple[str, ...]  # problems


def _list(root: Path, folder: Path) -> _Listing:
    folders, pictures, arrays, foreign = [], [], [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            ending = PurePath(entry.name).suffix.lower()
            path = folder / entry.name
            if entry.is_dir():
                folders.append(path)
            elif not entry.is_file():
                continue
            elif ending in ENDINGS:
                pictures.append(path)
            elif ending in (NPY, MAT):
                arrays.append(path)
            elif ending in FOREIGN:
                foreign.append(f"{path.relative_to(root)}: {path.suffix} is not read; convert it to .png or .jpg")
    return _Listing(folder, tuple(folders), tuple(pictures), tuple(arrays), tuple(foreign))


class _Reader:
    """Reads one folder, or one of its parts."""

    def __init__(self, root: Path, blur: str | None) -> None:
        self.root, self.blur = root, blur

    def read(self, inside: _Listing, scenes: bool = True) -> Found:
        """`scenes`: its folders may be scenes."""
        if (blocks := self._blocks(inside)) is not None:
            return blocks
        sides = self._sides(inside)
        if (
            sides[DEGRADED]
            and not sides[CLEAN]
            and not {s.name.casefold() for s in sides[DEGRADED]} & set(_PARTNERLESS)
        ):
            found = self._scenes(inside) if scenes else None
            if found is None or any(joined.degraded is None for joined in found.joins):
                raise DataError(
                    f"{inside.folder} holds {_folders(sides[DEGRADED])}, a degraded side, and no clean one: put that "
                    "beside it, as clean/, under equal names"
                )
            return found
        if sides[CLEAN] or sides[DEGRADED]:
            return self._side_folders(inside, sides)
        if inside.pictures or not scenes or not inside.folders:
            return self._flat(inside)
        return self._scenes(inside)

    def _sides(self, inside: _Listing) -> dict[str, list[Path]]:
        """The folders of either side; of uncommon names only where both sides are there, or nothing else."""
        sides: dict[str, list[Path]] = {CLEAN: [], DEGRADED: []}
        for sub in inside.folders:
            if (side := side_of_folder(sub.name)) is not None:
                sides[side].append(sub)
        named = {sub.name.casefold() for subs in sides.values() for sub in subs}
        if inside.pictures and not (all(sides.values()) or named & set(_PARTNERLESS)):
            return {CLEAN: [], DEGRADED: []}
        return sides

    def _side_folders(self, inside: _Listing, sides: dict[str, list[Path]]) -> Found:
        problems = [*inside.foreign]
        for file in inside.pictures:
            problems.append(f"{self._told(file)}: lies beside the folders of pairs; move it into one of them")
        if len(sides[CLEAN]) > 1:
            raise DataError(
                f"{inside.folder} holds {_folders(sides[CLEAN])}, each of which may be the clean side: leave one there"
            )
        degraded = self._chosen(inside.folder, sides[DEGRADED])
        clean = [file for sub in sides[CLEAN] for file in self._side(sub, problems)]
        names = f"{_folders(degraded)} and {_folders(sides[CLEAN]) or 'no clean side'}"
        if not degraded:
            return Found(
                f"clean photographs in {_folders(sides[CLEAN])}", tuple(_alone(side) for side in clean), tuple(problems)
            )
        joined = join(clean, [file for sub in degraded for file in self._side(sub, problems)])
        problems += [f"{self._told(path)}: {why}" for path, why in joined.problems]
        return Found(f"pairs in {names}", joined.joins, tuple(problems))

    def _chosen(self, folder: Path, degraded: list[Path]) -> list[Path]:
        """The folders of the degraded side that are meant."""
        blurs = {sub.name.casefold(): sub for sub in degraded if sub.name.casefold() in BLURS}
        if self.blur is not None and blurs:
            if self.blur not in blurs:
                raise DataError(f"{folder} holds no {self.blur}/, which --blur asks for, but {_folders(degraded)}")
            return [blurs[self.blur]]
        if len(blurs) > 1:
            raise DataError(
                f"{folder} holds both blur/ and blur_gamma/: say which is the degraded side, --blur blur (the mean of "
                "frames as they are) or --blur blur_gamma (of their light)"
            )
        return degraded

    def _side(self, folder: Path, problems: list[str]) -> list[Side]:
        """The pictures of one side, directly in its folder or in one level of scenes below it."""
        inside = _list(self.root, folder)
        problems += inside.foreign
        found = [Side(file, "", side_of_file(file.name)) for file in (*inside.pictures, *inside.arrays)]
        for sub in inside.folders:
            below = _list(self.root, sub)
            problems += below.foreign
            found += [Side(file, f"{sub.name}/", side_of_file(file.name)) for file in (*below.pictures, *below.arrays)]
        return found

    def _flat(self, inside: _Listing) -> Found:
        problems = [*inside.foreign]
        named = [Side(file, "", side_of_file(file.name)) for file in inside.pictures]
        arrays = [Side(file, "", side_of_file(file.name)) for file in inside.arrays if file.suffix.lower() == NPY]
        named += [side for side in arrays if side.named.side is not None]
        if not _are_pairs([side.named for side in named]):
            pictures = [side for side in named if side.path.suffix.lower() != NPY]
            _require_no_sides(inside.folder, [PurePath(side.path.name) for side in pictures])
            return Found("clean photographs", tuple(_alone(side) for side in pictures), tuple(problems))
        for side in named:
            if side.named.side is None:
                problems.append(
                    f"{self._told(side.path)}: has no side; name it with _clean or _noisy before the ending"
                )
        joined = join(*([side for side in named if side.named.side == which] for which in (CLEAN, DEGRADED)))
        problems += [f"{self._told(path)}: {why}" for path, why in joined.problems]
        words = " and ".join(_words([s.path for s in named if s.named.side == which]) for which in (DEGRADED, CLEAN))
        return Found(f"pairs by the names of their files ({words})", joined.joins, tuple(problems))

    def _scenes(self, inside: _Listing) -> Found:
        """A folder for each scene, with pairs in it or clean photographs."""
        joins: list[Join] = []
        problems: list[str] = [*inside.foreign]
        says = ""
        for sub in inside.folders:
            found = self.read(_list(self.root, sub), scenes=False)
            problems += found.problems
            if found.joins:
                says = says or found.says
            scene = scene_of(f"{sub.name}_0") or scene_of(sub.name) or sub.name.casefold()
            joins += [replace(joined, name=f"{sub.name}/{joined.name}", scene=scene) for joined in found.joins]
        _require_no_sides(inside.folder, [PurePath(j.name) for j in joins if j.degraded is None and "/" in j.name])
        return Found(f"{says}, in a folder for each scene", tuple(joins), tuple(problems))

    def _blocks(self, inside: _Listing) -> Found | None:
        """SIDD's validation blocks: many pictures of one size in a `.mat` file for each side."""
        sides: dict[str, dict[str, Path]] = {}
        for file in inside.arrays:
            if found := _MAT_SIDES.match(file.name):
                side = DEGRADED if found[2].casefold() == "noisy" else CLEAN
                sides.setdefault(f"{found[1]}|{found[3]}".casefold(), {})[side] = file
        pairs = [both for both in sides.values() if len(both) == 2]
        if len(pairs) != 1 or inside.pictures:
            return None
        clean, degraded = pairs[0][CLEAN], pairs[0][DEGRADED]
        try:
            counts = [array_header(file)[1] for file in (clean, degraded)]
            images = block_shape(clean)[0]
        except Unreadable as error:
            return Found("blocks of pairs", (), (f"{self._told(clean)}, {self._told(degraded)}: {error}",))
        if counts[0] != counts[1]:
            return Found("blocks of pairs", (), (f"{self._told(degraded)}: has {counts[1]} blocks, not {counts[0]}",))
        each = counts[0] // images
        joins = (
            Join(f"{n // each:04}_{n % each:02}", clean, degraded, f"image {n // each:04}", place=n)
            for n in range(counts[0])
        )
        return Found(f"blocks of pairs in {degraded.name} and {clean.name}", tuple(joins))

    def _told(self, path: Path) -> str:
        return str(path.relative_to(self.root))


def _are_pairs(named: Sequence[Named]) -> bool:
    """Whether a name says that it is a degraded side, or two are the sides of a pair."""
    if any(one.side == DEGRADED and one.always for one in named):
        return True
    keys = {side: {one.key.casefold() for one in named if one.side == side} for side in (CLEAN, DEGRADED)}
    return bool(keys[CLEAN] & keys[DEGRADED])


def _require_no_sides(folder: Path, files: Sequence[PurePath]) -> None:
    """Raises DataError where two names, or folders with one name in both, differ by the word of a side alone."""
    seen: dict[tuple[str, str], dict[str, PurePath]] = {}
    for file in files:
        scene = file.parent.name
        if (looks := looks_like_a_side(file.name)) is not None:
            side, rest = looks[0], (scene, looks[1])
        elif (looks := looks_like_a_side(scene)) is not None:
            side, rest = looks[0], (looks[1], file.stem)
        else:
            continue
        both = seen.setdefault(rest, {})
        both.setdefault(side, file)
        if len(both) == 2:
            raise DataError(
                f"{folder} looks like a folder of pairs, as {both[DEGRADED]} and {both[CLEAN]}, whose names do not say "
                "it in a way that is known: put the sides into folders noisy/ and clean/ under equal names, or name "
                "them NAME_noisy.* and NAME_clean.*; if both are clean photographs, rename one"
            )


def _alone(side: Side) -> Join:
    return Join(f"{side.scene}{side.path.name}", side.path, None, side.scene.rstrip("/").casefold() or None)


def _folders(folders: Sequence[Path]) -> str:
    return ", ".join(f"{sub.name}/" for sub in folders)


def _words(files: Sequence[Path]) -> str:
    """How files of one side are named, as in *_noisy.*, by the first of them."""
    if not files:
        return "none"
    stem = files[0].stem
    for word in re.findall(r"[A-Za-z]+(?:_gamma)?", stem):
        if side_of_folder(word) is not None:
            start = stem.find(word)
            before, after = "*" if start else "", "*" if start + len(word) < len(stem) else ""
            return f"{before}{stem[max(start - 1, 0) : start]}{word}{after}"
    return files[0].name
