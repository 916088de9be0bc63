"""Pages: what runs found, as one HTML file to decide by, which needs no network and no server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpienas.errors import Error, tells
from lpienas.fields import a_file, count, count_or_none, option, switch

if TYPE_CHECKING:
    from results.page.story import Handed
    from results.progress import Watcher
    from results.report import FrontReport
    from results.run import Run as Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a page shows beside what the run folders hold."""

    control: Path | None = option(
        None, "a random search of equal computing, drawn beside the first run", "RUN", parse=a_file
    )
    bench: tuple[Path, ...] = option(
        (),
        "what `lpienas bench RUN --json` printed, a file for each run in order",
        "FILE",
        parse=a_file,
        several=True,
        accepts=lambda word: word.endswith(".json"),
    )
    photographs: int = option(
        6, "test photographs of each run, before, after and clean; 0: none", "N", parse=count_or_none
    )
    networks: int = option(5, "networks of the front that photographs are shown of", "N", parse=count)
    family: tuple[str, ...] = option(
        (),
        "of runs of own families: the files that define them, which are run, for photographs",
        "FILE.py:NAME",
        several=True,
        accepts=lambda word: ".py:" in word,
        default="",
    )
    force: bool = switch("overwrite a page that exists")


@tells
def report(
    runs: str | Path | Sequence[str | Path],
    output: str | Path = "report.html",
    options: ReportOptions | None = None,
    watcher: "Watcher | None" = None,
) -> Path:
    """Write the page of one run, or of several side by side; returns its path.

    Reads the folders and changes nothing in them. Raises Error for a folder that is no run or has no scores yet, for a
    page that exists, unless `options.force`, and for one that would be larger than 8 MB.
    """
    from datetime import UTC, datetime

    from lpienas.photographs import refuse_existing
    from results.page.story import Story
    from results.page.write import write_page
    from results.progress import Silent
    from results.run import versions

    options, watcher, output = options or ReportOptions(), watcher or Silent(), Path(output)
    folders = [Path(one) for one in ([runs] if isinstance(runs, str | Path) else runs)]
    if len(options.bench) > len(folders):
        raise Error(f"{len(options.bench)} files of --bench for {len(folders)} runs: give at most one for each")
    refuse_existing([output], options.force)
    told = [_story(folder, place, len(folders), options, watcher) for place, folder in enumerate(folders)]
    at = datetime.now(UTC).isoformat(timespec="minutes")
    write_page(output, Story(told, versions()["lpienas"], at))
    return output


def _story(folder: Path, place: int, runs: int, options: ReportOptions, watcher: "Watcher") -> Any:
    from lpienas.runs import Run
    from results.page.gather import story_of
    from results.run import Run as Folder
    from results.study import open_study

    run, found = Folder(folder), Run(folder).report()
    return story_of(run, open_study(run.study), found, _handed(run, found, (place, runs), options, watcher))


def _handed(
    run: "Folder", found: "FrontReport", place: tuple[int, int], options: ReportOptions, watcher: "Watcher"
) -> "Handed":
    """What the packages to the right of results know of the run at `place` (which, of how many)."""
    from lpienas.pictures import MOST_BYTES, pictures_of
    from nas.confirm import anatomies
    from results.page.story import Handed
    from results.study import open_study

    photographs, says = pictures_of(run, found, options, MOST_BYTES // place[1], watcher)
    control, course = _control(options.control) if options.control is not None and place[0] == 0 else ([], {})
    bench = _bench(options.bench[place[0]]) if place[0] < len(options.bench) else {}
    return Handed(
        anatomies=anatomies(run, open_study(run.study)),
        photographs=photographs,
        says=says,
        latency=bench.get("rows", ()),
        latency_says=bench.get("ssim_of", ""),
        control=control,
        control_course=course,
    )


def _control(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The front of a random search, in the figures that its own report gives, and how it came to it."""
    from lpienas.runs import Run
    from results.page.course import course_of
    from results.run import Run as Folder
    from results.study import open_study

    found = Run(folder).report()
    front = [
        {"name": f"random search, candidate {one.number}", "cost": one.scores.cost, "ssim": found.final(one)[0]}
        for one in found.front
    ]
    trials = open_study(Folder(folder).study).get_trials(deepcopy=False)
    return front, course_of(trials, found.reference_point)


def _bench(path: Path) -> Mapping[str, Any]:
    from results.files import read_json

    found = read_json(path)
    if not isinstance(found.get("rows"), list):
        raise Error(f"{path} holds no rows: write it with lpienas bench RUN --json > {path.name}")
    return found
