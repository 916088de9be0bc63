"""Search: score networks in a run folder, and train the best fully."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.settings import SearchOptions
from lpienas.shared import A_RUN_TO_WRITE

CONTINUES = "the same command continues where it stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchWords(SearchOptions):
    """What a search is made with, and where."""

    out: Path = A_RUN_TO_WRITE


def search(asked: SearchWords, json_only: bool) -> None:
    """Search, and print whether the front beats the reference."""
    from lpienas.searches import search as begin_or_go_on

    with bars() as shown:
        report = begin_or_go_on(asked.out, asked, shown).report()
    as_json(report.to_json()) if json_only else line(report.verdict)


VERB = Verb(
    "search",
    "score networks; run again to continue",
    "lpienas search --out runs/night --data ~/pairs --budget 600M --trials 60",
    SearchWords,
    search,
    CONTINUES,
)
