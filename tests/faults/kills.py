"""Kills: a process of a search is ended, or told to end, at some moment."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.fault import Came, Place
from tests.faults.processes import Begun
from tests.faults.searching import TRIALS, begin, compared, resumed, told, trials_of, wait_until, went_on


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
    came = went_on(place, begun, before)
    assert all(trial.state != "FAIL" for trial in trials_of(run))
    return came


def interrupted_twice_at_the_start(place: Place) -> Came:
    """Ctrl-C twice, while photographs are read and the device is chosen."""
    says = place.folder / "said.txt"
    return _interrupted(place, lambda: says.exists() and says.stat().st_size > 0)


def interrupted_twice_while_scoring(place: Place) -> Came:
    """Ctrl-C twice, in the middle of a candidate."""
    return _interrupted(place, lambda: told(place.folder / "run") >= 2)


def interrupted_twice_in_full_training(place: Place) -> Came:
    """Ctrl-C twice, once all candidates are scored: the front is trained fully."""
    run, drawn = place.folder / "run", random.Random(place.seed)

    def trains() -> bool:
        time.sleep(drawn.random())
        return told(run) >= TRIALS

    more = ("--confirm", "1", "--full-steps", "60", "--seeds", "1")
    came = _interrupted(place, trains, more)
    assert len(list(run.glob("made/training-*/record.json"))) == 2  # that one, and the reference
    return came


def interrupted_twice_after_the_search(place: Place) -> Came:
    """Ctrl-C twice while a candidate is compressed, and twice while files of it are written."""
    run, drawn = place.folder / "run", random.Random(place.seed)
    shutil.copytree(place.undisturbed, run)
    before, seconds = trials_of(run), 0.0
    small = ("--steps", "20", "--prune", "0.1", "--name", "small")
    for words in (("compress", run, *small), ("export", run, "--to", "onnx", "litert", "--workers", "1")):
        begun = place.processes.begin(words, place.folder / "said.txt")
        there = set(run.rglob("*"))
        more = drawn.randrange(1, 12)
        wait_until(begun, lambda there=there, more=more: len(set(run.rglob("*")) - there) >= more)  # type: ignore[misc]
        _interrupt(begun, drawn)
        began, there = time.monotonic(), set(run.rglob("*"))
        again = place.processes.begin(words, place.folder / "said.txt")
        wait_until(again, lambda there=there: bool(set(run.rglob("*")) - there))  # type: ignore[misc]
        seconds = max(seconds, time.monotonic() - began)
        assert again.wait() == 0, again.says.read_text()[-2000:]
    assert len(list(run.glob("exported/small/*.onnx"))) == 2  # float and int8
    return compared(place, before, seconds)


def _interrupted(place: Place, when: Callable[[], bool], more: tuple[str, ...] = ()) -> Came:
    begun = begin(place, more=more)
    wait_until(begun, when)
    _interrupt(begun, random.Random(place.seed))
    return resumed(place, trials_of(place.folder / "run"), more)


def _interrupt(begun: Begun, drawn: random.Random) -> None:
    """Ctrl-C twice; it must end in order."""
    for _ in range(2):
        if not begun.has_ended():
            os.killpg(begun.pid, signal.SIGINT)  # as a terminal does
            time.sleep(drawn.random() * 0.05)
    status, said = begun.wait(), begun.says.read_text()
    assert status in (130, 0), f"it ended with {status}: {said[-2000:]}"
    assert "Traceback" not in said, said[-2000:]


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
