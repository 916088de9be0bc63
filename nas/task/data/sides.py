"""Sides: the words by which data sets name the two sides of a pair, in folders and in files."""

import re
from dataclasses import dataclass
from pathlib import PurePath

DEGRADED_WORDS = ("noisy", "blurred", "degraded", "blur", "blur_gamma", "input", "inputs", "lq", "real")
CLEAN_WORDS = ("clean", "gt", "target", "targets", "sharp", "mean", "groundtruth", "ground_truth", "hq")
CLEAN, DEGRADED = "clean", "degraded"
# Words of names that are not read as sides, but never taken for two clean photographs: low/a.png beside high/a.png.
_LIKE_DEGRADED = ("noise", "blurry", "low", "lr", "before", "source", "distorted", "corrupted")
_LIKE_CLEAN = ("original", "orig", "reference", "ref", "high", "hr", "after", "label", "latent", "truth")

_ALWAYS = ("noisy", "blurred", "degraded")  # a file that ends so is one side of a pair, even alone
_SEPARATOR = re.compile(r"[_\-. ]+")
# SIDD: 0001_NOISY_SRGB_010 beside 0001_GT_SRGB_010; in its small edition NOISY_SRGB_010.
_SIDD = re.compile(r"^(.*?)(NOISY|GT)(_SRGB(?:_\d+)?)$", re.IGNORECASE)
_WORDS = "|".join(sorted((*DEGRADED_WORDS, *CLEAN_WORDS), key=len, reverse=True))
_LAST = re.compile(rf"^(.+)[_\-. ]({_WORDS})$", re.IGNORECASE)
_FIRST = re.compile(rf"^({_WORDS})[_\-. ](.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says of its side."""

    side: str | None  # CLEAN, DEGRADED, or None
    key: str  # what the two files of a pair share
    always: bool = False  # whether it is a side even where no other file is its partner


def side_of_folder(name: str) -> str | None:
    """The side that a folder of this name holds, in any case."""
    word = name.casefold()
    return DEGRADED if word in DEGRADED_WORDS else CLEAN if word in CLEAN_WORDS else None


def side_of_file(name: str) -> Named:
    """The side that ends or begins a file's name, as in cat_noisy.png, x_sharp.png, 0001_GT_SRGB_010.PNG."""
    stem = PurePath(name).stem
    if sidd := _SIDD.match(stem):
        return Named(_side(sidd[2]), f"{sidd[1]}NOISY{sidd[3]}", True)  # by which splits tell the scene
    if last := _LAST.match(stem):
        word = last[2].casefold()
        return Named(_side(word), last[1], word in (*_ALWAYS, "clean"))
    if first := _FIRST.match(stem):
        return Named(_side(first[1]), first[2])
    return Named(None, stem)


def looks_like_a_side(name: str) -> tuple[str, str] | None:
    """(side, the name without it) where any word of a name is one of a side, or like one; None for other names."""
    words = _SEPARATOR.split(PurePath(name).stem)
    for place, word in enumerate(words):
        if (side := side_of_folder(word) or _alike(word)) is not None:
            return side, "_".join([*words[:place], *words[place + 1 :]]).casefold()
    return None


def _alike(word: str) -> str | None:
    """The side that a word such as noise25 makes think of."""
    letters = word.casefold().rstrip("0123456789")
    return DEGRADED if letters in _LIKE_DEGRADED else CLEAN if letters in _LIKE_CLEAN else None


def _side(word: str) -> str:
    found = side_of_folder(word)
    assert found is not None  # the patterns are made of the same words
    return found
