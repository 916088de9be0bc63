"""Unseen: the photographs that finished networks may be judged on, which they were neither trained on nor chosen by."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nas.kept import kept_part, used_beside, used_by
from nas.task.data.manifest import listed
from nas.task.data.pairs import Pairs, judged, validation_pairs
from nas.task.data.photos import DataError, Picture, StoredPhoto, read_folder
from nas.task.degrade.tasks import DENOISE
from nas.task.task import TaskSettings, pairs_to_test, read_photos
from results.photo_score import SEVERAL, crops_of
from results.run import Run

Kind = TypeVar("Kind", bound=Picture)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Pairs of photographs, and which they are."""

    pairs: Pairs
    split: str | None  # "test", or None for all photographs of a folder
    says: str  # for a sentence: "3 test photographs of ..."
    crops: str = "whole"  # what is judged of them: "whole", or "at most 384x384 pixels around the centre"
    left_out: tuple[str, ...] = ()  # photographs of the folder that a network was trained on or chosen by
    task: str = DENOISE  # one of nas.task.degrade.TASKS


def unseen(models: Sequence[Path], data: Path | None, whole: bool = False) -> Unseen:
    """The photographs of the folder `data`, or without one the test photographs of the first model's run.

    Of `data` those are left out, by what they show and not by their names, that a run among `models`, or the run of an
    exported file among them, was trained on or chosen by, or a network with a list beside it. Without `data` and a run,
    the test photographs among the samples, less those. Judged are crops, as in the training's own figures, or
    photographs as a `whole`. Raises DataError where no photograph is left, NoTestPart for a run that kept none.
    """
    alone = set[str]().union(*map(used_beside, models))
    runs = list(dict.fromkeys(run for model in models if (run := run_of(model)) is not None))
    settings = TaskSettings.of_run(runs[0].settings()) if runs else TaskSettings(least_judged=SEVERAL)
    side = None if whole else settings.validation_side
    crops = crops_of(side)
    if data is None:
        kept = kept_part(runs[0], settings, "test") if runs else read_photos(settings).test
        left, seen = _apart(kept, alone)
        photos = judged(left, settings.judged)
        of = "of the sample photographs" if settings.data is None else f"of {settings.data}"
        pairs = pairs_to_test(photos, settings, side)
        says = f"{_counted(len(photos), 'test ')} {of}{pairs.says}"
        return Unseen(pairs, "test", says, crops, seen, settings.task)
    found, seen = _apart(read_folder(data, blur=settings.blur), alone)
    left, names, known, test = _not_used(found, runs, data)
    names = [*seen, *names]
    if not left:
        which, instead = (
            ("this network", "it") if len(models) == 1 else ("one of these networks", "them one by one, or")
        )
        raise DataError(f"every photograph of {data} trained or chose {which}; evaluate {instead} on other photographs")
    if not known:
        pairs = validation_pairs(left, settings.degradation, settings.seed, side, settings.least_judged)
        says = f"{_counted(len(left))} of {data}{pairs.says}"
        return Unseen(pairs, None, says, crops, tuple(names), settings.task)
    pairs = pairs_to_test(left, settings, side)
    says = f"{_counted(len(left), 'test ' if test else '')} of {data}, on whose others it was searched{pairs.says}"
    return Unseen(pairs, "test" if test else None, says, crops, tuple(names), settings.task)


def left_out_line(names: Sequence[str]) -> str:
    """A sentence on the photographs that were left out; empty where none was."""
    if not names:
        return ""
    return f"left out, since a network was trained on them or chosen by them: {listed(names)}"


def _apart(photos: Sequence[Kind], used: Set[str]) -> tuple[list[Kind], tuple[str, ...]]:
    """(`photos` that a network of no run did not use, names of the others)."""
    left = [one for one in photos if not isinstance(one, StoredPhoto) or used.isdisjoint(one.entry.content)]
    there = {photo.name for photo in left}
    return left, tuple(photo.name for photo in photos if photo.name not in there)


def _not_used(
    found: Sequence[StoredPhoto], runs: Sequence[Run], data: Path
) -> tuple[list[Picture], list[str], bool, bool]:
    """(photographs that no run used, names of the others, whether a run knows some, whether all are for the test)."""
    left: list[StoredPhoto] = list(found)
    knows, tests_of_all = False, True
    for run in runs:
        used = used_by(run)
        if used is None:
            if not _is_data_of(run, data):
                tests_of_all = False
                continue
            kept = {photo.name for photo in kept_part(run, TaskSettings.of_run(run.settings()), "test")}
            left, knows = [photo for photo in left if photo.name in kept], True
            continue
        trained, tests = used
        own = [photo for photo in found if set(photo.entry.content) & (trained.keys() | tests)]
        if own:
            run.require_test_part()
            knows = True
        left = [photo for photo in left if not set(photo.entry.content) & trained.keys()]
        tests_of_all = tests_of_all and all(set(photo.entry.content) & tests for photo in left)
    there = {photo.name for photo in left}
    return list(left), [photo.name for photo in found if photo.name not in there], knows, knows and tests_of_all


def run_of(model: Path) -> Run | None:
    """The run whose folder `model` is or lies in; None for a bare file."""
    for folder in (model, *model.absolute().parents):
        if (folder / "run.json").is_file():
            return Run(folder)
    return None


def _is_data_of(run: Run, data: Path) -> bool:
    searched_on = run.settings().data
    return searched_on is not None and Path(searched_on).resolve() == data.resolve()


def _counted(photographs: int, kind: str = "") -> str:
    return f"{photographs} {kind}photograph{'' if photographs == 1 else 's'}"
