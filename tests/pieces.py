"""Pieces of work with which workers of other processes are tried; each names files by text, since none is there yet."""

import os
import signal
import time
from pathlib import Path

from nas.task.task import Task

ENDS, WAITS, SAYS = (f"{__name__}:{name}" for name in ("ends_its_process", "waits_for_an_end", "says_where"))


def ends_its_process(task: Task, on_step: object, where: str, most: int) -> int:
    """How often it has ended its process, after the last time."""
    kills = Path(where)
    kills.touch()
    done = kills.stat().st_size
    if done == most:
        return done
    kills.write_bytes(bytes(done + 1))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def waits_for_an_end(task: Task, on_step: object, where: str) -> int:
    """How often the other one has ended its process; its own may be ended with it the first time."""
    kills = Path(where)
    for _ in range(600):
        if kills.exists() and (done := kills.stat().st_size):
            return done
        time.sleep(0.1)
    raise AssertionError("nothing ended a process")


def says_where(task: Task, on_step: object, folder: str) -> int:
    """How often it was begun, each time by a file in `folder`; it ends once there is a file `go` there."""
    begun = Path(folder) / str(os.getpid())
    begun.touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.1)
    return len(list(Path(folder).glob("[0-9]*")))
