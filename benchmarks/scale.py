"""Scale: what a search's own process costs beside its candidates, at many workers and at many trials.

    python benchmarks/scale.py workers --storage journal postgresql://USER@HOST/DATABASE grpc://HOST:PORT
    python benchmarks/scale.py workers --storage postgresql://USER@HOST/DATABASE --workers 64
    python benchmarks/scale.py steps --publish results/published/scale

`workers`: candidates are replaced by a wait of --seconds, as long as a training would take, by as many threads as
workers; each number of workers with each storage. By --clock real it is the wall's; by --clock processor, for a machine
that does other things beside, waiting takes no time, and the search's processor time moves the clock: what it would be
on a processor of its own, but for what a storage's server takes, whose answers then count as if they came at once.
`efficiency` is the part of the workers' time in which they work. `steps`: processor seconds of one proposal, one
promotion and one line of progress in studies of random networks.
"""

import argparse
import heapq
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any, Self

import optuna

import nas.search
import nas.seen
from nas.guided import Region
from nas.promoting import Promotions
from nas.propose import Proposals
from nas.said import best_so_far
from nas.samplers import resolve_sampler
from nas.scoring.halving import rungs_of
from nas.search import search
from nas.searching import Searching, SearchSettings
from nas.seen import Seen
from nas.task.device import Device
from nas.task.evaluation import Quality
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Recipe
from results.candidate import Candidate
from results.files import write_json
from results.leases import Alone, Among, Leases
from results.progress import Silent
from results.record import RunSettings
from results.run import Run
from results.storage import Shared, connected
from results.trials import attributes_of
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.own import AnyBlueprint, require_lpienet
from search_spaces.space import default_space

