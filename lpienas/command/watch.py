"""Watch: a running search, from any terminal that sees its folder."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, live
from lpienas.fields import option, switch
from lpienas.shared import A_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Which run, and how often it is looked at."""

    run: Path = A_RUN
    once: bool = switch("print where it stands, and end")
    every: float = option(2.0, "look again after so many seconds", "SECONDS", parse=float)


def watch(asked: WatchOptions, json_only: bool) -> None:
    """Show where a search stands until it is done, or Ctrl-C; only reads, so that the search does not notice."""
    from results.run import Run
    from results.standing import standing_of
    from results.study import open_study

    if asked.every <= 0:
        raise ValueError(f"--every {asked.every:g}: must be above 0 seconds")
    run = Run(asked.run)
    cost = run.settings().cost
    now = standing_of(open_study(run.study), datetime.now())
    if json_only:
        as_json(now.to_json())
        return
    if not asked.once:
        with live() as shown:
            while not now.is_done:
                shown(now.lines(cost))
                time.sleep(asked.every)
                now = standing_of(open_study(run.study), datetime.now())
    for said in now.lines(cost):
        line(said)


VERB = Verb("watch", "see how far a running search is", "lpienas watch runs/night", WatchOptions, watch)
