"""Disks: the power fails in the middle of writing, the disk is full, or nothing may be written."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.task.checkpoint import before
from tests.faults.fault import Came, Place
from tests.faults.processes import end
from tests.faults.searching import begin, resumed, told, trials_of, wait_until

_FIRST = "checkpoint-0"  # of a training's first attempt


def power_lost(place: Place) -> Came:
    """The power fails at some write to disk or renaming; what was not on the disk for certain is torn."""
    _without_power(place, "no_power", 60, "")
    return resumed(place, trials_of(place.folder / "run"))


def power_lost_in_a_checkpoint(place: Place) -> Came:
    """The power fails while a checkpoint is written, or renamed; of every second disk it never was what it said.

    That one is torn under its name: it is recognised, and the training goes on from the one before it.
    """
    run, drawn = place.folder / "run", random.Random(place.seed)
    _without_power(place, "no_power_in_a_checkpoint", 40, _FIRST)
    whole = [path for path in run.glob(f"made/*/{_FIRST}.safetensors") if before(path).exists()]
    torn = whole if place.seed % 2 else []
    for path in torn:
        os.truncate(path, drawn.randrange(path.stat().st_size))
    came = resumed(place, trials_of(run))
    said = (place.folder / "said.txt").read_text()
    assert all(f"{path} is damaged: this training goes on from the one before it" in said for path in torn), said
    return came


def _without_power(place: Place, condition: str, events: int, counted: str) -> None:
    """A search whose power fails at one of so many first `events`, of files that have `counted` in their names."""
    drawn, run = random.Random(place.seed), place.folder / "run"
    while True:
        begun = begin(place, condition, f"{run}|{drawn.randrange(1, events)}|{place.seed}|{counted}")
        if (status := begun.wait()) == -signal.SIGKILL:
            return
        assert status == 0, begun.says.read_text()[-2000:]
        shutil.rmtree(run)  # it was done before


def quota(place: Place) -> Came:
    """No file may become larger than what the study needs for two or three candidates."""
    limit = int((place.undisturbed / "study.journal").stat().st_size * random.Random(place.seed).uniform(0.4, 0.7))
    return _refused(place, "small_files", str(limit), "File too large")


def full_disk(place: Place) -> Came:
    """A file system of 64 megabytes becomes full; where none can be mounted, it is done by a quota."""
    with _small_disk(place.folder / "run", 64) as mounted:
        if not mounted:
            return quota(place)
        filler = place.folder / "run" / "other-file"
        begun = begin(place)
        wait_until(begun, lambda: told(place.folder / "run") >= 2)
        _fill(filler)
        status, said = begun.wait(), begun.says.read_text()
        if status:
            assert status == 1, f"it ended with {status}: {said[-2000:]}"
            _require_one_line(said, "No space left on device")
        before = trials_of(place.folder / "run")
        filler.unlink()
        return resumed(place, before)


def read_only(place: Place) -> Came:
    """Nothing may be written to the run folder any more, nor below it."""
    run, begun = place.folder / "run", begin(place)
    wait_until(begun, lambda: told(run) >= 2)
    end(begun)
    before = trials_of(run)
    entries = [run, *run.rglob("*")]
    modes = {path: path.stat().st_mode for path in entries}
    for path in entries:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        came = begin(place, "obedient")
        assert came.wait() == 1
        _require_one_line(came.says.read_text(), "Permission denied")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    return resumed(place, before)


def _refused(place: Place, condition: str, argument: str, why: str) -> Came:
    begun = begin(place, condition, argument)
    status, said = begun.wait(), begun.says.read_text()
    assert status == 1, f"it ended with {status}: {said[-2000:]}"
    _require_one_line(said, why)
    return resumed(place, trials_of(place.folder / "run"))


def _require_one_line(said: str, why: str) -> None:
    assert "Traceback" not in said, said[-2000:]
    last = said.strip().splitlines()[-1]
    assert last.startswith("lpienas: "), last
    assert why in last, last


def _fill(path: Path) -> None:
    """Take all that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(64))
        except OSError:
            return


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(words, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
