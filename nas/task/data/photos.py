"""Photos: the photographs of a task in their three parts: the packaged samples, or a user's, as a run keeps them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nas.task.data.facts import ledger
from nas.task.data.layouts import DataError
from nas.task.data.listing import Listed, Where, list_folder, list_photographs
from nas.task.data.manifest import DATA, Changes, Entry, Photographs, Side, changes, listed
from nas.task.data.photo import Photo, Picture, StoredPhoto
from nas.task.data.sides import CLEAN
from nas.task.data.source import Source, path_of
from nas.task.data.splits import PARTS
from nas.task.data.tiles import Tiles, default_folder
from results.files import require_inside, written_whole

_SAMPLES = {
    "training": (
        "skimage/data/astronaut.png",
        "sklearn/datasets/images/china.jpg",
        "skimage/data/motorcycle_left.png",
        "skimage/data/motorcycle_right.png",
        "skimage/data/rocket.jpg",
    ),
    "validation": ("skimage/data/chelsea.png", "skimage/data/coffee.png"),
    "test": (
        "sklearn/datasets/images/flower.jpg",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "skimage/data/ihc.png",
    ),
}


class PhotographsChanged(DataError):
    """A folder does not hold what the run that goes on was begun with."""

    def __init__(self, folder: Path | None, changed: Changes) -> None:
        where = "the sample photographs are" if folder is None else f"{folder} is"
        super().__init__(
            f"{where} not what this run was begun with:\n"
            + "\n".join(f"  {line}" for line in changed.lines())
            + "\nGo on with what is still there of its own photographs: --photographs kept; or start another run with "
            "another --out."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Pictures to train on, to choose networks by, and to report on; raises ValueError when a part is empty."""

    training: Sequence[Picture]
    validation: Sequence[Picture]
    test: Sequence[Picture]  # nothing is chosen by these
    source: str  # a sentence that says where they come from
    manifest: Photographs | None = None  # of all of them; None for photographs in memory

    def __post_init__(self) -> None:
        counts = {"training": len(self.training), "validation": len(self.validation), "test": len(self.test)}
        if not all(counts.values()):
            said = ", ".join(f"{count} for {part}" for part, count in counts.items())
            raise ValueError(f"photos need at least one for each of {', '.join(PARTS)}, got {said}")

    @property
    def fingerprint(self) -> str:
        """Part of the name of all that is trained on them."""
        if self.manifest is not None:
            return self.manifest.fingerprint
        return " ".join(photo.name for photo in self.training)

    @property
    def of_those_there(self) -> str:
        """`fingerprint` of the photographs that are there, where a run goes on without some of its own."""
        if self.manifest is None:
            return self.fingerprint
        there = {photo.name for part in (self.training, self.validation, self.test) for photo in part}
        return self.manifest.without({entry.name for entry in self.manifest.entries} - there).fingerprint


def sample_photos(tiles: Tiles | None = None) -> Photos:
    """Ten clean pictures from the wheels of scikit-image, scikit-learn and matplotlib; nothing is downloaded.

    Split by scene: the two motorcycle photos show one and are both in training. Those of the test part are a
    flower, a portrait, and tissue through a microscope. skimage.data's own functions are not called because they
    fetch with pooch what they do not find.
    """
    tiles = tiles or Tiles(default_folder())
    return photos_of(sample_manifest(tiles.folder), None, tiles)


def sample_manifest(ledger_in: Path) -> Photographs:
    entries = []
    with ledger(ledger_in) as known:
        for part, files in _SAMPLES.items():
            for file in files:
                facts, name = known.facts(path_of(None, file)), Path(file).stem
                if facts.problem:
                    raise DataError(f"sample photo {file}: {facts.problem}; install its package again")
                side = Side(file, facts.digest, facts.bits)
                entries.append(Entry(name, name, part, facts.height, facts.width, side))
    return Photographs(tuple(entries), "")


def load_folder(folder: Path, patch: int, seed: int = 0, tiles: Tiles | None = None) -> Photos:
    """A user's pictures in three parts (see `splits.split`); nothing is decoded.

    The same names and seed give the same parts. Photos of one scene in several parts make scores too good: where
    neither names nor folders tell scenes, keep one photo per scene.
    `patch`: pixels per side that every picture must have at least. Raises DataError for unusable pictures, and for
    fewer than three.
    """
    tiles = tiles or Tiles(default_folder())
    where = Where(folder, patch=patch, seed=seed)
    return photos_of(list_photographs(where, tiles.folder).photographs, where, tiles)


def read_folder(
    folder: Path, patch: int = 0, blur: str | None = None, tiles: Tiles | None = None
) -> tuple[StoredPhoto, ...]:
    """All pictures of a folder in the order of their names, in any layout that `layouts.recognise` knows.

    Their pixels are read when they are asked for, as `reading` says. Raises DataError that lists every unusable one.
    """
    tiles = tiles or Tiles(default_folder())
    found = list_folder(folder, tiles.folder, patch, blur)
    return tuple(StoredPhoto(entry, folder, tiles) for entry in found.entries)


