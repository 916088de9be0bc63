"""Processes: work is done side by side in processes of this machine, which are told all of it as JSON.

Two processes of one thread train nearly twice as much as one process of two, and a busy neighbour slows one of them
instead of every operator of both.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock, Thread
from types import TracebackType
from typing import Any, Self, TypeVar

import torch

from nas.task.task import Task
from nas.where.counted import Counted, all_counted
from nas.where.killed import Kills, WorkerKilled
from nas.where.parent import end_with_parent, ignore_interrupt, unheard
from nas.where.tasks import task_heard, task_told
from nas.where.told import AsTold
from nas.where.works import answered, asked, done, failed, key_of

T = TypeVar("T")

_ENDED = (
    "its worker process was ended twice, the second time with nothing beside it: it ran out of memory, or somebody "
    "ended it"
)


@dataclass(eq=False, slots=True)
class _Piece:
    """Work that was handed in, and what came of it."""

    text: str
    key: str
    future: Future[Any]
    alone: bool = False  # taken up again after a process was ended while it ran: nothing else runs beside it


class Processes:
    """Work is done in spawned processes, because a fork of a process that has used torch's threads can hang.

    Where a process is ended by the system, for want of memory, or by somebody, all work that ran is lost, and it is not
    known whose process it was: each piece of it is done again alone, and one whose process ends again raises
    WorkerKilled. The others lose what they did since their last checkpoints. `kills` says which pieces ended a process
    in a call before: those begin alone.
    """

    def __init__(self, task: Task, count: int, kills: Kills | None = None, also: Sequence[str] = ()) -> None:
        """`also` are functions, as nas.where.works names them, that may be run beside those of its list."""
        self.count, self._also, self._kills = count, tuple(also), kills or Kills()
        self._counts = TemporaryDirectory(prefix="lpienas-workers-")
        self._begun = (json.dumps(task_told(task)), self._counts.name, self._also)
        self._pool = self._new_pool()
        self._lock, self._ends = RLock(), False
        self._running: set[_Piece] = set()
        self._lost: list[_Piece] = []  # of pools that broke
        self._waiting: list[_Piece] = []  # until what was lost is done

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        asked_for = asked(work, arguments, self._also)
        piece = _Piece(json.dumps(asked_for), key_of(asked_for), Future())
        with self._lock:
            (self._lost if self._kills.times(piece.key) else self._waiting).append(piece)
            self._go_on()
        return piece.future

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, get_context("spawn"), _begin, self._begun)

    def _go_on(self) -> None:
        """Begin what may begin; the lock is held."""
        if self._lost:
            if not self._running:
                piece = self._lost.pop(0)
                piece.alone = True
                self._begin(piece)
        elif not any(piece.alone for piece in self._running):
            while self._waiting:
                self._begin(self._waiting.pop(0))

    def _begin(self, piece: _Piece) -> None:
        self._running.add(piece)
        with unheard():
            try:
                inner = self._pool.submit(_work, piece.text)
            except BrokenProcessPool:  # a process was ended while nothing ran
                self._pool = self._new_pool()
                inner = self._pool.submit(_work, piece.text)
        inner.add_done_callback(lambda done: self._finish(piece, done))

    def _finish(self, piece: _Piece, inner: "Future[str]") -> None:
        """Hand on what came of a piece; called by the pool's own thread."""
        if inner.cancelled():
            return
        error = inner.exception()
        killed = isinstance(error, BrokenProcessPool)
        if killed and self._ends:
            return
        if killed and not piece.alone:
            self._kills.add(piece.key)
        else:
            self._kills.forget(piece.key)
            _hand_on(piece.future, inner, WorkerKilled(_ENDED) if killed else error)
        with self._lock:
            self._running.discard(piece)
            if killed and not piece.alone:
                self._lost.append(piece)
            if self._ends or self._running:
                return
            if killed:
                # Not in the thread of the pool that broke, which has its own end to see to.
                Thread(target=self._begin_again, daemon=True).start()
            else:
                self._go_on()

    def _begin_again(self) -> None:
        with self._lock:
            if not self._ends:
                self._pool = self._new_pool()
                self._go_on()

    def steps(self) -> int:
        return all_counted(Path(self._counts.name))[0]

    def seconds(self) -> float:
        return all_counted(Path(self._counts.name))[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ends = True
        if error is not None:  # a training may have minutes to go; its checkpoint is on disk
            for child in active_children():
                child.terminate()
        # waits, so that the pool's thread is gone before Python closes what it listens to
        self._pool.shutdown(wait=True, cancel_futures=True)


def _hand_on(future: "Future[Any]", inner: "Future[str]", error: BaseException | None) -> None:
    """What `inner` came to, or `error`, which ended it."""
    try:
        if error is not None:
            raise error
        answer = answered(inner.result())
    except BaseException as raised:
        future.set_exception(raised)
    else:
        future.set_result(answer)


class _Worker:
    """What a worker process knows of itself."""

    def __init__(self, task: str, counts: Path, also: tuple[str, ...]) -> None:
        self.counted, self.also, self._told = Counted(counts), also, task
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """Made when it is first asked for, so that what is wrong with it is an error of the work."""
        if self._task is None:
            self._task = task_heard(json.loads(self._told))
            torch.set_num_threads(self._task.device.threads[0])
        return self._task

    def do(self, text: str) -> str:
        try:
            return done(json.loads(text), self.task, lambda step, loss: self.counted.step(), AsTold(), self.also)
        except Exception as error:
            return failed(error)
        finally:
            self.counted.write()


_worker: _Worker  # of this worker process, set once by _begin


def _begin(task: str, counts: str, also: tuple[str, ...]) -> None:
    global _worker
    _worker = _Worker(task, Path(counts), also)
    ignore_interrupt()
    Thread(target=end_with_parent, daemon=True).start()


def _work(text: str) -> str:
    return _worker.do(text)
