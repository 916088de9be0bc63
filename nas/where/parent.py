"""Parent: worker processes that do not outlive the process that began them, and leave Ctrl-C to it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

_HAS_MASK = hasattr(signal, "pthread_sigmask")  # not on Windows


@contextmanager
def unheard() -> Iterator[None]:
    """Processes that begin in here do not hear of Ctrl-C until they call `end_with_interrupt` or `ignore_interrupt`.

    It would find them importing torch, and each would print a traceback. This process hears of it afterwards.
    """
    if not _HAS_MASK:
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # when it begins, it lets Ctrl-C through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_interrupt() -> None:
    """Ctrl-C ends this worker at once, without a word: the parent tells the user.

    Where the parent was begun to go on in spite of it (nohup, or `&` in a script), so does the worker.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    _hear()


def ignore_interrupt() -> None:
    """Ctrl-C is no matter of this worker: the parent tells the user, and ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _hear()


def end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _hear() -> None:
    if _HAS_MASK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
