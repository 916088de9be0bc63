"""Vips: libvips, begun when something is first asked of it, with threads that stay.

By itself libvips lets a thread go that has had nothing to do for 15.5 seconds. Up to version 8.18 a task that comes in
the moment in which a thread goes may be left to it; it is never done, and whoever waits for it waits for ever
(`benchmarks/idle.py`, docs/reliability.md). Of a fixed number of threads none goes. They are started with libvips, and
a copy of the process by fork has none of them: hence at the first use, not with the imports.
"""

import os
from functools import cache
from typing import Any

VipsImage = Any  # pyvips.Image: the package states no types
_AT_ONCE = 8  # threads that work on a picture, at most: reading and writing gain nothing by more
_NESTED, _WRITING = 4, 8  # pictures that are worked on within others or at once; threads that write


@cache
def vips() -> Any:
    """The package pyvips. VIPS_CONCURRENCY and VIPS_MAX_THREADS in the environment are as the user has them."""
    at_once = os.environ.setdefault("VIPS_CONCURRENCY", str(min(os.cpu_count() or 1, _AT_ONCE)))
    threads = _NESTED * max(int(at_once) if at_once.isdecimal() else _AT_ONCE, 1) + _WRITING
    os.environ.setdefault("VIPS_MAX_THREADS", str(threads))
    import pyvips

    return pyvips
