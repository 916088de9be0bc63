"""Ship: write a run's network in every format and precision, and let no file out that its own runtime disproves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress.export.card import MADE_WITH, NOT_RUN, Known, about_of, write_card
from compress.export.formats import FORMATS, SCHEMES, Variant, export_network, is_int8
from compress.export.kit import kit_of, write_kit
from compress.export.onnx_file import at_opset, opset_of
from compress.export.parity import FLOAT_DIFFERENCE, HALF_DIFFERENCE, check
from compress.export.side_by_side import side_by_side
from compress.export.wanted import Wanted, asked, file_name
from compress.int8.calibration import calibration_fingerprint, kept_calibration
from compress.int8.fitted import fitted
from compress.runtime.about import NO_LICENCE, About, texts_of
from compress.runtime.runtimes import load
from compress.runtime.tiles import enhance, fits
from nas.task.evaluation import Pair, evaluate
from nas.task.task import Task
from nas.unseen import Unseen
from results.compressions import FLOAT, INT8, Compression
from results.files import (
    bytes_of,
    fingerprint,
    load_any,
    load_network,
    move_over,
    network_fingerprint,
    remove,
    require_inside,
    sha256_of,
)
from results.progress import Watcher
from results.run import versions
from search_spaces.family import OwnFamily
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network
from search_spaces.receptive import receptive_radius
from search_spaces.sides import STRIDE, padded_side

# precision -> the stage whose network it is made from
STAGES = {"float": FLOAT, "float16": FLOAT} | dict.fromkeys(SCHEMES, INT8)


@dataclass(frozen=True, slots=True)
class Bare:
    """A network without a run, and what its files are made with and judged on."""

    network: Path  # without suffix
    out: Path
    judged_on: Unseen
    calibration: Sequence[Tensor]  # int8 files are made where there are such patches
    families: tuple[OwnFamily, ...] = ()  # that the network may be of


def ship(compression: Compression, task: Task, wanted: Wanted, watcher: Watcher) -> dict[str, Any]:
    """Export a compression into a folder of its own; file name -> figures, of all files that are there.

    Every file is compared in its own runtime with the network that it came from, on validation photographs, before it
    gets its name; then its SSIM and PSNR on the test photographs are measured there. A Core ML file can be only on
    macOS; elsewhere its figures say that it was converted and not run. Files already made from the same network, saying
    the same, are kept, and nothing is removed. At the end the folder has a model card. Raises ParityError when a file
    computes something else, ValueError where the list of files is damaged or names some that lie elsewhere.
    """
    precisions = [precision for precision, stage in STAGES.items() if compression.has(stage)]
    calibration = tuple(kept_calibration(compression.calibration)) if any(map(is_int8, precisions)) else ()
    kept = compression.listed()
    licence = wanted.licence or kept.get("licence") or NO_LICENCE
    there = {name: figures for name, figures in kept["files"].items() if (compression.exported / name).exists()}
    for line in wanted.without_int8 if calibration else ():
        watcher.say(line)
    jobs = []
    for format, size, precision in asked(wanted):
        if precision not in precisions:
            continue
        stage = STAGES[precision]
        network = compression.network(stage)
        blueprint = load_network(network).blueprint
        about = about_of(Known.by_run(blueprint, compression.scores[stage], task, licence), format, precision)
        path = compression.exported / file_name(format, precision, size)
        known, made_from = there.get(path.name, {}), compression.made_from(stage)
        said = (known.get("made_from"), known.get("says"), known.get("rewrites", []))
        same = said == (made_from, fingerprint(texts_of(blueprint, about)), _rewrites(format, precision))
        opset = wanted.opset if path.suffix == ".onnx" else None
        if same and opset in (None, known.get("opset")):
            watcher.say(_line(path.name, known))
            continue
        layers = (compression.in_float, compression.wide) if is_int8(precision) else ()
        origin = _Origin(network, made_from, calibration, *layers)
        jobs.append(_Job(origin, format, precision, path, size, about, _Judges(task.validation, task.test), opset))
    require_made(jobs)
    watcher.begin("export", len(jobs))
    compression.exported.mkdir(parents=True, exist_ok=True)
    log = compression.run.folder / "export.log"
    for done, (job, made) in enumerate(side_by_side(_export, jobs, wanted.workers, log), 1):
        there[job.path.name] = made
        compression.list_files(licence, there)
        watcher.at(done)
        watcher.say(_line(job.path.name, made))
    compression.list_files(licence, there)
    write_card(compression, there, task, licence)
    return there


def ship_network(bare: Bare, wanted: Wanted, watcher: Watcher) -> dict[str, Any]:
    """Export a saved network that has no run; file name -> figures, as in `ship`.

    Files are named after the network, and are checked and scored on the same photographs. Nothing is known of the
    training, and there is no model card. Raises ValueError for a link that leads out of the folder, too.
    """
    saved = load_any(bare.network, bare.families)
    quality = evaluate(saved.eval(), bare.judged_on.pairs, torch.device("cpu"))
    licence, pairs = wanted.licence or NO_LICENCE, bare.judged_on.pairs
    known = Known.alone(saved.blueprint, quality, bare.judged_on, licence)
    made_from = network_fingerprint(bare.network)
    calibrated = f"{made_from}, calibrated on {calibration_fingerprint(bare.calibration)}"
    jobs = [
        _Job(
            _Origin(
                bare.network,
                calibrated if is_int8(precision) else made_from,
                tuple(bare.calibration),
                families=bare.families,
                is_bare=True,
            ),
            format,
            precision,
            _network_file(bare.network, bare.out, file_name(format, precision, size)),
            size,
            about_of(known, format, precision),
            _Judges(pairs, pairs, bare.judged_on.split),
            wanted.opset if FORMATS[format].suffix == ".onnx" else None,
        )
        for format, size, precision in asked(wanted)
        if bare.calibration or not is_int8(precision)
    ]
    for line in wanted.without_int8 if bare.calibration else ():
        watcher.say(line)
    exported: dict[str, Any] = {}
    require_made(jobs)
    require_inside(bare.out, [file for job in jobs for file in (job.path, *kit_of(job.path))])
    watcher.begin("export", len(jobs))
    bare.out.mkdir(parents=True, exist_ok=True)
    for done, (job, made) in enumerate(side_by_side(_export, jobs, wanted.workers, bare.out / "export.log"), 1):
        exported[job.path.name] = made
        watcher.at(done)
        watcher.say(_line(job.path.name, made))
    return exported


def require_made(jobs: Sequence["_Job"]) -> None:
    """Raises ValueError before any work where a file cannot be made.

    Its format may not have what is asked for, or its size be too small for its network's receptive field.
    """
    for job in jobs:
        if job.variant.size is None:
            continue
        radius = receptive_radius(job.origin.opened().blueprint)
        for _, degraded, _ in (*job.judges.validation, *job.judges.test):
            height, width = degraded.shape[-2:]
            if not fits(radius, job.size, height, width):
                least = 2 * padded_side(radius) + STRIDE
                raise ValueError(
                    f"--size {job.size[0]}x{job.size[1]}: tiles of it cannot hold the network's receptive field, and "
                    f"a photograph that the file is checked on has {height}x{width} pixels; ask for "
                    f"{least}x{least} or more"
                )


def network_files(network: Path, out: Path, wanted: Wanted, int8: bool) -> list[Path]:
    """What `ship_network` writes, with each file's kit."""
    files = [
        _network_file(network, out, file_name(format, precision, size))
        for format, size, precision in asked(wanted)
        if int8 or not is_int8(precision)
    ]
    return [one for file in files for one in (file, *kit_of(file))]


