"""Kept: the photographs of a run, as its manifest says: noticed when they change, and never on two sides."""

from collections.abc import Sequence
from pathlib import Path

from nas.task.data.layouts import DataError
from nas.task.data.listing import Listed
from nas.task.data.manifest import Photographs
from nas.task.data.photo import Picture
from nas.task.data.photos import Photos, photos_of, settled_photos
from nas.task.data.tiles import Tiles, default_folder
from nas.task.task import TaskSettings, read_photos
from results.files import held_in, read_json
from results.run import Run

BESIDE = "photographs.json"  # beside a network of no run: {"digests": {digest: name}} of what trained or chose it


class NoManifest(ValueError):
    """A run of a version that did not write down which photographs it was made with was to go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was made by a version that did not keep a list of its photographs: whether they are still the "
            "same cannot be told, and scores of others could not be compared. `lpienas front` still shows it, and "
            "compress, export, evaluate and enhance work; to search on, start another run: lpienas search --out FOLDER"
        )


def photographs_of(
    run: Run, settings: TaskSettings, tiles: Tiles, kept: bool = False, begins: bool = False
) -> tuple[Photos, Listed]:
    """The photographs of `run`; the first time, where it `begins`, they are written down.

    Raises PhotographsChanged, DataError, NoManifest: see nas.task.data.photos.settled_photos.
    """
    made = (run.folder / "run.json").exists()
    if begins and not made:
        run.photographs.unlink(missing_ok=True)  # of a search that was stopped before it began
    if made and not run.photographs.exists():
        if begins and (run.supernet.exists() or (settings.data is not None and _has_scores(run))):
            raise NoManifest(run.folder)
        return settled_photos(settings.where, run.photographs if begins else None, tiles)
    return settled_photos(settings.where, run.photographs if begins or made else None, tiles, kept)


def kept_part(run: Run, settings: TaskSettings, part: str) -> Sequence[Picture]:
    """The photographs that a run kept for one of splits.PARTS; raises NoTestPart, DataError."""
    if part == "test":
        run.require_test_part()
    tiles = Tiles(default_folder())
    if not run.photographs.exists():
        found: Sequence[Picture] = getattr(read_photos(settings, tiles), part)
        return found
    manifest = Photographs.read(run.photographs)
    if settings.where is not None and not settings.where.data.is_dir():
        raise DataError(
            f"{settings.where.data}, where the photographs of {run.folder} were, is not there any more: say where they "
            f"are now, with --data, when you search on: lpienas search --out {run.folder} --data FOLDER"
        )
    kept: Sequence[Picture] = getattr(photos_of(manifest, settings.where, tiles), part)
    return kept


def used_by(run: Run) -> tuple[dict[str, str], set[str]] | None:
    """({digest: name} of what `run` was trained on or chosen by, digests of its test part); None: it is not known."""
    if not run.photographs.exists():
        return None
    manifest = Photographs.read(run.photographs)
    used: dict[str, str] = {}
    tests: set[str] = set()
    for entry in manifest.entries:
        if entry.split == "test":
            tests.update(entry.content)
        else:
            used.update(dict.fromkeys(entry.content, entry.name))
    return used, tests - used.keys()


def used_beside(network: Path) -> set[str]:
    """Digests of what a `network` that is of no run was trained on or chosen by, where it says so; else none."""
    file = network.with_name(BESIDE)
    if not file.is_file():
        return set()
    with held_in(file):
        return set(read_json(file)["digests"])


def _has_scores(run: Run) -> bool:
    """Whether anything in the folder was scored with photographs that are not known."""
    return run.study.exists() or run.calibration.exists()
