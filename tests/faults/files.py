"""Files: one of a run is damaged, by itself or by a newer version; what is said to do about it is done."""

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.faults.fault import Came, Place
from tests.faults.searching import begin, resumed, trials_of

Damage = Callable[[list[bytes], int, random.Random], list[bytes]]


def _torn(lines: list[bytes], at: int, drawn: random.Random) -> list[bytes]:
    return [*lines[:at], lines[at][: drawn.randrange(1, len(lines[at]) - 1)] + b"\n", *lines[at + 1 :]]


def _cut(lines: list[bytes], at: int, drawn: random.Random) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def _doubled(lines: list[bytes], at: int, drawn: random.Random) -> list[bytes]:
    return lines[: at + 1] + lines[at:]


def _spliced(lines: list[bytes], at: int, drawn: random.Random) -> list[bytes]:
    half = len(lines[at]) // 2
    return [*lines[:at], lines[at][:half] + drawn.choice(lines), *lines[at + 1 :]]


def torn_line(place: Place) -> Came:
    """Half a line, anywhere in study.journal."""
    return _journal(place, _torn)


def cut_line(place: Place) -> Came:
    """A line that begins a trial is lost."""
    return _journal(place, _cut)


def doubled_line(place: Place) -> Came:
    """A line that begins a trial is there twice."""
    return _journal(place, _doubled)


def spliced_line(place: Place) -> Came:
    """Half a line and another one are one."""
    return _journal(place, _spliced)


def _journal(place: Place, damage: Damage) -> Came:
    """What is named is kept as the error says, by the command that it gives; the rest is scored again."""
    drawn, run = random.Random(place.seed), place.folder / "run"
    shutil.copytree(place.undisturbed, run)
    journal = run / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    begins = [at for at, line in enumerate(lines) if b'"op_code":4' in line]
    first = next(at for at, line in enumerate(lines) if b'"state":1,' in line)  # before it there is nothing to keep
    journal.write_bytes(b"".join(damage(lines, drawn.choice([at for at in begins[:-1] if at > first]), drawn)))
    begun = begin(place)
    assert begun.wait() == 1
    said = begun.says.read_text()
    assert "Traceback" not in said, said
    assert re.search(rf"{journal}, line \d+: ", said), said
    command = re.search(r"cp \S+ \S+ && head -n \d+ \S+ > \S+", said)
    assert command, said
    subprocess.run(command[0], shell=True, check=True)
    return resumed(place, trials_of(run))


def json_files_torn(place: Place) -> Came:
    """Each JSON file of a run is cut off: it is named, and deleted or put back as the error says."""
    drawn, run = random.Random(place.seed), place.folder / "run"
    shutil.copytree(place.undisturbed, run)
    before = trials_of(run)
    records = sorted(run.glob("made/*/record.json"))
    for path in (*sorted(run.glob("*.json")), drawn.choice(records)):
        whole = path.read_bytes()
        path.write_bytes(whole[: drawn.randrange(len(whole) - 2)])
        begun = begin(place)
        status, said = begun.wait(), begun.says.read_text()
        if path.name == "record.json" and status == 0:
            continue  # nobody asks for what a finished trial was trained to
        assert status == 1, f"{path.name}: ended with {status}: {said[-2000:]}"
        assert "Traceback" not in said, said[-2000:]
        assert str(path) in said, said[-2000:]
        if "delete it" in said:
            path.unlink()
        else:
            assert "copy" in said, said[-2000:]
            path.write_bytes(whole)
    return resumed(place, before)


def newer_version(place: Place) -> Came:
    """run.json states a setting that this version does not know."""
    run = place.folder / "run"
    shutil.copytree(place.undisturbed, run)
    path = run / "run.json"
    whole = path.read_bytes()
    stated = json.loads(whole)
    stated["settings"]["depth_of_thought"] = 3
    path.write_text(json.dumps(stated))
    begun = begin(place)
    assert begun.wait() == 1
    said = begun.says.read_text()
    assert "depth_of_thought, which this version does not know: a newer one made this run" in said, said
    path.write_bytes(whole)
    return resumed(place, trials_of(run))


def copied(place: Place) -> Path:
    """The photographs of the place, to be changed."""
    return shutil.copytree(place.data, place.folder / "data")
