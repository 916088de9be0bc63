"""Ship: write a run's network in every format and precision, and let no file out that its own runtime disproves."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from math import inf
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import Tensor, nn

from compress.export.card import NOT_RUN, about_of, about_of_network, write_card
from compress.export.formats import FORMATS, export_network
from compress.export.parity import FLOAT_DIFFERENCE, HALF_DIFFERENCE, check
from compress.int8.calibration import calibration_fingerprint, calibration_of
from compress.runtime.about import NO_LICENCE, About
from compress.runtime.runtimes import load
from compress.runtime.tiles import enhance, fits
from nas.task.evaluation import Pair, evaluate
from nas.task.task import Task
from nas.unseen import Unseen
from nas.workers import end_at_once, end_with_parent
from results.files import (
    bytes_of,
    fingerprint,
    has_network,
    load_network,
    move_over,
    network_fingerprint,
    remove,
)
from results.progress import Watcher
from results.run import NotCompressed, Run
from search_spaces.receptive import receptive_radius
from search_spaces.sides import STRIDE, padded_side

# precision -> the stage whose network it is made from
STAGES = {"float": "float", "float16": "float", "int8": "quantized"}


def ship(
    run: Run,
    task: Task,
    formats: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seed: int,
    workers: int,
    watcher: Watcher,
    licence: str | None = None,
) -> dict[str, Any]:
    """Export the compressed network of `run`; returns the `exported` part of its summary, file name -> figures.

    A format of static size has a file for each of `sizes` (height, width), padded up to multiples of 8. Every file is
    compared in its own runtime with the network that it came from, on validation photographs, before it gets its name;
    then its SSIM and PSNR on the test photographs are measured there. A Core ML file can be only on macOS; elsewhere
    its figures say that it was converted and not run. Files already made from the same weights, saying the same, are
    kept; those of an earlier compression are removed, whatever is asked for now. At the end `exported` has a model
    card. `licence` is what others may do with the files; without it, what was said last. `workers` files are made at a
    time, each in a process of its own that needs about 1.2 GB, and more for a size above a megapixel.
    Raises ParityError when a file computes something else, FileNotFoundError when the run is not compressed yet.
    """
    precisions = [precision for precision, stage in STAGES.items() if has_network(run.network(stage))]
    if "float" not in precisions:
        raise NotCompressed(run.folder)
    calibration = tuple(calibration_of(run, task, seed))
    summary = run.read_summary()
    in_float = tuple(summary["scores"].get("quantized", {}).get("in_float", ()))
    licence = licence or summary.get("licence") or NO_LICENCE
    run.summarize(licence=licence)
    exported: dict[str, Any] = summary.get("exported", {})
    exported = {name: figures for name, figures in exported.items() if (run.exported / name).exists()}
    origins = {
        precision: _made_from(run.network(STAGES[precision]), precision, calibration, in_float)
        for precision in precisions
    }
    for name, figures in list(exported.items()):
        if figures.get("made_from") != origins.get(figures["precision"]):
            del exported[name]
            remove(run.exported / name)
            run.summarize(exported=exported)
            watcher.say(f"{name}: removed, since it is of an earlier compression")
    jobs = []
    for format, size, precision in _asked(formats, sizes):
        if precision not in precisions:
            continue
        stage = STAGES[precision]
        network = run.network(stage)
        about = about_of(load_network(network).blueprint, format, precision, summary["scores"][stage], task, licence)
        path = run.exported / file_name(format, precision, size)
        known = exported.get(path.name, {})
        said = (known.get("says"), known.get("rewrites", []))
        if said == (fingerprint(about.to_json()), _rewrites(format, precision)):
            watcher.say(_line(path.name, known))
        else:
            jobs.append(
                _Job(
                    network,
                    origins[precision],
                    format,
                    precision,
                    path,
                    size,
                    about,
                    calibration,
                    in_float,
                    task.validation,
                    task.test,
                )
            )
    require_room(jobs)
    watcher.begin("export", len(jobs))
    run.exported.mkdir(parents=True, exist_ok=True)
    for done, (job, made) in enumerate(_made(jobs, workers, run.folder / "export.log"), 1):
        exported[job.path.name] = made
        run.summarize(exported=exported)
        watcher.at(done)
        watcher.say(_line(job.path.name, made))
    write_card(run, task, licence)
    return exported


def ship_network(
    network: Path,
    out: Path,
    judged_on: Unseen,
    calibration: Sequence[Tensor],
    formats: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    workers: int,
    watcher: Watcher,
    licence: str = NO_LICENCE,
) -> dict[str, Any]:
    """Export a saved network (path without suffix) that has no run; file name -> figures, as in `ship`.

    Files go into `out` and are named after the network. They are checked and scored on `judged_on`; int8 files are made
    where there are patches to calibrate on. Nothing is known of the training, and there is no model card.
    """
    saved = load_network(network)
    quality = evaluate(saved.eval(), judged_on.pairs, torch.device("cpu"))
    jobs = [
        _Job(
            network,
            _made_from(network, precision, calibration if precision == "int8" else (), ()),
            format,
            precision,
            _network_file(network, out, format, precision, size),
            size,
            about_of_network(saved.blueprint, format, precision, quality, judged_on, licence),
            tuple(calibration),
            (),
            judged_on.pairs,
            judged_on.pairs,
            judged_on.split,
        )
        for format, size, precision in _asked(formats, sizes)
        if precision != "int8" or calibration
    ]
    exported: dict[str, Any] = {}
    require_room(jobs)
    watcher.begin("export", len(jobs))
    out.mkdir(parents=True, exist_ok=True)
    for done, (job, made) in enumerate(_made(jobs, workers, out / "export.log"), 1):
        exported[job.path.name] = made
        watcher.at(done)
        watcher.say(_line(job.path.name, made))
    return exported


def require_room(jobs: Sequence["_Job"]) -> None:
    """Raises ValueError where a file to be made is too small for its network's receptive field, before it is made."""
    for job in jobs:
        if FORMATS[job.format].any_size:
            continue
        blueprint = load_network(job.network).blueprint
        for _, degraded, _ in (*job.validation, *job.test):
            height, width = degraded.shape[-2:]
            if not fits(blueprint, job.size, height, width):
                least = 2 * padded_side(receptive_radius(blueprint)) + STRIDE
                raise ValueError(
                    f"--size {job.size[0]}x{job.size[1]}: tiles of it cannot hold the network's receptive field, and "
                    f"a photograph that the file is checked on has {height}x{width} pixels; ask for "
                    f"{least}x{least} or more"
                )


