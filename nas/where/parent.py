"""Parent: worker processes that do not outlive the process that began them."""

import os
from multiprocessing import parent_process


def end_at_once(signal_number: int, frame: object) -> None:
    """A handler of Ctrl-C for a worker that has nothing to say about it."""
    os._exit(128 + signal_number)


def end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
