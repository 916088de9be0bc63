"""Unseen: the photographs that finished networks may be judged on, which they were neither trained on nor chosen by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.task.data.patches import validation_pairs
from nas.task.data.photos import DataError, read_folder
from nas.task.evaluation import Pair
from nas.task.task import TaskSettings, pairs_to_test, read_photos
from results.run import Run


@dataclass(frozen=True, slots=True)
class Unseen:
    """Pairs of whole photographs, and which they are."""

    pairs: tuple[Pair, ...]
    split: str | None  # "test", or None for all photographs of a folder
    says: str  # for a sentence: "3 test photographs of ..."


def unseen(models: Sequence[Path], data: Path | None) -> Unseen:
    """The photographs of the folder `data`, or without one the test photographs of the first model's run.

    Where `data` is the folder that a run among `models`, or the run of an exported file among them, was searched on,
    only the run's test photographs in it count; of several runs those that all of them kept for the test. Without
    `data` and a run, the test photographs among the samples. Raises DataError where none is left, NoTestPart for a
    run that kept none.
    """
    runs = list(dict.fromkeys(run for model in models if (run := _run_of(model)) is not None))
    if data is None:
        for run in runs[:1]:
            run.require_test_part()
        settings = TaskSettings.of_run(runs[0].settings()) if runs else TaskSettings()
        photos = read_photos(settings).test
        of = "of the sample photographs" if settings.data is None else f"of {settings.data}"
        return Unseen(tuple(pairs_to_test(photos, settings, None)), "test", f"{_counted(len(photos), 'test ')} {of}")
    searched = [run for run in runs if _is_data_of(run, data)]
    if not searched:
        settings = TaskSettings.of_run(runs[0].settings()) if runs else TaskSettings()
        pairs = validation_pairs(read_folder(data), settings.noise, settings.seed, None)
        return Unseen(tuple(pairs), None, f"{_counted(len(pairs))} of {data}")
    kept: set[str] | None = None
    for run in searched:
        run.require_test_part()
        names = {photo.name for photo in read_photos(TaskSettings.of_run(run.settings())).test}
        kept = names if kept is None else kept & names
    settings = TaskSettings.of_run(searched[0].settings())
    photos = tuple(photo for photo in read_photos(settings).test if photo.name in (kept or ()))
    if not photos:
        raise DataError(f"no photograph of {data} was kept for the test by all of these runs; evaluate them one by one")
    says = f"{_counted(len(photos), 'test ')} of {data}, on whose others it was searched"
    return Unseen(tuple(pairs_to_test(photos, settings, None)), "test", says)


def _run_of(model: Path) -> Run | None:
    """The run whose folder `model` is or lies in; None for a bare file."""
    for folder in (model, *model.absolute().parents):
        if (folder / "run.json").is_file():
            return Run(folder)
    return None


def _is_data_of(run: Run, data: Path) -> bool:
    searched_on = run.settings().get("data")
    return searched_on is not None and Path(searched_on).resolve() == data.resolve()


def _counted(photographs: int, kind: str = "") -> str:
    return f"{photographs} {kind}photograph{'' if photographs == 1 else 's'}"
