"""Watch: a running search, from any terminal that sees its folder, or the storage that it feeds."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, live, note
from lpienas.fields import a_file, option, switch

if TYPE_CHECKING:  # Optuna takes seconds to import; `--help` and wrong arguments answer at once
    import optuna


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Which run, and how often it is looked at."""

    run: Path | None = option(
        None, "run folder; or, in its place, --storage", "RUN", parse=a_file, positional=True, default=""
    )
    storage: str | None = option(
        None, "a study that several machines feed, without the run folder of any", "ADDRESS", default=""
    )
    study: str | None = option(None, "its name in --storage", "NAME", default="lpienas")
    once: bool = switch("print where it stands, and end")
    every: float = option(2.0, "look again after so many seconds", "SECONDS", parse=float)


def watch(asked: WatchOptions, json_only: bool) -> None:
    """Show where a search stands until it is done, or Ctrl-C; only reads, so that the search does not notice."""
    from results.standing import standing_of

    if asked.every <= 0:
        raise ValueError(f"--every {asked.every:g}: must be above 0 seconds")
    study, cost = _study(asked)
    now = standing_of(study, datetime.now())
    if json_only:
        as_json(now.to_json())
        return
    if not asked.once:
        with live() as shown:
            while not now.is_done:
                shown(now.lines(cost))
                time.sleep(asked.every)
                now = standing_of(study, datetime.now())
    for said in now.lines(cost):
        line(said)


def _study(asked: WatchOptions) -> "tuple[optuna.Study, str]":
    """The study that is meant, and what its search makes small."""
    from results.record import RunSettings
    from results.run import Run
    from results.storage import Shared, kept_apart
    from results.study import SETTINGS, open_study

    if (asked.run is None) == (asked.storage is None):
        raise ValueError("name a run folder or --storage ADDRESS, one of them")
    if asked.run is not None:
        if asked.study is not None:
            raise ValueError(f"--study {asked.study}: is for --storage; run.json says it of {asked.run}")
        run = Run(asked.run)
        return open_study(run.study, say=note), run.settings().cost
    assert asked.storage is not None
    where = Shared(kept_apart(asked.storage), asked.study or "lpienas")
    study = open_study(where, say=note)
    stated = study.user_attrs.get(SETTINGS)
    return study, "macs" if stated is None else RunSettings.from_json(stated, where).cost


VERB = Verb("watch", "see how far a running search is", "lpienas watch runs/night", WatchOptions, watch)
