"""Ship: write a run's network in every format, float and int8, and let no file out that its own runtime disproves."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from math import inf
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from compress.export.formats import FORMATS, export_network
from compress.export.parity import check
from compress.pipeline import int8_calibration
from compress.runtimes import Runtime, load
from compress.tiles import enhance
from nas.task.evaluation import Pair, evaluate
from nas.task.task import Task
from nas.workers import end_with_parent
from results.files import has_network, load_network, network_fingerprint, read_json
from results.progress import Watcher
from results.run import Run

PRECISIONS = {"float": "float", "int8": "quantized"}  # precision -> the stage whose network it is made from


def ship(
    run: Run, task: Task, formats: Sequence[str], size: tuple[int, int], seed: int, workers: int, watcher: Watcher
) -> dict[str, Any]:
    """Export the compressed network of `run`; returns the `exported` part of its summary, file name -> figures.

    Every file is compared in its own runtime with the network that it came from, on validation photographs, before it
    gets its name; then its SSIM and PSNR are measured there. Files already made from the same weights are kept. A run
    that was compressed without int8 has no int8 files, and loses those of an earlier compression.
    `workers` files are made at a time, each in a process of its own that needs about 1.2 GB. Raises ParityError when
    a file computes something else, FileNotFoundError when the run is not compressed yet.
    """
    precisions = [precision for precision, stage in PRECISIONS.items() if has_network(run.network(stage))]
    if "float" not in precisions:
        raise FileNotFoundError(f"{run.folder} has no compressed network yet; make it: lpienas compress {run.folder}")
    calibration = tuple(int8_calibration(task, seed))
    exported: dict[str, Any] = read_json(run.summary).get("exported", {})
    exported = {name: figures for name, figures in exported.items() if (run.exported / name).exists()}
    for name in [name for name, figures in exported.items() if figures["precision"] not in precisions]:
        del exported[name]
        (run.exported / name).unlink()
        run.summarize(exported=exported)
    jobs = []
    for format, precision in product(formats, precisions):
        made_from = network_fingerprint(run.network(PRECISIONS[precision]))
        path = run.exported / file_name(format, precision, size)
        known = exported.get(path.name, {})
        if known.get("made_from") == made_from and known.get("rewrites", []) == _rewrites(format, precision):
            watcher.say(_line(path.name, exported[path.name]))
        else:
            network = run.network(PRECISIONS[precision])
            jobs.append(_Job(network, made_from, format, precision, path, size, calibration, task.validation))
    watcher.begin("export", len(jobs))
    run.exported.mkdir(parents=True, exist_ok=True)
    # Conversion is one thread of Python, so files are made side by side; spawned, because a fork of a process that
    # has used torch's threads can hang.
    log = run.folder / "export.log"
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (log,)) as pool:
        for done, (job, made) in enumerate(_as_made(pool, jobs), 1):
            exported[job.path.name] = made
            run.summarize(exported=exported)
            watcher.at(done)
            watcher.say(_line(job.path.name, made))
    return exported


def file_name(format: str, precision: str, size: tuple[int, int]) -> str:
    """`lpienet_int8_512x512.tflite`, without the size where one file serves all."""
    made = FORMATS[format]
    return f"lpienet_{precision}{'' if made.any_size else f'_{size[0]}x{size[1]}'}{made.suffix}"


@dataclass(frozen=True, slots=True)
class _Job:
    """All that a process needs to make one file."""

    network: Path  # without suffix
    made_from: str  # fingerprint of its weights
    format: str
    precision: str
    path: Path
    size: tuple[int, int]
    calibration: tuple[Tensor, ...]
    validation: tuple[Pair, ...]


def _as_made(pool: ProcessPoolExecutor, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, dict[str, Any]]]:
    """Each job with its figures, in the order in which they end; the first failure cancels what has not begun."""
    running = {pool.submit(_export, job): job for job in jobs}
    try:
        for ended in as_completed(running):
            yield running[ended], ended.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that made a file was ended from outside, or ran out of memory; export.log in the run folder has "
            "its last words; --workers 1 needs the least memory"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin_worker(log: Path) -> None:
    """Send what the converters write to standard error, past Python's control, into `log`; end with the parent."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 2)
    Thread(target=end_with_parent, daemon=True).start()


def _export(job: _Job) -> dict[str, Any]:
    torch.set_num_threads(1)
    unproven = job.path.with_name(f".unproven-{job.path.name}")
    size = None if FORMATS[job.format].any_size else job.size
    try:
        origin = export_network(load_network(job.network), job.format, job.precision, unproven, size, job.calibration)
        runtime = load(unproven)
        parity = check(runtime, origin, [degraded for _, degraded, _ in job.validation])
        quality = evaluate(partial(enhance, runtime), job.validation, torch.device("cpu"))
        unproven.replace(job.path)
    finally:
        unproven.unlink(missing_ok=True)
    return {
        "format": job.format,
        "precision": job.precision,
        "rewrites": _rewrites(job.format, job.precision),
        "runtime": runtime.name,
        "size": _size_of(runtime),
        "bytes": job.path.stat().st_size,
        "parity": {name: value if value != inf else None for name, value in asdict(parity).items()},
        **quality.to_json(),
        "made_from": job.made_from,
    }


def _rewrites(format: str, precision: str) -> list[str]:
    return list(FORMATS[format].rewrites.get(precision, ()))


def _size_of(runtime: Runtime) -> list[int] | str:
    return "any" if runtime.size is None else list(runtime.size)


def _line(name: str, figures: dict[str, Any]) -> str:
    return (
        f"{name}: {figures['bytes'] / 1024:.0f} KiB, SSIM {figures['ssim']:.4f}, PSNR {figures['psnr']:.2f} dB in "
        f"{figures['runtime']}"
    )
