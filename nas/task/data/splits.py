"""Splits: which photographs train, which choose and which only report, by scene where names tell scenes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("training", "validation", "test")
FEWEST = len(PARTS)  # scenes, or photographs: one for each part

_TEST, _VALIDATION = 0.15, 0.15  # of the scenes, in the long run; the others are for training
_SUFFIX = re.compile(r"\.(?:png|jpe?g|bmp|tiff?|webp)$", re.IGNORECASE)
# SIDD: instance, scene, phone, sensitivity, ...; and its files, of which every picture of an instance is a shot.
_SIDD_INSTANCE = re.compile(r"^(.*?)\d{4}_(\d{3})_(?:S6|GP|N6|G4|IP)_\d{5}_", re.IGNORECASE)
_SIDD_FILE = re.compile(r"^(.*?\d{4})_(?:NOISY|GT)_(?:SRGB|RAW)(?:_\d{3})?$", re.IGNORECASE)
# GoPro: GOPR0372_07_00_000047 is a frame of a recording.
_GOPRO = re.compile(r"^(.*?GOPR\d{4}_\d{2}_\d{2})[_-]\d+$", re.IGNORECASE)
# PolyU: a camera, its aperture, time and sensitivity, what is shown, a shot: Canon5D2_5_160_3200_chair_11. Numbers of
# six digits and more are the date and the time in a phone's names.
_SETTINGS = re.compile(r"^(.+?)(?:_\d{1,5}(?:[-.]\d{1,5})?){3,}_([A-Za-z]+)_+\d{1,5}$")
# A word that says scene or recording, with its number, and anything behind it: scene12_003, clip-3-frame-7.
_NUMBERED = re.compile(r"^((?:.*[_\-. ])?(?:scene|clip|sequence|seq|video)[_\-. ]?\d+)(?:[_\-. ].*)?$", re.IGNORECASE)
# What tells apart pictures of one scene, behind its name: _iso3200, -frame-07, _shot2, _left.
_ENDING = re.compile(
    r"[_\-. ](?:(?:iso|frame|shot|take|exposure|exp|ev|crop|patch|tile|burst)[_\-. ]?[+-]?\d+(?:[_\-. ](?:\d+|cover))?"
    r"|left|right)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Split:
    """Places of photographs in each part, and how they came there."""

    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    by: str  # words for the sentence on where photographs come from


def split(
    names: Sequence[str], seed: int, scenes: Sequence[str | None] | None = None, parts: Sequence[str] = PARTS
) -> Split:
    """The parts of photographs by the names of their files: of whole scenes where names tell them, else of photographs.

    A scene's part follows from a digest of its name and the seed alone: other photographs, added or removed, move
    none. Two things bend that in small folders. A part that would be empty takes the scene whose digest is nearest
    to it, until another one falls there. And where names tell fewer than three scenes, photographs are split.
    `scenes`: what folders tell, before names do. `parts`: those that these photographs are split into; where one comes
    from elsewhere, what would fall to it is trained on. Raises ValueError for fewer photographs than parts.
    """
    fewest = len(parts)
    if len(names) < fewest:
        raise ValueError(f"{len(names)} photographs: at least {fewest} are needed, one for each of {', '.join(parts)}")
    keys = [scene or scene_key(name) for name, scene in zip(names, scenes or [None] * len(names), strict=True)]
    count = len(set(keys))
    if count < fewest and scenes is not None and any(scenes):
        return split(names, seed, None, parts)  # a few folders are no scenes
    if count < fewest:
        by, keys = f"by photo, since their names tell {count} scene{'s' if count > 1 else ''} only", list(names)
    elif count < len(names):
        by = f"by scene, of which their names tell {count}"
    else:
        by = "by photo, since no two names tell one scene"
    part = _parts(set(keys), seed, parts)
    training, validation, test = (
        tuple(place for place, key in enumerate(keys) if part[key] == wanted) for wanted in PARTS
    )
    return Split(training, validation, test, by)


def scene_of(name: str) -> str | None:
    """The scene that a file's name tells, in lower case; None where it tells none, as most names do.

    A number behind a word is no shot of a scene: cameras (DSC_0001, IMG_20240101_120000) and collections (renoir_07,
    sunhays80_042) number everything so. Told is what says so: a word such as scene, frame, ISO or left, and the names
    of SIDD, GoPro and PolyU.
    """
    bare = _bare(name)
    if sidd := _SIDD_INSTANCE.match(bare):
        return f"{sidd[1]}scene {sidd[2]}"
    if shown := _SETTINGS.match(bare):
        return f"{shown[1]} {shown[2]}"
    for pattern in (_SIDD_FILE, _GOPRO, _NUMBERED):
        if found := pattern.match(bare):
            return found[1]
    kept = bare
    while ending := _ENDING.search(kept):
        kept = kept[: ending.start()]
    return kept if kept and kept != bare else None


def scene_key(name: str) -> str:
    """What decides the part of a photograph of this name: its scene, or where its name tells none the name itself."""
    return scene_of(name) or _bare(name)


def _parts(keys: set[str], seed: int, parts: Sequence[str]) -> dict[str, str]:
    """The part of each of at least as many scenes as there are parts; no part is empty."""
    begin = 0.0 if "test" in parts else _TEST  # what would be in a part that comes from elsewhere is trained on
    places = sorted(((_place(key, seed) - begin) % 1, key) for key in keys)  # those of the training part last
    tested = apart = 0
    if "test" in parts:
        most = len(places) - len(parts) + 1
        tested = apart = min(max(sum(place < _TEST for place, _ in places), 1), most)
    if "validation" in parts:
        below = sum(place < _TEST + _VALIDATION - begin for place, _ in places)
        apart = min(max(below, tested + 1), len(places) - 1)
    return {
        key: "test" if rank < tested else "validation" if rank < apart else "training"
        for rank, (_, key) in enumerate(places)
    }


def _place(key: str, seed: int) -> float:
    """A number in [0, 1) that follows from a scene's name and the seed."""
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _bare(name: str) -> str:
    """Without the ending of a picture file, which pairs have none of; in lower case."""
    return _SUFFIX.sub("", name).casefold()
