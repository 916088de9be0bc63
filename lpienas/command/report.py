"""Report: what runs found, as one page to decide by."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, named, option
from lpienas.pages import ReportOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWords(ReportOptions):
    """Of which runs, and where the page goes."""

    runs: tuple[Path, ...] = named("run folders, side by side", "RUN", parse=a_file, several=True)
    out: Path | None = option(
        None, "the page", "FILE.html", parse=a_file, short="-o", default="report.html in the first run"
    )


def report(asked: ReportWords, json_only: bool) -> None:
    """Write the page, and say where it is."""
    from lpienas.pages import report as write
    from results.run import Run

    for run in asked.runs:
        Run(run).settings()  # a folder that is no run is named before anything is written into it
    with bars() as shown:
        path = write(asked.runs, asked.out or asked.runs[0] / "report.html", asked, shown)
    if json_only:
        as_json({"page": str(path), "bytes": path.stat().st_size})
        return
    line(f"page written to {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")


VERB = Verb(
    "report",
    "write one page that shows what was found, to decide by",
    "lpienas report runs/night",
    ReportWords,
    report,
)
