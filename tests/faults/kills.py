"""Kills: a process of a search is ended, or told to end, at some moment."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.fault import Came, Place
from tests.faults.searching import begin, compared, lines_of, resumed, told, trials_of, wait_until


def search_killed(place: Place) -> Came:
    """`kill -9` of the search, somewhere in a candidate."""
    drawn = random.Random(place.seed)
    run, begun = place.folder / "run", begin(place)
    wait_until(begun, lambda: told(run) >= drawn.randrange(1, 4))
    time.sleep(drawn.random() * 0.2)
    os.kill(begun.pid, signal.SIGKILL)
    assert begun.wait() in (-signal.SIGKILL, 0)
    return resumed(place, trials_of(run))


def worker_killed(place: Place) -> Came:
    """`kill -9` of one of two workers while both train: the search goes on by itself."""
    run, begun = place.folder / "run", begin(place, more=("--workers", "2", "--steps", "20"))
    wait_until(begun, lambda: told(run) >= 1)
    before = trials_of(run)
    workers = workers_of(begun.pid)
    assert workers, "the search has no workers"
    os.kill(random.Random(place.seed).choice(workers), signal.SIGKILL)
    killed, lines = time.monotonic(), lines_of(run)
    wait_until(begun, lambda: lines_of(run) != lines)
    seconds = time.monotonic() - killed
    assert begun.wait() == 0, begun.says.read_text()[-2000:]
    assert all(trial.state != "FAIL" for trial in trials_of(run))
    return compared(place, before, seconds, alike=False)


def interrupted_twice_at_the_start(place: Place) -> Came:
    """Ctrl-C twice, while photographs are read and the device is chosen."""
    says = place.folder / "said.txt"
    return _interrupted(place, lambda: says.exists() and says.stat().st_size > 0)


def interrupted_twice_while_scoring(place: Place) -> Came:
    """Ctrl-C twice, in the middle of a candidate."""
    return _interrupted(place, lambda: told(place.folder / "run") >= 2)


def _interrupted(place: Place, when: Callable[[], bool]) -> Came:
    drawn = random.Random(place.seed)
    begun = begin(place)
    wait_until(begun, when)
    for _ in range(2):
        if not begun.has_ended():
            os.killpg(begun.pid, signal.SIGINT)  # as a terminal does
            time.sleep(drawn.random() * 0.05)
    status, said = begun.wait(), begun.says.read_text()
    assert status in (130, 0), f"it ended with {status}: {said[-2000:]}"
    assert "Traceback" not in said, said[-2000:]
    return resumed(place, trials_of(place.folder / "run"))


def workers_of(pid: int) -> list[int]:
    """Worker processes of a search, on Linux."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_bytes()
        except OSError:  # it has ended since
            continue
        if parent == pid and b"spawn_main" in words:
            found.append(int(status.parent.name))
    return found
