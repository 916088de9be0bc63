"""Photos: where clean pictures, and pairs of a degraded and a clean one, come from."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nas.task.data.splits import FEWEST, PARTS, split

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
DEGRADED = ("noisy", "blurred", "degraded")  # names of the degraded side: a folder, or `_noisy` behind a file's name
CLEAN = "clean"

_FOREIGN = (".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf")  # Pillow reads none
_SAMPLE_TRAINING = (
    "skimage/data/astronaut.png",
    "sklearn/datasets/images/china.jpg",
    "skimage/data/motorcycle_left.png",
    "skimage/data/motorcycle_right.png",
    "skimage/data/rocket.jpg",
)
_SAMPLE_VALIDATION = ("skimage/data/chelsea.png", "skimage/data/coffee.png")
_SAMPLE_TEST = (
    "sklearn/datasets/images/flower.jpg",
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "skimage/data/ihc.png",
)


class DataError(ValueError):
    """Pictures that cannot be used; the message names every one, its reason, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One picture, RGB uint8 (3, H, W); raises ValueError for another type or shape, or sides that differ."""

    name: str
    clean: Tensor
    degraded: Tensor | None  # of the same shape; None: to be degraded synthetically

    def __post_init__(self) -> None:
        for side, image in ((CLEAN, self.clean), ("degraded", self.degraded)):
            if image is not None and (image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3):
                raise ValueError(
                    f"photo {self.name}: its {side} side must be uint8 (3, H, W), got {image.dtype} {(*image.shape,)}"
                )
        if self.degraded is not None and self.degraded.shape != self.clean.shape:
            raise ValueError(
                f"photo {self.name}: both sides must have one shape, got {(*self.degraded.shape,)} degraded and "
                f"{(*self.clean.shape,)} clean"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Pictures to train on, to choose networks by, and to report on; raises ValueError when a part is empty."""

    training: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]  # nothing is chosen by these
    source: str  # a sentence that says where they come from

    def __post_init__(self) -> None:
        counts = {"training": len(self.training), "validation": len(self.validation), "test": len(self.test)}
        if not all(counts.values()):
            said = ", ".join(f"{count} for {part}" for part, count in counts.items())
            raise ValueError(f"photos need at least one for each of {', '.join(PARTS)}, got {said}")


def sample_photos() -> Photos:
    """Ten clean pictures from the wheels of scikit-image, scikit-learn and matplotlib; nothing is downloaded.

    Split by scene: the two motorcycle photos show one and are both in training. Those of the test part are a
    flower, a portrait, and tissue through a microscope. skimage.data's own functions are not called because they
    fetch with pooch what they do not find.
    """
    return Photos(
        training=tuple(_packaged(path) for path in _SAMPLE_TRAINING),
        validation=tuple(_packaged(path) for path in _SAMPLE_VALIDATION),
        test=tuple(_packaged(path) for path in _SAMPLE_TEST),
        source="Sample photos from the packages scikit-image, scikit-learn and matplotlib, degraded synthetically: "
        f"training on {_names(_SAMPLE_TRAINING)}; validation on {_names(_SAMPLE_VALIDATION)}; test on "
        f"{_names(_SAMPLE_TEST)}.",
    )


def load_folder(folder: Path, patch: int, seed: int = 0) -> Photos:
    """A user's pictures (see `read_folder`) in three parts (see `splits.split`).

    The same names and seed give the same parts. Photos of one scene in several parts make scores too good: where
    names do not tell scenes, keep one photo per scene.
    `patch`: pixels per side that every picture must have at least. Raises DataError for unusable pictures, and for
    fewer than three.
    """
    photos = read_folder(folder, patch)
    if len(photos) < FEWEST:
        raise DataError(
            f"folder {folder} holds too few photos, {', '.join(photo.name for photo in photos)}: at least three are "
            "needed, one to train on, one to choose networks by, and one to test them on; add photos of other scenes"
        )
    parts = split([photo.name for photo in photos], seed)
    kind = "clean photos, degraded synthetically" if photos[0].degraded is None else "pairs of photos"
    return Photos(
        training=tuple(photos[place] for place in parts.training),
        validation=tuple(photos[place] for place in parts.validation),
        test=tuple(photos[place] for place in parts.test),
        source=f"Folder {folder} with {len(photos)} {kind}, split {parts.by}, with seed {seed}: "
        f"{len(parts.training)} for training, {len(parts.validation)} for validation, {len(parts.test)} for the test.",
    )