def _network_file(network: Path, out: Path, name: str) -> Path:
    return out / name.replace("lpienet", network.name, 1)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The network that a file is made of."""

    network: Path  # without suffix
    made_from: str  # names it, and of a bare network in int8 what its ranges are taken from
    calibration: tuple[Tensor, ...] = ()  # of int8
    in_float: tuple[str, ...] = ()  # layers that int8 leaves alone
    wide: tuple[str, ...] = ()  # layers whose activations have 16 bits in int8
    families: tuple[OwnFamily, ...] = ()
    is_bare: bool = False  # as it was trained; channels of int8 networks from `compress` have like ranges already

    def opened(self) -> Network:
        return load_any(self.network, self.families)


@dataclass(frozen=True, slots=True)
class _Judges:
    """The photographs by which a file is checked and judged."""

    validation: Sequence[Pair]  # on which the file must say what its network says
    test: Sequence[Pair]  # on which it is judged
    split: str | None = "test"  # which those are; None: all of a folder


@dataclass(frozen=True, slots=True)
class _Job:
    """All that a process needs to make one file."""

    origin: _Origin
    format: str
    precision: str
    path: Path
    size: tuple[int, int]
    about: About
    judges: _Judges
    opset: int | None = None  # of an ONNX file, where another one is asked for than the exporter's

    @property
    def variant(self) -> Variant:
        """Raises ValueError where there is no such file."""
        size = None if FORMATS[self.format].any_size else self.size
        return Variant(self.format, self.precision, size, self.origin.in_float, self.origin.wide)


def _export(job: _Job) -> dict[str, Any]:
    torch.set_num_threads(1)
    made = FORMATS[job.format]
    unproven = job.path.with_name(f".unproven-{job.path.name}")
    size = None if made.any_size else job.size
    try:
        network = job.origin.opened()
        if job.origin.is_bare and is_int8(job.precision) and isinstance(network, LPIENet):
            network = fitted(network, job.origin.calibration)
        origin = export_network(network, job.variant, unproven, job.origin.calibration, job.about)
        if job.opset is not None:
            at_opset(unproven, job.opset)
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
        "sha256": sha256_of(job.path),
        "made_with": {name: found for name, found in versions().items() if name in MADE_WITH[job.format]},
        **({"opset": opset_of(job.path)} if made.suffix == ".onnx" else {}),
        **figures,
        "made_from": job.origin.made_from,
        "says": fingerprint(texts_of(network.blueprint, job.about)),
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
    photographs = [degraded for _, degraded, _ in job.judges.validation]
    parity = check(runtime, origin, photographs, HALF_DIFFERENCE if half else FLOAT_DIFFERENCE)
    quality = evaluate(partial(enhance, runtime), job.judges.test, torch.device("cpu"))
    has_kit = write_kit(job.path, runtime, FORMATS[job.format].layout)
    return {
        "runtime": runtime.name,
        "parity": {name: value if value != inf else None for name, value in asdict(parity).items()},
        **quality.to_json(),
        "split": job.judges.split,
        "kit": [str(kept.relative_to(job.path.parent)) for kept in kit_of(job.path)] if has_kit else [],
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
