"""Fuzz: damaged pictures through reading, tiling and writing; counts what ends a process, hangs, or takes memory."""

import argparse
import json
import os
import re
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HANGS = 60.0  # processor seconds of one input
BLOCKED = 300.0  # seconds in which it takes no processor time at all
CHUNK = 4000  # inputs a process, so that what one leaves behind is not another's
ROOT = Path(__file__).parents[2]


@dataclass
class Found:
    """What came of all inputs."""

    inputs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  # by how the name ends
    read: int = 0
    bombs: int = 0  # refused for what their header claims
    crashes: list[str] = field(default_factory=list)  # a process ended, or an error that is not one line
    hangs: list[str] = field(default_factory=list)
    above: int = 0  # bytes that one input took at most, above the process before it
    largest: str = ""  # that input
    peak: int = 0  # bytes of a process, at most
    slowest: float = 0.0  # processor seconds of one input

    def take(self, line: dict[str, Any]) -> None:
        self.inputs += 1
        self.kinds[Path(line["name"]).suffix] += 1
        self.read += line["came"] == "read"
        self.bombs += bool(re.search("megapixels|more than|has sides", line["came"]))
        if line["fault"]:
            self.crashes.append(f"{line['number']} {line['name']}: {line['fault']}")
        if line["above"] > self.above:
            self.above, self.largest = line["above"], f"{line['number']} {line['name']}"
        self.peak = max(self.peak, line["peak"])
        self.slowest = max(self.slowest, line["seconds"])

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": self.inputs, "kinds": dict(sorted(self.kinds.items())), "read": self.read,
            "named as too large": self.bombs, "crashes": self.crashes, "hangs": self.hangs,
            "most MB of one input": round(self.above / 1e6), "that input": self.largest,
            "peak MB": round(self.peak / 1e6), "slowest input in s": self.slowest,
        }  # fmt: skip


def run(seed: int, first: int, end: int, tell: bool = False) -> Found:
    """Try inputs from `first` up to `end`."""
    found = Found()
    with TemporaryDirectory(prefix="lpienas-fuzz-") as temporary:
        (Path(temporary) / "work").mkdir()
        at = first
        while at < end:
            at = _chunk(seed, at, min(at + CHUNK, end), Path(temporary) / "work", found)
            if tell:
                print(json.dumps(found.to_json()), flush=True)
    return found


def _chunk(seed: int, first: int, end: int, folder: Path, found: Found) -> int:
    """Inputs in one process, until one ends it or does not end; the next number."""
    words = [sys.executable, "-m", "tests.fuzz.tried", str(seed), str(first), str(end), str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    environment["VIPS_CONCURRENCY"] = "1"  # threads are worth nothing for pictures of this size
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as child:
        begun, at = False, first
        for line in _lines(child):
            if line is None:  # it hangs
                child.kill()
                found.hangs.append(str(at))
                found.inputs += 1
                return at + 1
            if "begins" in line:
                begun = True
                continue
            found.take(line)
            at = line["number"] + 1
        status = child.wait()
        if at < end:
            if not begun:
                raise RuntimeError(f"the inputs cannot be made: {child.stderr.read() if child.stderr else ''}")
            found.crashes.append(f"{at}: its process ended with {status}")
            found.inputs += 1
            return at + 1
    return at


def _lines(child: "subprocess.Popen[str]") -> Iterator[dict[str, Any] | None]:
    """What the process says; None where one input takes too long."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        spent = last = _seconds_of(child.pid)
        moved = time.monotonic()
        while True:
            if not waiting.select(timeout=1.0):
                now = _seconds_of(child.pid)
                if now != last:
                    last, moved = now, time.monotonic()
                if now - spent > HANGS or time.monotonic() - moved > BLOCKED:
                    yield None
                    return
                continue
            moved = time.monotonic()
            line = child.stdout.readline()
            if not line:
                return
            spent = _seconds_of(child.pid)
            yield json.loads(line)


def _seconds_of(pid: int) -> float:
    """Processor seconds of a process, on Linux; elsewhere those of the clock."""
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return time.monotonic()
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks/fuzz.py", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to try one again (0)")
    options = parser.parse_args()
    found = run(options.seed, options.first, options.first + options.inputs, tell=True)
    print(json.dumps(found.to_json(), indent=2))


if __name__ == "__main__":
    main()