def photos_of(manifest: Photographs, where: Where | None, tiles: Tiles, gone: Sequence[str] = ()) -> Photos:
    """The photographs of a manifest in the folders `where` (None: the samples), without those that are `gone`."""
    folders = {DATA: None} if where is None else where.folders
    there = manifest.without(set(gone))
    parts = {
        part: tuple(StoredPhoto(entry, folders[entry.folder], tiles) for entry in there.part(part)) for part in PARTS
    }
    return Photos(**parts, source=_source(manifest, where, gone), manifest=manifest)


def kept_photos(manifest: Photographs, where: Where | None, tiles: Tiles) -> Photos:
    """Those of a run's manifest that are still there, unchanged, under their names.

    Raises DataError where one that networks are chosen or judged by is not: scores before and after would be of other
    photographs.
    """
    folders = {DATA: None} if where is None else where.folders
    gone = []
    with ledger(tiles.folder) as known:
        for entry in manifest.entries:
            if entry.folder not in folders:
                gone.append(entry)
                continue
            digests = [known.facts(path_of(folders[entry.folder], side.file)).digest for side in entry.sides]
            if digests != [side.digest for side in entry.sides]:
                gone.append(entry)
    judged = [entry.name for entry in gone if entry.split != "training"]
    if judged:
        raise DataError(
            f"these photographs, by which the networks of this run are chosen or judged, are gone or were changed: "
            f"{listed(judged)}; scores without them could not be compared with its others: bring them back, or start "
            "another run with another --out"
        )
    return photos_of(manifest, where, tiles, [entry.name for entry in gone])


def settled_photos(
    where: Where | None, kept_in: Path | None, tiles: Tiles, kept: bool = False
) -> tuple[Photos, Listed]:
    """The photographs of a run, whose manifest is in the file `kept_in`, which is written where there is none.

    Raises PhotographsChanged where the folder holds others now, unless `kept`: then those of the manifest that are
    still there are taken.
    """
    if kept and kept_in is not None and kept_in.exists():
        manifest = Photographs.read(kept_in)
        return kept_photos(manifest, where, tiles), Listed(manifest, ())
    now = Listed(sample_manifest(tiles.folder), ()) if where is None else list_photographs(where, tiles.folder)
    if kept_in is None:
        return photos_of(now.photographs, where, tiles), now
    if kept_in.exists():
        manifest = Photographs.read(kept_in)
        if changed := changes(manifest, now.photographs):
            raise PhotographsChanged(None if where is None else where.data, changed)
        return photos_of(manifest, where, tiles), Listed(manifest, now.left_out)
    now.photographs.write(kept_in)
    return photos_of(now.photographs, where, tiles), now


def decoded_bytes(manifest: Photographs) -> int:
    """Of all tiles of these photographs."""
    sources = {
        source.name: source.bytes
        for entry in manifest.entries
        for side in entry.sides
        for source in [Source(None, "", side.digest, entry.height, entry.width, side.bits, side.place)]
    }
    return sum(sources.values())


def write_pairs(pairs: Iterable[tuple[str, Tensor, Tensor]], folder: Path, degraded: str = "noisy") -> list[Path]:
    """Write (name, degraded, clean), both (1, 3, H, W) in [0, 1], as PNG into `folder`/`degraded` and `folder`/clean.

    Returns the files, in the layout that `load_folder` and `read_folder` take. Raises ValueError for a link that leads
    out of `folder`.
    """
    written = []
    for name, *sides in pairs:
        for kind, image in zip((degraded, CLEAN), sides, strict=True):
            path = folder / kind / f"{name}.png"
            require_inside(folder, [path])
            pixels = (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
            with written_whole(path) as temporary:
                Image.fromarray(pixels.numpy()).save(temporary)
            written.append(path)
    return written


def _source(manifest: Photographs, where: Where | None, gone: Sequence[str]) -> str:
    missing = f" Gone, and not trained on any more: {listed(gone)}." if gone else ""
    if where is None:
        said = "; ".join(
            f"{part} on {', '.join(Path(file).stem for file in files)}" for part, files in _SAMPLES.items()
        )
        return (
            "Sample photos from the packages scikit-image, scikit-learn and matplotlib, degraded synthetically: "
            f"{said}.{missing}"
        )
    counts = [len(manifest.part(part)) for part in PARTS]
    layout, _, how = manifest.says.partition("; ")
    return (
        f"Folder {where.data} with {how}: {counts[0]} for training, {counts[1]} for validation, {counts[2]} for the "
        f"test. Layout: {layout}.{missing}"
    )


__all__ = [
    "DataError",
    "Photo",
    "PhotographsChanged",
    "Photos",
    "Picture",
    "StoredPhoto",
    "Where",
    "decoded_bytes",
    "kept_photos",
    "load_folder",
    "photos_of",
    "read_folder",
    "sample_photos",
    "settled_photos",
    "write_pairs",
]
