"""Chaos: a search of cheap candidates, whose processes are killed at random for minutes, beside an undisturbed one."""

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from results.study import open_study
from tests.faults.fault import Came, Place
from tests.faults.kills import workers_of
from tests.faults.processes import end
from tests.faults.searching import begin, compared, lines_of

CHEAP = ("--steps", "2")


def chaos(place: Place, trials: int, seconds: float, workers: int) -> tuple[int, Came, str]:
    """How often something was killed, what came of it, and what ran where, as the run's own records say it.

    After so many `seconds` nothing is killed any more. With one worker the undisturbed search is the oracle.
    """
    more = ("--trials", str(trials), "--workers", str(workers), *CHEAP)
    beside = None
    if workers == 1:
        whole = replace(place, folder=place.folder / "whole")
        whole.folder.mkdir()
        beside = begin(whole, more=more)  # at the same time
        place = replace(place, undisturbed=whole.folder / "run")
    drawn, kills, resuming = random.Random(place.seed), 0, 0.0
    run, until = place.folder / "run", time.monotonic() + seconds
    while True:
        began, lines = time.monotonic(), lines_of(run)
        begun = begin(place, more=more)
        while not begun.has_ended():
            time.sleep(0.02)
            if lines_of(run) != lines and began:
                resuming, began = max(resuming, time.monotonic() - began), 0.0
            if time.monotonic() < until and not began and drawn.random() < 0.02:
                kills += 1
                if not _kill_one_of(begun.pid, drawn):
                    end(begun)
        if begun.wait() == 0:
            break
        assert begun.wait() == -signal.SIGKILL, begun.says.read_text()[-2000:]
    if beside is not None:
        assert beside.wait() == 0, beside.says.read_text()[-2000:]
    came = compared(place, [], resuming, alike=workers == 1, trials=trials)
    return kills, came, where(run)


def where(run: Path) -> str:
    """How many candidates each process scored, by their records; every trial that has scores must have one."""
    ran: Counter[str] = Counter()
    trials = open_study(run / "study.journal").get_trials(deepcopy=False)
    for trial in trials:
        if trial.state.name == "COMPLETE":
            record = json.loads((run / "made" / trial.user_attrs["scored"] / "record.json").read_text())
            ran[f"{record['where']['host']} {record['where']['process']}"] += 1
    failed = [str(trial.user_attrs["reason"]) for trial in trials if trial.state.name == "FAIL"]
    assert all("was ended twice" in reason for reason in failed), failed
    return f"{ran.total()} candidates by {len(ran)} processes; {len(failed)} whose process was ended twice"


def _kill_one_of(pid: int, drawn: random.Random) -> bool:
    """One of the workers, where there are any and chance has it so."""
    workers = workers_of(pid)
    if workers and drawn.random() < 0.5:
        os.kill(drawn.choice(workers), signal.SIGKILL)
        return True
    return False
