"""Pace: how fast steps follow each other, from the moments at which they ended."""

import os
import time
from multiprocessing import active_children
from pathlib import Path

PATCH, BATCH = 64, 8  # pixels per side, patches a step: the defaults of a search
WARM_UP = 6  # steps at the start of a turn that do not count: the loader's prefetched batches, oneDNN's first choice
Moment = tuple[float, float]  # seconds of the clock and of the processor


Speed = dict[str, float]  # mpx_s, cpu_s_per_mpx


class TurnOver(Exception):
    """A turn has lasted as long as it may."""


class Clock:
    """An `on_step` that keeps the moment of every step and ends the turn `seconds` after it is warm."""

    def __init__(self, seconds: float) -> None:
        self.steps: list[Moment] = []
        self._seconds, self._end = seconds, float("inf")

    def __call__(self, step: int, loss: float) -> None:
        now = time.monotonic()
        self.steps.append((now, _processor_seconds()))
        if len(self.steps) == WARM_UP:
            self._end = now + self._seconds
        if now > self._end and len(self.steps) > WARM_UP + 1:
            raise TurnOver


def _processor_seconds() -> float:
    """Of this process and of its data loader's processes."""
    total = time.process_time()
    for child in active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system
    return total


def speed(*processes: list[Moment]) -> Speed:
    """Of all processes together, while all of them ran and were warm."""
    begin = max(moments[WARM_UP - 1][0] for moments in processes)
    end = min(moments[-1][0] for moments in processes)
    rate = processor = 0.0
    for moments in processes:
        inside = [moment for moment in moments if begin <= moment[0] <= end]
        if len(inside) < 2:
            raise SystemExit("too few steps in a turn: ask for more --seconds")
        megapixels = (len(inside) - 1) * BATCH * PATCH**2 / 1e6
        (first, first_processor), (last, last_processor) = inside[0], inside[-1]
        rate += megapixels / (last - first)
        processor += (last_processor - first_processor) / megapixels / len(processes)
    return {"mpx_s": rate, "cpu_s_per_mpx": processor}
