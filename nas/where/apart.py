"""Apart: calls in processes of their own, each of which gets all that it needs when it begins."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from nas.where.parent import end_with_interrupt, unheard

T = TypeVar("T")


@contextmanager
def apart(
    calls: Sequence[Callable[[], T]], workers: int = 1, begin: Callable[[], None] = end_with_interrupt
) -> Iterator[list["Future[T]"]]:
    """What comes of `calls`, in their order, made by `workers` processes, in each of which `begin` comes first.

    Spawned, since a fork of a process that has used torch's threads can hang. All calls, and their tensors, go with a
    process when it begins: later a thread of this one would hand them over, which would print a traceback where Ctrl-C
    ends the other one. Where the block raises, what has not begun is cancelled, and nothing is waited for.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (begin, calls)) as pool:
        with unheard():
            found: list[Future[T]] = [pool.submit(_make, number) for number in range(len(calls))]
        try:
            yield found
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_calls: Sequence[Callable[[], Any]]  # of such a process, set once by _begin


def _begin(begin: Callable[[], None], calls: Sequence[Callable[[], Any]]) -> None:
    global _calls
    _calls = calls
    begin()


def _make(number: int) -> Any:
    return _calls[number]()