def read_folder(folder: Path, patch: int = 0) -> tuple[Photo, ...]:
    """All pictures of a folder in the order of their names, each decoded once.

    Pairs: folders `clean/` and one of `noisy/`, `blurred/`, `degraded/` with equal file names (endings may differ),
    or files `NAME_clean.*` beside `NAME_noisy.*`, `NAME_blurred.*` or `NAME_degraded.*`. Without a degraded side
    (pictures in the folder itself, or in its `clean/`) all pictures are taken as clean ones.
    Pictures are read as 8-bit RGB in the orientation that their EXIF states: grey is repeated, transparent parts
    become white, of 16 bits the upper 8 are kept. Deeper folders are not searched; hidden files and other types are
    passed over.
    Raises DataError that lists every unusable picture: unreadable, unpaired, of unequal size within a pair, or with
    a side below `patch` pixels.
    """
    if not folder.is_dir():
        raise DataError(f"folder {folder} does not exist or is a file: name a folder that holds your photos")
    problems: list[str] = []
    photos = []
    for name, sides in _find(folder, problems):
        images = [image for file in sides if (image := _read(folder, file, patch, problems)) is not None]
        if len(images) < len(sides):
            continue
        if images[0].shape != images[-1].shape:
            clean, degraded = (f"{file.relative_to(folder)}" for file in sides)
            problems.append(
                f"{degraded}: is {_size(images[1])} but {clean} is {_size(images[0])}; the two sides of a pair must "
                "show the same pixels"
            )
            continue
        photos.append(Photo(name, images[0], images[1] if len(images) == 2 else None))
    if problems:
        raise DataError(
            f"{len(problems)} of the files in {folder} cannot be used:\n"
            + "\n".join(f"  {problem}" for problem in sorted(problems))
            + "\nRepair, pair or remove these files, then start again."
        )
    if not photos:
        raise DataError(
            f"folder {folder} holds no pictures: put {', '.join(ENDINGS)} files directly into it, or pairs into its "
            "folders noisy/ and clean/"
        )
    return tuple(photos)


def write_pairs(pairs: Iterable[tuple[str, Tensor, Tensor]], folder: Path) -> list[Path]:
    """Write (name, degraded, clean), both (1, 3, H, W) in [0, 1], as PNG into `folder`/noisy and `folder`/clean.

    Returns the files, in the layout that `load_folder` and `read_folder` take.
    """
    written = []
    for name, *sides in pairs:
        for kind, image in zip((DEGRADED[0], CLEAN), sides, strict=True):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
            Image.fromarray(pixels.numpy()).save(path)
            written.append(path)
    return written


def _find(folder: Path, problems: list[str]) -> list[tuple[str, tuple[Path, ...]]]:
    """(name, its clean file and, in a folder of pairs, its degraded one) by name; appends what has no partner."""
    sides = [folder / side for side in DEGRADED if (folder / side).is_dir()]
    loose = _pictures(folder, folder, problems)
    if not sides and not (folder / CLEAN).is_dir():
        degraded = [file for file in loose if _side(file) in DEGRADED]
        if not degraded:
            return [(file.name, (file,)) for file in loose]
        clean = [file for file in loose if _side(file) == CLEAN]
        for file in loose:
            if _side(file) is None:
                problems.append(f"{file.name}: has no side; name it with _clean or _{DEGRADED[0]} before the ending")
        return _joined(folder, clean, degraded, problems)
    for file in loose:
        problems.append(f"{file.name}: lies beside the folders of pairs; move it into one of them")
    clean = _pictures(folder, folder / CLEAN, problems)
    if not sides:
        return [(file.name, (file,)) for file in clean]
    return _joined(folder, clean, [file for side in sides for file in _pictures(folder, side, problems)], problems)


