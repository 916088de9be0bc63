"""Faults: each injected into running searches; prints what was lost, what was doubled, and how long resuming took."""

import argparse
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.chaos import chaos
from tests.faults.fault import Came, Fault, Place
from tests.faults.processes import Commands, forks
from tests.faults.rows import FAULTS
from tests.faults.searching import begin
from tests.interrupts import hear_interrupts
from tests.small_photos import small_photos

_LINE = "{:34} {:>8} {:>6} {:>8} {:>16}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/faults.py", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="of each fault (3)")
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="faults with one of these in their names")
    parser.add_argument("--minutes", type=float, default=3.0, help="of chaos, each with one worker and with two (3)")
    parser.add_argument("--trials", type=int, default=200, help="of a search in chaos (200)")
    parser.add_argument("--forks", action="store_true", help="begin commands as copies of one process, as tests do")
    asked = parser.parse_args()
    hear_interrupts()
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="lpienas-faults-")))
        os.environ["LPIENAS_CACHE"] = str(home / "cache")
        processes = stack.enter_context(forks()) if asked.forks else Commands()
        return _table(asked, Place(home, small_photos(home / "photographs"), home / "run", processes, 0))


def _table(asked: argparse.Namespace, place: Place) -> int:
    """Print it; returns how many rows are not as they should be."""
    wanted = [fault for fault in FAULTS if not asked.only or any(word in fault.name for word in asked.only)]
    chaotic = (1, 2) if asked.minutes and (not asked.only or "chaos" in asked.only) else ()
    begun = begin(place)
    if begun.wait():
        raise SystemExit(begun.says.read_text())
    print(_LINE.format("fault", "injected", "lost", "doubled", "resumes in s"), flush=True)
    wrong = [fault.name for fault in wanted if not _row(fault, place, asked.times)]
    for workers in chaotic:
        folder = place.folder / f"chaos-{workers}"
        folder.mkdir()
        kills, came, where = chaos(replace(place, folder=folder), asked.trials, 60 * asked.minutes, workers)
        _print(f"chaos, {asked.trials} candidates, {workers} worker{'s' if workers > 1 else ''}", kills, [came])
        print(f"    {where}", flush=True)
        wrong += ["chaos"] if came.lost or came.doubled else []
    return len(wrong)


def _row(fault: Fault, place: Place, times: int) -> bool:
    """Whether nothing was lost, doubled or said wrongly."""
    came, wrong = [], ""
    for seed in range(times):
        folder = place.folder / f"{fault.name.replace(' ', '-').replace(':', '')}-{seed}"
        folder.mkdir()
        try:
            came.append(fault.inject(replace(place, folder=folder, seed=seed)))
        except AssertionError as error:
            wrong = str(error)
    _print(fault.name, times, came)
    if wrong:
        print(f"    WRONG: {wrong}")
    return not wrong and not any(one.lost or one.doubled for one in came)


def _print(name: str, injected: int, came: list[Came]) -> None:
    lost, doubled = sum(one.lost for one in came), sum(one.doubled for one in came)
    seconds = [one.seconds for one in came if one.seconds]
    shown = f"{min(seconds):.1f} to {max(seconds):.1f}" if seconds else "-"
    print(_LINE.format(name, injected, lost, doubled, shown), flush=True)


if __name__ == "__main__":
    sys.exit(main())
