"""Side by side: pieces of work in processes of their own, where converters may write to standard error as they like."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TypeVar

from nas.where.apart import apart
from nas.where.parent import end_with_interrupt, end_with_parent

Job = TypeVar("Job")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Job], Made], jobs: Sequence[Job], workers: int, log: Path
) -> Iterator[tuple[Job, Made]]:
    """Each of `jobs` with what `work` makes of it, as they are done; what is written to standard error goes to `log`.

    Conversion is one thread of Python, so files are made side by side. The first failure cancels what has not begun.
    Raises RuntimeError where a process was ended, and what `work` raises.
    """
    with apart([partial(work, job) for job in jobs], workers, partial(begin_worker, log)) as running:
        job_of = dict(zip(running, jobs, strict=True))
        try:
            for ended in as_completed(running):
                yield job_of[ended], ended.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process that made a file was ended from outside, or ran out of memory; export.log in the run "
                "folder, or beside the files, has its last words; --workers 1 needs the least memory"
            ) from error


def begin_worker(log: Path) -> None:
    """Send what is written to standard error, past Python's control too, into `log`; end with the parent."""
    os.dup2(opened(log), 2)
    end_with_interrupt()
    Thread(target=end_with_parent, daemon=True).start()


def opened(log: Path) -> int:
    """To be added to; a link goes, and what it leads to stays as it is."""
    if log.is_symlink():
        log.unlink(missing_ok=True)
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o666)  # less the umask
