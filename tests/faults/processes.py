"""Processes: the command, begun for real: as `python -m lpienas`, or at once, as a copy of one that has imported all.

What is wrong with the world of a process, or with itself, is named by a condition (tests.faults.conditions).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from results.address import PASSWORD as STORAGE_PASSWORD
from tests import postgres

ROOT = Path(__file__).parents[2]
LONGEST = 1800.0  # seconds that a test waits for anything; the machine may be busy


class Begun(Protocol):
    """A running command."""

    pid: int
    says: Path  # what it wrote to standard error

    def wait(self) -> int:
        """Its exit status, or the signal that ended it, below 0."""

    def has_ended(self) -> bool: ...


class Processes(Protocol):
    """Something that begins commands."""

    def begin(self, words: Sequence[object], says: Path, condition: str = "nothing", argument: str = "") -> Begun: ...


def end(begun: Begun, by: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal, and wait."""
    if not begun.has_ended():
        os.kill(begun.pid, by)
    return begun.wait()


def environment() -> dict[str, str]:
    """Of every command, also with the password of the database that one fault begins."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, STORAGE_PASSWORD: postgres.PASSWORD}


class Commands:
    """Each a new Python, as a user begins it."""

    def begin(self, words: Sequence[object], says: Path, condition: str = "nothing", argument: str = "") -> Begun:
        under = ["-m", "lpienas"] if condition == "nothing" else ["-m", "tests.faults.conditions", condition, argument]
        with says.open("w") as told:
            process = subprocess.Popen(
                [sys.executable, *under, *map(str, words)], stdout=subprocess.DEVNULL, stderr=told, env=environment(),
                start_new_session=True,
            )  # fmt: skip
        return _Command(process, says)


@dataclass(frozen=True, slots=True)
class _Command:
    process: "subprocess.Popen[bytes]"
    says: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self) -> int:
        return self.process.wait(LONGEST)

    def has_ended(self) -> bool:
        return self.process.poll() is not None


class Forks:
    """Each a copy of a process that has imported all that a search needs, so that none takes seconds to begin."""

    def __init__(self, forking: "subprocess.Popen[str]") -> None:
        self._forking = forking

    def begin(self, words: Sequence[object], says: Path, condition: str = "nothing", argument: str = "") -> Begun:
        wanted = {"words": [str(word) for word in words], "says": str(says), "condition": condition}
        return _Fork(self, self.asked(wanted | {"argument": argument}), says)

    def asked(self, wanted: object) -> int:
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._forking.stdin.write(json.dumps(wanted) + "\n")
        self._forking.stdin.flush()
        return int(self._forking.stdout.readline())


_RUNNING = -1000  # what the forking process says of one that has not ended


@dataclass(slots=True)
class _Fork:
    forks: Forks
    pid: int
    says: Path
    status: int = _RUNNING

    def wait(self) -> int:
        until = time.monotonic() + LONGEST
        while not self.has_ended():
            if time.monotonic() > until:
                raise AssertionError(f"process {self.pid} does not end; it says: {self.says.read_text()[-2000:]}")
            time.sleep(0.05)
        return self.status

    def has_ended(self) -> bool:
        if self.status == _RUNNING:
            self.status = self.forks.asked({"poll": self.pid})
        return self.status != _RUNNING


@contextmanager
def forks() -> Iterator[Forks]:
    """The forking process lives as long as this context."""
    words = [sys.executable, "-m", "tests.faults.forking"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    ) as forking:
        try:
            yield Forks(forking)
        finally:
            assert forking.stdin is not None
            forking.stdin.close()
            forking.wait(30)
