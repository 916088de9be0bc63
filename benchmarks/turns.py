"""Turns: opened models timed against each other in one process."""

import time
from collections.abc import Sequence

from torch import Tensor

from compress.runtime.runtimes import Runtime


def in_turns(runtimes: Sequence[Runtime], image: Tensor, passes: int) -> list[list[float]]:
    """Milliseconds of processor time of `passes` passes over `image` (1, 3, H, W), a list for each runtime.

    The runtimes take turns, and their order is turned after every pass, so that the same number in two lists belongs to
    neighbouring passes. A first pass of each, which allocates, is not counted.
    """
    for runtime in runtimes:
        runtime(image)
    times: list[list[float]] = [[] for _ in runtimes]
    turns = list(zip(runtimes, times, strict=True))
    for number in range(passes):
        for runtime, taken in reversed(turns) if number % 2 else turns:
            begun = time.process_time()
            runtime(image)
            taken.append(1e3 * (time.process_time() - begun))
    return times