_WORKERS = (1, 2, 4, 16, 64, 256)
_TRIALS = (100, 1000, 10_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("workers", "steps"))
    known = "journal, or an address as of lpienas search --storage; several side by side"
    parser.add_argument("--storage", nargs="+", default=["journal"], help=known)
    parser.add_argument("--workers", type=int, nargs="+", default=_WORKERS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one candidate")
    parser.add_argument("--rounds", type=int, default=3, help="candidates of each worker")
    parser.add_argument("--clock", choices=("real", "processor"), default="processor")
    parser.add_argument("--trials", type=int, nargs="+", default=_TRIALS)
    parser.add_argument("--sampler", default="auto")
    parser.add_argument("--publish", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    name, rows = options.what, []
    for row in _rows(options):
        rows.append(asdict(row))
        print("\n".join(_markdown(rows).splitlines()[0 if len(rows) == 1 else -1 :]), flush=True)
    shown = _markdown(rows)
    if options.publish is not None:
        options.publish.mkdir(parents=True, exist_ok=True)
        command = f"python benchmarks/scale.py {options.what} ..."
        about = {"command": command, "clock": options.clock, "load": os.getloadavg()[0], "processors": os.cpu_count()}
        write_json(options.publish / f"{name}.json", about | {"rows": rows})
        (options.publish / f"{name}.md").write_text(f"`{command}`\n\n{shown}\n")


def _rows(options: argparse.Namespace) -> "Iterator[Efficiency | Steps]":
    """One after the other, since each takes minutes on a busy machine."""
    if options.what == "workers":
        yield from (_row(options, where, count) for count in options.workers for where in options.storage)
    else:
        yield from (_steps(options.sampler, trials) for trials in options.trials)


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_said(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# Workers


@dataclass(frozen=True, slots=True)
class Efficiency:
    """One search of candidates that wait."""

    storage: str  # its kind
    workers: int
    candidates: int
    driver_ms: float  # processor milliseconds of the search for each candidate
    elapsed: float  # seconds, by the clock that was asked for
    efficiency: float  # candidates * seconds / (workers * elapsed): with beginning and end, where workers wait
    steady: float  # the same between them


class Clock:
    """The wall's, or processor time and what was waited for."""

    def __init__(self, real: bool) -> None:
        self.real, self._skipped = real, 0.0

    def now(self) -> float:
        return time.monotonic() if self.real else time.process_time() + self._skipped

    def until(self, moment: float) -> None:
        """Wait for `moment`."""
        left = moment - self.now()
        if left <= 0:
            return
        if self.real:
            time.sleep(left)
        else:
            self._skipped += left


class Waiting:
    """Workers whose work is to wait; `wait` stands for that of concurrent.futures."""

    def __init__(self, count: int, seconds: float, clock: Clock) -> None:
        self.count, self._seconds, self._clock = count, seconds, clock
        self._due: list[tuple[float, int, Future[Quality]]] = []
        self.begun: list[float] = []

    def submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.begun.append(self._clock.now())
        heapq.heappush(self._due, (self.begun[-1] + self._seconds, len(self.begun), future))
        return future

    def wait(self, futures: Collection[Future[Quality]], timeout: float, return_when: str) -> SimpleNamespace:
        self._clock.until(self._due[0][0])
        done = []
        while self._due and self._due[0][0] <= self._clock.now():
            _, number, future = heapq.heappop(self._due)
            future.set_result(Quality(0.5 + 0.1 * random.Random(number).random(), 30.0))
            done.append(future)
        return SimpleNamespace(done=done)

    def steady(self) -> float:
        """The part of their time in which all worked, from when every one had work to when the last piece began."""
        first, last = self.begun[self.count - 1], self.begun[-1]
        worked = sum(max(0.0, min(one + self._seconds, last) - max(one, first)) for one in self.begun)
        return worked / (self.count * (last - first)) if last > first else math.nan

    def steps(self) -> int:
        return 0

    def seconds(self) -> float:
        return 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _row(options: argparse.Namespace, where: str, count: int) -> Efficiency:
    clock = Clock(options.clock == "real")
    workers = Waiting(count, options.seconds, clock)
    vars(nas.search)["wait"] = workers.wait
    vars(nas.seen)["time"] = SimpleNamespace(monotonic=clock.now)
    trials = max(8, options.rounds * count)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        shared = None if where == "journal" else Shared(where, f"scale {count} {time.time():.0f}")
        made_with = RunSettings() if shared is None else RunSettings(storage=shared.address, study=shared.study)
        run.describe(made_with)
        settings = SearchSettings(trials, Recipe(1), sampler=options.sampler, budget=6e8)
        searching = Searching(run, default_space(), _task(), settings, _macs)
        leases: Leases = Alone() if shared is None else Among(connected(shared, print), shared.study, run.folder)
        with leases:
            begun, processor = clock.now(), time.process_time()
            search(searching, workers, Silent(), leases)
            elapsed, spent = clock.now() - begun, time.process_time() - processor
    efficiency = trials * options.seconds / (count * elapsed)
    kind = where.partition(":")[0]
    return Efficiency(kind, count, trials, 1e3 * spent / trials, elapsed, efficiency, workers.steady())


def _task() -> Task:
    photographs = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(photographs, read_photos(photographs), Device("cpu", False, "scale"))


def _macs(blueprint: AnyBlueprint) -> float:
    return float(macs_of(blueprint, DEFAULT_SIZE))


# Steps


@dataclass(frozen=True, slots=True)
class Steps:
    """Processor milliseconds of single steps of a search."""

    trials: int  # that are scored already
    sampler: str
    resume: float  # what a search takes that goes on with them, once
    proposal: float
    promotion: float  # of a candidate, after a new score
    progress: float  # of a line


def _steps(sampler: str, trials: int) -> Steps:
    study, space = _filled(trials), default_space()
    named = resolve_sampler(sampler, trials)
    resumed, proposals = _timed(lambda: Proposals(study, Region(space, 6e8), named, 0, []))
    asked = []
    for _ in range(6):
        took, proposal = _timed(proposals.ask)
        cost = macs_of(Blueprint.from_genotype(require_lpienet(proposal.genotype)), DEFAULT_SIZE)
        proposals.frozen(proposal, attributes_of(proposal.genotype, cost, 1, float(cost)), None)
        proposals.tell(proposal.number, [0.6, math.log10(cost)])
        asked.append(took)
    looked, seen = _timed(lambda: Seen(study, Alone(), in_rungs=True))
    promotions = Promotions(rungs_of(400), seen, Alone())
    last = seen.known[trials - 1]
    promoted, told = [], []
    for number in range(trials, trials + 4):
        better = replace(last.scores, ssim=last.scores.ssim + 1e-6 * (number - trials))
        seen.scored(Candidate(number, last.genotype, better), within=True)
        promoted.append(_timed(lambda: promotions.next((), None))[0])
        told.append(_timed(lambda: best_so_far(seen.front, "macs"))[0])
    means = (1e3 * fmean(times) for times in (asked[1:], promoted, told))
    return Steps(trials, named, 1e3 * (resumed + looked), *means)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    found = work()
    return time.process_time() - begun, found


def _filled(trials: int) -> optuna.Study:
    """A study in memory of random networks with made-up scores."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    luck, space = random.Random(0), default_space()
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals(study, Region(space), "random", 0, [])
    for _ in range(trials):
        proposal = proposals.ask()
        blueprint = Blueprint.from_genotype(require_lpienet(proposal.genotype))
        macs = macs_of(blueprint, DEFAULT_SIZE)
        attributes = attributes_of(proposal.genotype, macs, parameters_of(blueprint), float(macs))
        trial = proposals.frozen(proposal, attributes | {"psnr": 30.0}, -0.1)
        trial.state = optuna.trial.TrialState.COMPLETE
        trial.values = [0.5 + 0.02 * math.log10(macs / 1e6) + luck.gauss(0, 0.01), math.log10(macs)]
        trial.datetime_complete = trial.datetime_start
        study.add_trial(trial)
        proposals.tell(proposal.number, trial.values)
    return study


if __name__ == "__main__":
    main()
