"""Ship: write a run's network in every format, float and int8, and let no file out that its own runtime disproves."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from compress.export.formats import FORMATS, export_network
from compress.export.parity import check
from compress.pipeline import int8_calibration
from compress.runtimes import Runtime, load
from compress.tiles import enhance
from nas.task.evaluation import evaluate
from nas.task.task import Task
from results.files import has_network, load_network, read_json
from results.progress import Watcher
from results.run import Run

PRECISIONS = {"float": "pruned", "int8": "quantized"}  # precision -> the stage whose network it is made from


def ship(
    run: Run, task: Task, formats: Sequence[str], size: tuple[int, int], seed: int, threads: int, watcher: Watcher
) -> dict[str, Any]:
    """Export the compressed network of `run`; returns the `exported` part of its summary, file name -> figures.

    Every file is compared in its own runtime with the network that it came from, on validation photographs, before it
    gets its name; then its SSIM and PSNR are measured there. Files already made from the same weights are kept. Raises
    ParityError when a file computes something else, FileNotFoundError when the run is not compressed yet.
    """
    for stage in PRECISIONS.values():
        if not has_network(run.network(stage)):
            raise FileNotFoundError(f"{run.folder} has no {stage} network yet; make it: lpienas compress {run.folder}")
    exported: dict[str, Any] = read_json(run.summary).get("exported", {})
    exported = {name: figures for name, figures in exported.items() if (run.exported / name).exists()}
    wanted = [(format, precision) for format in formats for precision in PRECISIONS]
    watcher.begin("export", len(wanted))
    for done, (format, precision) in enumerate(wanted):
        name = file_name(format, precision, size)
        made_from = _fingerprint(run.network(PRECISIONS[precision]))
        watcher.at(done, name)
        if exported.get(name, {}).get("made_from") != made_from:
            exported[name] = _export(run, task, format, precision, size, seed, threads) | {"made_from": made_from}
            run.summarize(exported=exported)
        watcher.say(_line(name, exported[name]))
    watcher.at(len(wanted))
    return exported


def file_name(format: str, precision: str, size: tuple[int, int]) -> str:
    """`lpienet_int8_512x512.tflite`, without the size where one file serves all."""
    made = FORMATS[format]
    return f"lpienet_{precision}{'' if made.any_size else f'_{size[0]}x{size[1]}'}{made.suffix}"


def _export(
    run: Run, task: Task, format: str, precision: str, size: tuple[int, int], seed: int, threads: int
) -> dict[str, Any]:
    path = run.exported / file_name(format, precision, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    unproven = path.with_name(f".unproven-{path.name}")
    try:
        origin = export_network(
            load_network(run.network(PRECISIONS[precision])),
            format,
            precision,
            unproven,
            None if FORMATS[format].any_size else size,
            int8_calibration(task, seed),
        )
        runtime = load(unproven, threads)
        parity = check(runtime, origin, [degraded for _, degraded, _ in task.validation])
        quality = evaluate(lambda image: enhance(runtime, image), task.validation, torch.device("cpu"))
        unproven.replace(path)
    finally:
        unproven.unlink(missing_ok=True)
    return {
        "format": format,
        "precision": precision,
        "runtime": runtime.name,
        "size": _size_of(runtime),
        "bytes": path.stat().st_size,
        "parity": asdict(parity),
        **quality.to_json(),
    }


def _size_of(runtime: Runtime) -> list[int] | str:
    return "any" if runtime.size is None else list(runtime.size)


def _fingerprint(network: Path) -> str:
    digest = hashlib.sha256(network.with_suffix(".json").read_bytes())
    digest.update(network.with_suffix(".safetensors").read_bytes())
    return digest.hexdigest()


def _line(name: str, figures: dict[str, Any]) -> str:
    return (
        f"{name}: {figures['bytes'] / 1024:.0f} KiB, SSIM {figures['ssim']:.4f}, PSNR {figures['psnr']:.2f} dB in "
        f"{figures['runtime']}"
    )
