"""Workers: where candidates are scored: in this process, or side by side in processes of one thread each.

Two processes of one thread train nearly twice as much as one process of two, and a busy neighbour slows one of them
instead of every operator of both.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context, parent_process
from threading import RLock, Thread
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import torch

from nas.task.task import Task
from nas.task.training import Failed

T = TypeVar("T")
K = TypeVar("K")
OnStep = Callable[[int, float], None]


class Workers(Protocol):
    """Somewhere to run work; a context manager, at whose end nothing runs any more."""

    count: int  # of pieces of work at a time

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Run `work(task, on_step, *arguments)`; `work` is a function at the top of a module."""

    def steps(self) -> int:
        """Training steps that all work has done so far, for a progress bar."""

    def seconds(self) -> float:
        """Processor seconds of work done outside this process."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_workers(task: Task, count: int, threads: int = 1) -> Workers:
    """`count` processes of `threads` threads each; for a count of 1 this process."""
    alone = replace(task, device=replace(task.device, threads=(threads,)))
    return Here(alone) if count == 1 else Processes(alone, count)


def default_count(task: Task) -> int:
    """One worker a processor, as far as memory allows (about 1.2 GB each, four at most); on a GPU one."""
    return min(4, os.cpu_count() or 1) if task.device.name == "cpu" else 1


def as_finished(
    workers: Workers, work: Callable[..., T], pieces: Iterable[tuple[K, tuple[Any, ...]]], at: Callable[[int], None]
) -> "Iterator[tuple[K, Future[T]]]":
    """`work` with the arguments of every piece: the piece's name and its future, as they end.

    No more is begun than there are workers, so that each result can be kept before the next piece begins. `at` is told
    the training steps done since the start.
    """
    before = workers.steps()
    if isinstance(workers, Here):
        workers.on_step = lambda step, loss: at(workers.steps() - before)
    waiting = iter(pieces)
    running: dict[Future[T], K] = {}
    while True:
        while len(running) < workers.count and (piece := next(waiting, None)) is not None:
            running[workers.submit(work, *piece[1])] = piece[0]
        if not running:
            return
        for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future
        at(workers.steps() - before)


class Here:
    """Work is done in this process when it is submitted."""

    count = 1

    def __init__(self, task: Task) -> None:
        self._task, self._steps = task, 0
        self.on_step: OnStep = lambda step, loss: None  # a progress bar may listen, since nothing else runs meanwhile

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        future: Future[T] = Future()
        torch.set_num_threads(self._task.device.threads[0])
        try:
            future.set_result(work(self._task, self._count, *arguments))
        except Exception as error:  # as in a process: it is raised where the result is asked for
            future.set_exception(error)
        return future

    def steps(self) -> int:
        return self._steps

    def seconds(self) -> float:
        return 0.0

    def _count(self, step: int, loss: float) -> None:
        self._steps += 1
        self.on_step(step, loss)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


_ENDED = (
    "its worker process was ended twice, the second time with nothing beside it: it ran out of memory, or somebody "
    "ended it"
)


class WorkerKilled(Failed):
    """The process of a piece of work was ended twice from outside, the second time while nothing else ran."""


@dataclass(eq=False, slots=True)
class _Piece:
    """Work that was handed in, and what came of it."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any]
    alone: bool = False  # taken up again after a process was ended while it ran: nothing else runs beside it


class Processes:
    """Work is done in spawned processes, because a fork of a process that has used torch's threads can hang.

    Where a process is ended by the system, for want of memory, or by somebody, all work that ran is lost, and it is not
    known whose process it was: each piece of it is done again alone, and one whose process ends again raises
    WorkerKilled. The others lose what they did since their last checkpoints.
    """

    def __init__(self, task: Task, count: int) -> None:
        self._context = get_context("spawn")
        self.count = count
        self._steps, self._seconds = self._context.Value("q", 0), self._context.Value("d", 0.0)
        self._begun = (task, self._steps, self._seconds)
        self._pool = self._new_pool()
        self._lock, self._ends = RLock(), False
        self._running: set[_Piece] = set()
        self._lost: list[_Piece] = []  # of pools that broke
        self._waiting: list[_Piece] = []  # until what was lost is done

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        piece = _Piece(work, arguments, Future())
        with self._lock:
            self._waiting.append(piece)
            self._go_on()
        return piece.future

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, self._context, _begin, self._begun)

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
        try:
            inner = self._pool.submit(_work, piece.work, piece.arguments)
        except BrokenProcessPool:  # a process was ended while nothing ran
            self._pool = self._new_pool()
            inner = self._pool.submit(_work, piece.work, piece.arguments)
        inner.add_done_callback(lambda done: self._finish(piece, done))

    def _finish(self, piece: _Piece, inner: "Future[Any]") -> None:
        """Hand on what came of a piece; called by the pool's own thread."""
        if inner.cancelled():
            return
        error = inner.exception()
        killed = isinstance(error, BrokenProcessPool)
        if not killed:
            if error is None:
                piece.future.set_result(inner.result())
            else:
                piece.future.set_exception(error)
        elif piece.alone:
            piece.future.set_exception(WorkerKilled(_ENDED))
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
        return int(self._steps.value)

    def seconds(self) -> float:
        return float(self._seconds.value)

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


_task: Task  # of this worker process, set once by _begin
_steps_done: Any  # shared with the parent, as are the seconds
_seconds_done: Any


def _begin(task: Task, steps: Any, seconds: Any) -> None:
    global _task, _steps_done, _seconds_done
    _task, _steps_done, _seconds_done = task, steps, seconds
    torch.set_num_threads(task.device.threads[0])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells the user, and ends this process
    Thread(target=end_with_parent, daemon=True).start()


def _work(work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    counted = time.process_time()

    def count() -> None:
        nonlocal counted
        now = time.process_time()
        with _seconds_done.get_lock():
            _seconds_done.value += now - counted
        counted = now

    def on_step(step: int, loss: float) -> None:
        with _steps_done.get_lock():
            _steps_done.value += 1
        count()

    try:
        return work(_task, on_step, *arguments)
    finally:
        count()


def end_at_once(signal_number: int, frame: object) -> None:
    """A handler of Ctrl-C for a worker that has nothing to say about it."""
    os._exit(128 + signal_number)


def end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
