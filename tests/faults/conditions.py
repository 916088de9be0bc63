"""Conditions: what is wrong with a process or with what is around it, by name, before the command runs in it."""

import ctypes
import datetime
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def run(condition: str, argument: str, words: Sequence[str]) -> int:
    """The command's exit status."""
    CONDITIONS[condition](argument)
    from lpienas.command import main

    sys.argv = ["lpienas", *words]
    return main()


def nothing(argument: str) -> None: ...


def small_files(argument: str) -> None:
    """No file may be larger than so many bytes, as under a quota."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument), int(argument)))


def obedient(argument: str) -> None:
    """Modes of files count for root too, as they do for everybody else."""

    class Head(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Data(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))

    libc, head, data = ctypes.CDLL(None, use_errno=True), Head(0x20080522, 0), (Data * 2)()
    libc.capget(ctypes.byref(head), data)
    for each in (data[0],):
        each.effective &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        each.permitted &= ~0b110
    if libc.capset(ctypes.byref(head), data):
        raise OSError(ctypes.get_errno(), "capset")


def clock_back(argument: str) -> None:
    """After so many looks at the clock it is an hour earlier, again and again."""
    every, looks, true_time, true_datetime = int(argument), 0, time.time, datetime.datetime

    def late() -> float:
        nonlocal looks
        looks += 1
        return 3600.0 * (looks // every)

    class Back(true_datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return true_datetime.now(tz) - datetime.timedelta(seconds=late())

    time.time = lambda: true_time() - late()
    datetime.datetime = Back  # type: ignore[misc]
    for module in list(sys.modules.values()):  # that have it by name already
        if getattr(module, "datetime", None) is true_datetime:
            module.datetime = Back  # type: ignore[attr-defined]


def no_power(argument: str) -> None:
    """`FOLDER EVENT SEED COUNTED`: at so many-th write to disk or renaming the power fails.

    Those of files that have COUNTED in their names. What was not brought to the disk by then is torn: files that
    changed since end anywhere, and the last renaming may not have happened.
    """
    folder, event, seed, counted = argument.split("|")
    disk = _Disk(Path(folder), int(event), random.Random(int(seed)), counted)
    os.fsync, os.replace, os.rename = disk.fsync, disk.replace, disk.replace
    Path.replace = lambda self, target: disk.replace(self, target) or Path(target)  # type: ignore[method-assign]


def no_power_in_a_checkpoint(argument: str) -> None:
    """As `no_power`, where writes of checkpoints alone are counted, and there is one after every step."""
    import nas.task.training

    nas.task.training.CHECKPOINT_SECONDS = -1.0
    no_power(argument)


class _Disk:
    """Knows of every file below a folder which state of it is on the disk for certain."""

    def __init__(self, folder: Path, event: int, drawn: random.Random, counted: str = "") -> None:
        self.folder, self.left, self.drawn, self.counted = folder, event, drawn, counted
        self.true_fsync, self.true_replace = os.fsync, os.replace
        self.certain = {path: _state(path) for path in folder.rglob("*") if path.is_file()}
        self.renamed: tuple[Path, bytes | None] | None = None  # not certain yet: its name, and what had it before

    def fsync(self, handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        self.event(path)
        self.true_fsync(handle)
        if path.is_dir():
            self.renamed = None
        elif path.is_file():
            self.certain[path] = _state(path)

    def replace(self, source: Any, target: Any) -> None:
        source, target = Path(source).absolute(), Path(target).absolute()
        self.event(target)
        inside = self.folder in target.parents
        before = target.read_bytes() if inside and target.is_file() else None
        self.true_replace(source, target)
        if inside:
            self.renamed = (target, before)
            self.certain[target] = self.certain.pop(source, (0, 0, 0))
        self.event(target)

    def event(self, path: Path) -> None:
        self.left -= self.counted in path.name
        if self.left == 0:
            self.fail()

    def fail(self) -> None:
        if self.renamed and self.drawn.random() < 0.5:
            path, before = self.renamed
            path.unlink() if before is None else path.write_bytes(before)
            self.certain[path] = _state(path)
        whole = set(self.certain.values())  # whatever its names are by now
        for path in self.folder.rglob("*"):
            if path.is_file() and _state(path) not in whole:
                kept = self.certain.get(path, (0, 0, 0))[1]  # what is only appended to keeps what was certain
                os.truncate(path, self.drawn.randint(min(kept, path.stat().st_size), path.stat().st_size))
        os.kill(os.getpid(), signal.SIGKILL)


def _state(path: Path) -> tuple[int, int, int]:
    """Inode, length, time of change; (0, 0, 0) of what is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


_ALL = (nothing, small_files, obedient, clock_back, no_power, no_power_in_a_checkpoint)
CONDITIONS: dict[str, Callable[[str], None]] = {function.__name__: function for function in _ALL}

if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