def _joined(
    folder: Path, clean: list[Path], degraded: list[Path], problems: list[str]
) -> list[tuple[str, tuple[Path, ...]]]:
    by_name: dict[str, tuple[list[Path], list[Path]]] = {}
    for position, side in enumerate((clean, degraded)):
        for file in side:
            by_name.setdefault(_name(file), ([], []))[position].append(file)
    pairs: list[tuple[str, tuple[Path, ...]]] = []
    for name, (cleans, degradeds) in by_name.items():
        if len(cleans) == len(degradeds) == 1:
            pairs.append((name, (cleans[0], degradeds[0])))
            continue
        for files_of_side, others, missing in ((cleans, degradeds, "degraded"), (degradeds, cleans, CLEAN)):
            for file in files_of_side:
                reason = f"has no {missing} partner" if not others else f"is one of several files of the pair {name}"
                problems.append(f"{file.relative_to(folder)}: {reason}")
    return pairs


def _pictures(root: Path, folder: Path, problems: list[str]) -> list[Path]:
    """Picture files directly in `folder`, in the order of their names; appends those of types nothing here reads."""
    if not folder.is_dir():
        return []
    found = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        if file.suffix.lower() in ENDINGS:
            found.append(file)
        elif file.suffix.lower() in _FOREIGN:
            problems.append(f"{file.relative_to(root)}: {file.suffix} is not read; convert it to .png or .jpg")
    return found


def _side(file: Path) -> str | None:
    """The side that ends the file's name, as in `cat_noisy.png`."""
    _, _, ending = file.stem.rpartition("_")
    return ending.lower() if ending != file.stem and ending.lower() in (CLEAN, *DEGRADED) else None


def _name(file: Path) -> str:
    """What both files of a pair share."""
    return file.stem if _side(file) is None else file.stem.rpartition("_")[0]


def _read(root: Path, file: Path, patch: int, problems: list[str]) -> Tensor | None:
    """uint8 (3, H, W), or None after appending why not."""
    try:
        with file.open("rb") as stream:
            image = _decoded(stream)
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        reason = " ".join(str(error).split()) or type(error).__name__
        problems.append(f"{file.relative_to(root)}: cannot be read ({reason})")
        return None
    if min(image.shape[-2:]) < patch:
        problems.append(f"{file.relative_to(root)}: is {_size(image)}, smaller than the patch of {patch}x{patch}")
        return None
    return image


def _decoded(stream: IO[bytes]) -> Tensor:
    """uint8 (3, H, W) of a picture file's first frame; raises whatever Pillow raises, and ValueError."""
    with Image.open(stream) as opened:
        image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion to 8 bits clips at 255
        values = np.asarray(image, dtype=np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("more than 16 bits per channel; save it with 8 or 16")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point values of unknown range; save it with 8 or 16 bits per channel")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.array(image.convert("RGB"))  # (H, W, 3), a copy that torch may own
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _packaged(path: str) -> Photo:
    package, _, rest = path.partition("/")
    found = find_spec(package)  # locates without importing, which takes seconds for scikit-learn
    if found is None or not found.submodule_search_locations:
        raise DataError(f"sample photo {path}: the package {package} is not installed; install lpienas with pip")
    with (Path(found.submodule_search_locations[0]) / rest).open("rb") as stream:
        return Photo(Path(path).stem, _decoded(stream), None)


def _names(paths: Iterable[str]) -> str:
    return ", ".join(Path(path).stem for path in paths)


def _size(image: Tensor) -> str:
    return f"{image.shape[-2]}x{image.shape[-1]} (height x width)"
