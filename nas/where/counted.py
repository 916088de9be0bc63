"""Counted: training steps and processor seconds of worker processes, each in a file of its own.

No process waits for another one's lock, which one that was killed would hold for ever, and what it did stays counted.
"""

import os
import struct
import time
from pathlib import Path

_FORM = struct.Struct("<qd")  # steps, seconds


class Counted:
    """What this process has done since it began, written to a file in `folder` that its number names."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / str(os.getpid()), os.O_CREAT | os.O_WRONLY, 0o600)
        self._steps, self._begun = 0, time.process_time()

    def step(self) -> None:
        """One more."""
        self._steps += 1
        self.write()

    def write(self) -> None:
        os.pwrite(self._file, _FORM.pack(self._steps, time.process_time() - self._begun), 0)


def all_counted(folder: Path) -> tuple[int, float]:
    """Steps and processor seconds of all processes that wrote to `folder`."""
    held = [file.read_bytes() for file in folder.iterdir()]
    found = [_FORM.unpack(one) for one in held if len(one) == _FORM.size]
    return sum(steps for steps, _ in found), sum(seconds for _, seconds in found)
