"""Side by side: pieces of work in processes of their own, where converters may write to standard error as they like."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from nas.where.parent import end_with_interrupt, end_with_parent, unheard

Job = TypeVar("Job")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Job], Made], jobs: Sequence[Job], workers: int, log: Path
) -> Iterator[tuple[Job, Made]]:
    """Each of `jobs` with what `work` makes of it, as they are done; what is written to standard error goes to `log`.

    Conversion is one thread of Python, so files are made side by side; spawned, because a fork of a process that has
    used torch's threads can hang. Each process gets all jobs, and their photographs, when it begins: later a thread of
    this process would hand them over, which would print a traceback where Ctrl-C ends the other one. Raises
    RuntimeError where a process was ended, and what `work` raises.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), begin_worker, (log, work, jobs)) as pool:
        yield from _as_made(pool, jobs)


def _as_made(pool: ProcessPoolExecutor, jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
    """Each job with what came of it, in the order in which they end; the first failure cancels what has not begun."""
    with unheard():
        running: dict[Future[Any], Job] = {pool.submit(_do, number): job for number, job in enumerate(jobs)}
    try:
        for ended in as_completed(running):
            yield running[ended], ended.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that made a file was ended from outside, or ran out of memory; export.log in the run folder, or "
            "beside the files, has its last words; --workers 1 needs the least memory"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_asked: tuple[Callable[[Any], Any], Sequence[Any]]  # of this worker process, set once by begin_worker


def begin_worker(log: Path, work: Callable[[Any], Any], jobs: Sequence[Any]) -> None:
    """Send what is written to standard error, past Python's control too, into `log`; end with the parent."""
    global _asked
    _asked = work, jobs
    os.dup2(opened(log), 2)
    end_with_interrupt()
    Thread(target=end_with_parent, daemon=True).start()


def opened(log: Path) -> int:
    """To be added to; a link goes, and what it leads to stays as it is."""
    if log.is_symlink():
        log.unlink(missing_ok=True)
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o666)  # less the umask


def _do(number: int) -> Any:
    work, jobs = _asked
    return work(jobs[number])
