"""Compress: train one candidate fully, prune it, quantize it."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.command.search import CONTINUES
from lpienas.settings import CompressOptions
from lpienas.shared import A_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressWords(CompressOptions):
    """Of which run, which candidate, and how."""

    run: Path = A_RUN


def compress(asked: CompressWords, json_only: bool) -> None:
    """Compress, and print what each part of the network is worth."""
    from lpienas.runs import Run
    from nas.anatomy import anatomy_line
    from results.table import anatomy_table

    with bars() as shown:
        made = Run(asked.run).compress(asked, shown)
    if json_only:
        as_json(made)
        return
    table(anatomy_table(made["anatomy"]))
    line(anatomy_line(made["anatomy"]))
    line(f"compression {made['name']}; lpienas export {asked.run} --compression {made['name']} writes its files")


VERB = Verb(
    "compress",
    "train one candidate fully, prune it, quantize it",
    "lpienas compress runs/night --pick under=600M --prune 0.5 --qat --name small",
    CompressWords,
    compress,
    CONTINUES,
)
