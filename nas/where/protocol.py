"""Protocol: what a search asks of a place where candidates are scored, whichever place that is."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from nas.where.here import Here

T = TypeVar("T")
K = TypeVar("K")


class Workers(Protocol):
    """Somewhere to run work; a context manager, at whose end nothing runs any more."""

    count: int  # of pieces of work at a time

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Run `work(task, on_step, *arguments)`; outside this process all of it goes as JSON (nas.where.told).

        `work` is then one of nas.where.works.WORKS. Its future raises what the work raised, WorkerKilled where it ended
        its worker twice.
        """

    def steps(self) -> int:
        """Training steps that all work has done so far, for a progress bar."""

    def seconds(self) -> float:
        """Processor seconds of work done outside this process."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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
