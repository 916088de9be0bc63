"""Data: what a folder of photographs is taken for."""

import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, count_or_none, named, option, same_as
from lpienas.run_settings import RunOptions, settled


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which folder, and how a search is to read it."""

    folder: Path = named("photographs, or pairs of them", "DIR", parse=a_file)
    validation: str | Path | None = same_as(RunOptions, "validation")
    test: str | Path | None = same_as(RunOptions, "test")
    blur: str | None = same_as(RunOptions, "blur")
    skip_unusable: bool | None = same_as(RunOptions, "skip_unusable")
    task: str | None = same_as(RunOptions, "task")
    seed: int | None = same_as(RunOptions, "seed")
    look: int = option(
        64,
        "pairs whose pixels are looked at, at most, evenly along the folder (64, as a search does); 0: none",
        "N",
        parse=count_or_none,
        default="",
    )
    cache: int | None = same_as(RunOptions, "cache")


def data(asked: DataOptions, json_only: bool) -> None:
    """Print its layout, its parts, and what is wrong with it."""
    from nas.survey import survey
    from nas.task.data.tiles import DEFAULT_BYTES, Tiles, default_folder
    from nas.task.task import TaskSettings

    own = ("folder", "look", "cache")
    given = {one.name: getattr(asked, one.name) for one in fields(asked) if one.name not in own}
    made = settled(RunOptions(data=asked.folder, **given), None)
    settings = TaskSettings.of_run(made)
    assert settings.where is not None
    tiles = Tiles(default_folder(), asked.cache or DEFAULT_BYTES)
    found = survey(replace(settings.where, patch=0), tiles)
    degraded = settings.degradation.describe() if found.clean else None
    if not json_only:
        for said in found.lines():
            line(said)
        sys.stdout.flush()
    with bars() as shown:
        found = found.looked_at(tiles, shown, asked.look)
    if json_only:
        as_json(found.to_json() | {"task": settings.task, "degradation": degraded})
        return
    for said in found.findings():
        line(said)
    if found.clean:
        line(f"--task {settings.task} would degrade them with {degraded}")


VERB = Verb(
    "data",
    "show what a folder of photographs is taken for, and what is wrong with it",
    "lpienas data ~/GoPro --blur blur_gamma",
    DataOptions,
    data,
)
