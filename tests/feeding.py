"""Feeding: a search that feeds a shared study, as a process of its own; its candidates only wait.

The processes are forks of the test's own, which has imported everything already.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import optuna

import nas.search
from nas.search import search
from nas.searching import Searching, SearchSettings
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Recipe
from nas.where.here import Here
from results.leases import Among
from results.record import RunSettings
from results.run import Run
from results.storage import PASSWORD, Shared, connected
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.space import default_space
from tests.served import free_port

LEASE = 6.0  # seconds


class Feeder:
    """A search in a process of its own, in `folder`, whose candidates end once there is a file `gate` beside it."""

    def __init__(self, folder: Path, where: Shared, task: Task, trials: int) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._process = get_context("fork").Process(target=_feed, args=(folder, where, task, trials), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """What it told."""
        path = self.folder / "said"
        return path.read_text() if path.exists() else ""

    @property
    def scored(self) -> list[str]:
        """Keys of the trainings that it did, or began."""
        path = self.folder / "scored"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def name(self) -> str | None:
        """By which its trials are marked."""
        _, begun, name = self.said.rpartition("begins as ")
        return name.splitlines()[0] if begun else None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ends(self, seconds: float = 300.0) -> None:
        """Waits for it; it must have been well."""
        self._process.join(seconds)
        assert self._process.exitcode == 0, self.said

    def is_killed(self) -> None:
        self._process.kill()
        self._process.join()


@contextmanager
def running_proxy(behind: str) -> Iterator[str]:
    """The address of Optuna's proxy before the database at `behind`, in a process of its own."""
    port = free_port()
    process = get_context("fork").Process(target=_serve, args=(behind, port), daemon=True)
    process.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


def _serve(behind: str, port: int) -> None:
    os.environ["PGPASSWORD"] = os.environ[PASSWORD]
    address = behind.replace("postgresql://", "postgresql+psycopg://")
    optuna.storages.run_grpc_proxy_server(optuna.storages.get_storage(address), host="127.0.0.1", port=port)


class Written:
    """A watcher that writes down what is said."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, stage: str, total: int) -> None: ...

    def at(self, done: int, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        with self._path.open("a") as said:
            said.write(f"{line}\n")


def _feed(folder: Path, where: Shared, task: Task, trials: int) -> None:
    def wait(task, on_step, trainings, store):
        with (folder / "scored").open("a") as scored:
            scored.write(f"{trainings[-1].scoring.key}\n")
        while not (folder.parent / "gate").exists():
            time.sleep(0.02)
        return Quality(0.5 + 0.05 * _macs(trainings[-1].blueprint) / 1e9, 30.0)

    watcher = Written(folder / "said")
    sys.stderr = (folder / "said").open("a", buffering=1)
    nas.search.score_by_training = wait
    run = Run(folder)
    run.describe(RunSettings(storage=where.address, study=where.study))
    searching = Searching(run, default_space(), task, SearchSettings(trials, Recipe(1), sampler="random"), _macs)
    with run.locked(), Among(connected(where, watcher.say), where.study, folder, LEASE) as leases:
        watcher.say(f"begins as {leases.me}")
        search(searching, Here(task), watcher, leases)


def _macs(blueprint: Blueprint) -> float:
    return float(macs_of(blueprint, (256, 256)))
