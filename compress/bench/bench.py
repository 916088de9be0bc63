"""Bench: how long networks take in which runtime, side by side; each measured in a process of its own, in turns."""

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import hypot
from pathlib import Path
from typing import Any

import torch

from compress.bench.latency import random_image, spread_of
from compress.bench.resident import forget_peak, peak, resident
from compress.runtime.runtimes import Runtime, in_pytorch, load, load_in_openvino
from compress.runtime.tiles import enhance, holds
from nas.task.evaluation import Pair, evaluate
from nas.where.apart import apart
from results.files import has_network, load_network
from results.progress import Watcher
from search_spaces.sides import padded_side

ROUNDS = 3  # of all cases in turn, every second one backwards
FEWEST = 3  # passes of a case in one round
REFERENCE = "LPIENet reference"
OPENVINO = "openvino"  # runs ONNX files, and is optional


@dataclass(frozen=True, slots=True)
class Case:
    """One row to measure: a network in a runtime, at one size."""

    network: str  # for tables
    model: Path  # an exported file, or a network's path without suffix for PyTorch
    precision: str
    size: tuple[int, int]  # height, width in pixels; measured at the padded size
    ssim: float | None = None  # on the test photographs of its run, or on those that are given; None: not known
    runtime: str | None = None  # OPENVINO: an ONNX file in there; None: each file in its own
    judged: bool = True  # whether its SSIM says anything: not of random weights, or ranges of random pictures


@dataclass(frozen=True, slots=True)
class Row:
    """What one case came to, by all of its passes in all rounds."""

    network: str
    runtime: str
    precision: str
    size: tuple[int, int] | None  # None: an imported file does not tell
    median: float  # ms
    spread: float  # ms, half the distance of the quartiles; of an imported row the standard deviation
    passes: int
    threads: int | None
    peak_memory: int | None  # bytes above the process before it opened the file
    file_bytes: int | None
    ssim: float | None
    is_mean: bool = False  # `median` is the mean, which is all that an older tool prints on a phone

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """The passes of one case in one round."""

    runtime: str
    times: list[float]  # ms
    peak_memory: int  # bytes


def bench(cases: Sequence[Case], threads: int, seconds: float, watcher: Watcher, rounds: int = ROUNDS) -> list[Row]:
    """Measure all `cases`, each for about `seconds` in each of `rounds` rounds; one row a case, in their order.

    Every measurement has a new process with so many `threads`. Cases take turns, in the opposite order every second
    round, so that a slow change of the machine meets all alike. Raises ValueError for a file that cannot be opened.
    """
    if threads < 1 or rounds < 1 or not seconds > 0:
        raise ValueError(f"threads = {threads}, rounds = {rounds}, seconds = {seconds}: all must be above 0")
    found: dict[Case, list[Measured]] = {case: [] for case in cases}
    watcher.begin("bench", rounds * len(cases))
    for number, case in enumerate(_in_turns(cases, rounds), 1):
        with apart([partial(measure, case, threads, seconds)]) as (measured,):
            found[case].append(measured.result())
        watcher.at(number, f"{case.network}, {found[case][-1].runtime} {case.precision}")
    return [_row(case, threads, measured) for case, measured in found.items()]


def judge(cases: Sequence[Case], pairs: Sequence[Pair], threads: int, watcher: Watcher) -> list[Case]:
    """`cases` with SSIM measured on `pairs`, each network once in each runtime and precision, by its smallest file.

    None where it would say nothing, or where every file is too small for the network's receptive field.
    """
    alike: dict[tuple[str, str, str | None, str], list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.size):
        alike.setdefault(_made_of(case), []).append(case)
    watcher.begin("SSIM", len(alike))
    found: dict[tuple[str, str, str | None, str], float | None] = {}
    for number, (key, group) in enumerate(alike.items(), 1):
        if all(case.judged for case in group):
            with apart([partial(_quality, group, pairs, threads)]) as (quality,):
                found[key] = quality.result()
        watcher.at(number, group[0].network)
    return [replace(case, ssim=found.get(_made_of(case))) for case in cases]


def measure(case: Case, threads: int, seconds: float) -> Measured:
    """Open the file of `case` and time passes of one image, the first not counted, in this process."""
    torch.set_num_threads(threads)
    forget_peak()
    before = resident()
    runtime = _open(case, threads)
    sides = runtime.size or (padded_side(case.size[0]), padded_side(case.size[1]))
    image = random_image(*sides)
    runtime(image)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < FEWEST or time.perf_counter() < end:
        begun = time.perf_counter()
        runtime(image)
        times.append(1e3 * (time.perf_counter() - begun))
    return Measured(runtime.name, times, max(0, peak() - before))


def ratio(slow: Row, fast: Row) -> tuple[float, float] | None:
    """How many times `fast` is faster than `slow`, and the spread of that; None where the spread is the larger one."""
    times = slow.median / fast.median
    spread = times * hypot(slow.spread / slow.median, fast.spread / fast.median)
    return (times, spread) if spread < times else None


def beside(row: Row, rows: Iterable[Row]) -> Row | None:
    """The reference's float row in the runtime and at the size of `row`; None where there is none, or for itself.

    A median has no mean beside it.
    """

    def matches(other: Row) -> bool:
        like = (other.runtime, other.size, other.threads) == (row.runtime, row.size, row.threads)
        like = like and other.is_mean == row.is_mean
        return like and other.network == REFERENCE and other.precision == "float" and other is not row

    return next(filter(matches, rows), None)


def _made_of(case: Case) -> tuple[str, str, str | None, str]:
    """What cases that differ in nothing but their size have in common."""
    return case.network, case.model.suffix, case.runtime, case.precision


def _in_turns(cases: Sequence[Case], rounds: int) -> Iterator[Case]:
    for number in range(rounds):
        yield from reversed(cases) if number % 2 else cases


def _row(case: Case, threads: int, measured: Sequence[Measured]) -> Row:
    times = [passed for one in measured for passed in one.times]
    files = [case.model] if case.model.is_file() else [case.model.with_suffix(".safetensors")]
    return Row(
        network=case.network,
        runtime=measured[0].runtime,
        precision=case.precision,
        size=case.size,
        median=statistics.median(times),
        spread=spread_of(times),
        passes=len(times),
        threads=threads,
        peak_memory=max(one.peak_memory for one in measured),
        file_bytes=sum(file.stat().st_size for file in files),
        ssim=case.ssim,
    )


def _quality(cases: Sequence[Case], pairs: Sequence[Pair], threads: int) -> float | None:
    """SSIM of the first of `cases` whose tiles hold the receptive field."""
    torch.set_num_threads(threads)
    for case in cases:
        runtime = _open(case, threads)
        if all(holds(runtime, degraded.shape[-2], degraded.shape[-1]) for _, degraded, _ in pairs):
            return evaluate(partial(enhance, runtime), pairs, torch.device("cpu")).ssim
    return None


def _open(case: Case, threads: int) -> Runtime:
    if case.runtime == OPENVINO:
        return load_in_openvino(case.model, threads)
    return in_pytorch(load_network(case.model)) if has_network(case.model) else load(case.model, threads)
