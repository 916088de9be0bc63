"""Searching: a search of tiny networks on tiny photographs, and how the trials of two are compared."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from optuna.trial import FrozenTrial

from results.run import Run
from results.storage import Shared
from results.study import genotype_of, open_study
from tests.faults.fault import Came, Place
from tests.faults.processes import LONGEST, Begun
from tests.small_photos import with_known_device

TRIALS = 5
JOURNAL = "study.journal"


def options(trials: int = TRIALS, workers: int = 1, steps: int = 4) -> tuple[str, ...]:
    """Of every search here."""
    return (
        *("--trials", str(trials), "--score", "short", "--steps", str(steps), "--patch", "16", "--batch", "2"),
        *("--noise", "white", "--sampler", "tpe", "--workers", str(workers), "--confirm", "0", "--budget", "100M"),
    )


class Trial(NamedTuple):
    """What must be the same whatever happened."""

    number: int
    state: str
    genotype: object
    values: tuple[float, ...] | None


def begin(
    place: Place, condition: str = "nothing", argument: str = "", more: tuple[str, ...] = (), said: str = "said.txt"
) -> Begun:
    """The search of a place; what comes later in `more` counts."""
    if not (place.folder / "run").exists() or not any((place.folder / "run").iterdir()):
        with_known_device(place.folder / "run")
    data = place.folder / "data" if (place.folder / "data").exists() else place.data
    words = ["search", "--out", place.folder / "run", "--data", data, *options(), *more]
    return place.processes.begin(words, place.folder / said, condition, argument)


def trials_of(run: Path) -> list[Trial]:
    """Finished ones, in the order of their numbers; a study that is just begun has none."""
    return [
        Trial(trial.number, trial.state.name, genotype_of(trial), trial.values and tuple(trial.values))
        for trial in _all_of(run)
        if trial.state.is_finished()
    ]


def completed(run: Path) -> list[Trial]:
    return [trial for trial in trials_of(run) if trial.state == "COMPLETE"]


def wait_until(begun: Begun, true: Callable[[], bool]) -> None:
    """Until something is true, or the command has ended."""
    until = time.monotonic() + LONGEST
    while not true() and not begun.has_ended():
        if time.monotonic() > until:
            raise AssertionError(f"waited in vain; the command says: {begun.says.read_text()[-2000:]}")
        time.sleep(0.05)


def lines_of(run: Path) -> int:
    """Of the study, which says how far a search is without reading it; on a server, trials begun and trials ended."""
    path = run / JOURNAL
    if path.exists():
        return path.read_bytes().count(b"\n")
    return sum(1 + trial.state.is_finished() for trial in _all_of(run))


def told(run: Path) -> int:
    """Trials that have scores, by the lines that tell them."""
    path = run / JOURNAL
    return path.read_bytes().count(b'"state":1,') if path.exists() else len(completed(run))


def resumed(place: Place, before: list[Trial], more: tuple[str, ...] = (), alike: bool = True) -> Came:
    """The same command again, to its end; what was there `before`, and `alike` in an undisturbed one, must be there."""
    run = place.folder / "run"
    began, lines = time.monotonic(), lines_of(run)
    begun = begin(place, more=more)
    wait_until(begun, lambda: lines_of(run) != lines)
    seconds = time.monotonic() - began
    status = begun.wait()
    assert status == 0, begun.says.read_text()[-2000:]
    return compared(place, before, seconds, alike)


def went_on(place: Place, begun: Begun, before: list[Trial]) -> Came:
    """What came of a search that goes on by itself; the seconds are those from now until its study changed again."""
    run = place.folder / "run"
    since, lines = time.monotonic(), lines_of(run)
    wait_until(begun, lambda: lines_of(run) != lines)
    seconds = time.monotonic() - since
    assert begun.wait() == 0, begun.says.read_text()[-2000:]
    return compared(place, before, seconds, alike=False)


def compared(place: Place, before: list[Trial], seconds: float = 0.0, alike: bool = True, trials: int = TRIALS) -> Came:
    """What a finished search came to."""
    now = trials_of(place.folder / "run")
    scored = [trial for trial in now if trial.state == "COMPLETE"]
    ended = len(scored) + sum(trial.state == "FAIL" for trial in now)  # which an undisturbed search has none of
    wanted = {trial for trial in before if trial.state == "COMPLETE"}
    if alike:
        wanted |= set(trials_of(place.undisturbed))
    lost = sum(trial not in now for trial in wanted) + max(0, trials - ended)
    genotypes, numbers = Counter(trial.genotype for trial in scored), Counter(trial.number for trial in now)
    twice = sum(count - 1 for counted in (genotypes, numbers) for count in counted.values())
    return Came(lost, twice + max(0, ended - trials), seconds)


def _all_of(run: Path) -> list[FrozenTrial]:
    """In the journal of a run, or where its settings say that the study is."""
    if (run / JOURNAL).exists():
        return open_study(run / JOURNAL).get_trials(deepcopy=False)
    if not (run / "run.json").exists() or not isinstance(where := Run(run).study, Shared):
        return []
    try:
        return open_study(where).get_trials(deepcopy=False)
    except FileNotFoundError:  # it is not made yet
        return []
