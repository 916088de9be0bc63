"""Killed: work that ends its worker again and again is given up; that it did so once outlives a restart."""

from pathlib import Path
from threading import Lock

from nas.task.training import Failed
from results.files import held_in, read_json, write_json


class WorkerKilled(Failed):
    """The worker of a piece of work was ended twice from outside."""


class Kills:
    """How often each piece of work, by its key, has ended its worker since it was last done; safe among threads."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is a JSON file, which is there only while something is to be remembered; None: in memory alone."""
        self._path, self._lock = path, Lock()
        self._times: dict[str, int] = {}
        if path is not None and path.exists():
            stored = read_json(path)
            with held_in(path):
                self._times = {str(key): int(times) for key, times in stored.items()}

    def times(self, key: str) -> int:
        with self._lock:
            return self._times.get(key, 0)

    def add(self, key: str) -> int:
        """Once more; returns how often that is."""
        with self._lock:
            self._times[key] = self._times.get(key, 0) + 1
            self._keep()
            return self._times[key]

    def forget(self, key: str) -> None:
        """It is done, or given up."""
        with self._lock:
            if self._times.pop(key, None) is not None:
                self._keep()

    def _keep(self) -> None:
        if self._path is None:
            return
        if self._times:
            write_json(self._path, dict(self._times))
        else:
            self._path.unlink(missing_ok=True)