def network_files(
    network: Path, out: Path, formats: Sequence[str], sizes: Sequence[tuple[int, int]], int8: bool
) -> list[Path]:
    """What `ship_network` writes."""
    return [
        _network_file(network, out, format, precision, size)
        for format, size, precision in _asked(formats, sizes)
        if precision != "int8" or int8
    ]


def _network_file(network: Path, out: Path, format: str, precision: str, size: tuple[int, int]) -> Path:
    return out / file_name(format, precision, size).replace("lpienet", network.name, 1)


def _made_from(network: Path, precision: str, calibration: Sequence[Tensor], in_float: Sequence[str]) -> str:
    """What decides what a file computes, up to its format and size; equal for equal files."""
    if precision != "int8":
        return network_fingerprint(network)
    parts = [network_fingerprint(network), f"calibrated on {calibration_fingerprint(calibration)}"]
    return ", ".join([*parts, f"in float {' '.join(in_float)}"] if in_float else parts)


def file_name(format: str, precision: str, size: tuple[int, int]) -> str:
    """`lpienet_int8_512x512.tflite`, without the size where one file serves all."""
    made = FORMATS[format]
    return f"lpienet_{precision}{'' if made.any_size else f'_{size[0]}x{size[1]}'}{made.suffix}"


def _asked(formats: Sequence[str], sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Format, size and precision of every file; the sizes multiples of 8, each once."""
    padded = list(dict.fromkeys((padded_side(height), padded_side(width)) for height, width in sizes))
    for format in formats:
        for size in padded[:1] if FORMATS[format].any_size else padded:
            yield from ((format, size, precision) for precision in FORMATS[format].precisions)


@dataclass(frozen=True, slots=True)
class _Job:
    """All that a process needs to make one file."""

    network: Path  # without suffix
    made_from: str  # see `_made_from`
    format: str
    precision: str
    path: Path
    size: tuple[int, int]
    about: About
    calibration: tuple[Tensor, ...]
    in_float: tuple[str, ...]
    validation: Sequence[Pair]  # on which the file must say what its network says
    test: Sequence[Pair]  # on which it is judged
    split: str | None = "test"  # which those are; None: all of a folder


def _made(jobs: Sequence[_Job], workers: int, log: Path) -> Iterator[tuple[_Job, dict[str, Any]]]:
    """Make and check the files of `jobs`: each with its figures, as they are done; converters talk into `log`.

    Conversion is one thread of Python, so files are made side by side; spawned, because a fork of a process that has
    used torch's threads can hang.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (log,)) as pool:
        yield from _as_made(pool, jobs)


def _as_made(pool: ProcessPoolExecutor, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, dict[str, Any]]]:
    """Each job with its figures, in the order in which they end; the first failure cancels what has not begun."""
    running = {pool.submit(_export, job): job for job in jobs}
    try:
        for ended in as_completed(running):
            yield running[ended], ended.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that made a file was ended from outside, or ran out of memory; export.log in the run folder, or "
            "beside the files, has its last words; --workers 1 needs the least memory"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin_worker(log: Path) -> None:
    """Send what the converters write to standard error, past Python's control, into `log`; end with the parent."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 2)
    signal.signal(signal.SIGINT, end_at_once)  # the parent tells the user
    Thread(target=end_with_parent, daemon=True).start()


def _export(job: _Job) -> dict[str, Any]:
    torch.set_num_threads(1)
    made = FORMATS[job.format]
    unproven = job.path.with_name(f".unproven-{job.path.name}")
    size = None if made.any_size else job.size
    try:
        network = load_network(job.network)
        origin = export_network(
            network, job.format, job.precision, unproven, size, job.calibration, job.about, job.in_float
        )
        figures = _proven(unproven, origin, job) if made.runs_here else _NOT_RUN
        move_over(unproven, job.path)
    finally:
        remove(unproven)
    return {
        "format": job.format,
        "precision": job.precision,
        "rewrites": _rewrites(job.format, job.precision),
        "layout": made.layout,
        "size": "any" if size is None else list(size),
        "bytes": bytes_of(job.path),
        **figures,
        "made_from": job.made_from,
        "says": fingerprint(job.about.to_json()),
    }


_NOT_RUN = {
    "runtime": None,
    "parity": None,
    "ssim": None,
    "psnr": None,
    "split": None,
}  # converted, not run on this platform


def _proven(path: Path, origin: nn.Module, job: _Job) -> dict[str, Any]:
    """What a file comes to in its own runtime; raises ParityError where that is not what `origin` says."""
    runtime = load(path)
    half = job.precision == "float16" and FORMATS[job.format].half_arithmetic
    photographs = [degraded for _, degraded, _ in job.validation]
    parity = check(runtime, origin, photographs, HALF_DIFFERENCE if half else FLOAT_DIFFERENCE)
    quality = evaluate(partial(enhance, runtime), job.test, torch.device("cpu"))
    return {
        "runtime": runtime.name,
        "parity": {name: value if value != inf else None for name, value in asdict(parity).items()},
        **quality.to_json(),
        "split": job.split,
    }


def _rewrites(format: str, precision: str) -> list[str]:
    return list(FORMATS[format].rewrites.get(precision, ()))


def _line(name: str, figures: dict[str, Any]) -> str:
    if figures["runtime"] is None:
        return f"{name}: {figures['bytes'] / 1024:.0f} KiB, {NOT_RUN}"
    return (
        f"{name}: {figures['bytes'] / 1024:.0f} KiB, SSIM {figures['ssim']:.4f}, PSNR {figures['psnr']:.2f} dB on the "
        f"{'test ' if figures['split'] == 'test' else ''}photographs in {figures['runtime']}"
    )
