"""Spent: processor seconds of work, those of the calls that were cut off among them."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from results.files import held_in, read_json, write_json
from results.progress import Watcher

SECONDS = 10.0  # at most this much is not counted after a kill


class Spent:
    """The processor seconds of a piece of work, kept in a file while it goes on; a context manager for one call."""

    def __init__(self, path: Path, before: float = 0.0) -> None:
        """`path` is a JSON file; `before` what was spent before there was one."""
        self._path = path
        self._before = _kept(path) if path.exists() else before
        self._begun, self._kept = time.process_time(), time.monotonic()
        self.others: Callable[[], float] = lambda: 0.0  # seconds of this call in other processes

    def seconds(self) -> float:
        """Of all calls so far."""
        return self._before + time.process_time() - self._begun + self.others()

    def tick(self) -> None:
        """Keep what was spent so far, if that was not done just now."""
        if time.monotonic() - self._kept > SECONDS:
            self.keep()

    def after(self, on_step: Callable[[int, float], None]) -> Callable[[int, float], None]:
        """`on_step`, after which the time is kept."""

        def counted(step: int, loss: float) -> None:
            self.tick()
            on_step(step, loss)

        return counted

    def keep(self) -> None:
        """Keep what was spent so far."""
        write_json(self._path, {"cpu_seconds": self.seconds()})
        self._kept = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keep()


def _kept(path: Path) -> float:
    stated = read_json(path)
    with held_in(path):
        return float(stated["cpu_seconds"])


class Counting:
    """A Watcher that tells another one, and keeps the time with each word."""

    def __init__(self, watcher: Watcher, spent: Spent) -> None:
        self._watcher, self._spent = watcher, spent

    def begin(self, stage: str, total: int) -> None:
        self._watcher.begin(stage, total)
        self._spent.tick()

    def at(self, done: int, note: str = "") -> None:
        self._watcher.at(done, note)
        self._spent.tick()

    def say(self, line: str) -> None:
        self._watcher.say(line)
        self._spent.tick()
