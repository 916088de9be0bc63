"""Data: what a folder of photographs is taken for."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, a_size_on_disk, named, option, switch
from lpienas.settings import TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which folder, and how it is to be read."""

    folder: Path = named("photographs, or pairs of them", "DIR", parse=a_file)
    validation: Path | None = option(
        None, "photographs to choose by", "DIR", parse=a_file, default="a part of the others"
    )
    test: Path | None = option(None, "photographs for the test", "DIR", parse=a_file, default="a part of the others")
    blur: str | None = option(None, "which of GoPro's blurred sides is meant", choices=("blur", "blur_gamma"))
    skip_unusable: bool = switch("leave out pictures that cannot be used, and say so")
    task: str = option("denoise", "of a search: what clean photographs would be degraded with", choices=TASKS)
    seed: int = option(0, "of the split", "N", parse=int)
    quick: bool = switch("do not look at the pixels of any pair")
    cache: int | None = option(
        None,
        "of decoded photographs on disk, at most, in LPIENAS_CACHE or the user's cache folder",
        "SIZE",
        parse=a_size_on_disk,
        default="16GB, and half of the free disk",
    )


def data(asked: DataOptions, json_only: bool) -> None:
    """Print its layout, its parts, and what is wrong with it."""
    from nas.survey import survey
    from nas.task.data.listing import Where
    from nas.task.data.tiles import DEFAULT_BYTES, Tiles, default_folder
    from nas.task.degrade import make_noise
    from nas.task.task import TaskSettings

    given = (asked.folder, asked.validation, asked.test, asked.blur)
    where = Where(*given, seed=asked.seed, skip_unusable=asked.skip_unusable)
    degraded = TaskSettings(noise=make_noise("blend"), seed=asked.seed, task=asked.task).degradation
    found = survey(where, Tiles(default_folder(), asked.cache or DEFAULT_BYTES), not asked.quick)
    if json_only:
        as_json(found.to_json() | {"task": asked.task, "degradation": degraded.describe() if found.clean else None})
        return
    for said in found.lines():
        line(said)
    if found.clean:
        line(f"--task {asked.task} would degrade them with {degraded.describe()}")


VERB = Verb(
    "data",
    "show what a folder of photographs is taken for, and what is wrong with it",
    "lpienas data ~/GoPro --blur blur_gamma",
    DataOptions,
    data,
)
