"""Bench files: what a bench times: networks of runs and the reference in every format and size, and bare files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from torch import Tensor

from compress.bench.bench import OPENVINO, REFERENCE, Case
from compress.bench.latency import random_image
from compress.export.formats import FORMATS, Variant, export_network
from compress.int8.calibration import CALIBRATION_IMAGES, calibration_fingerprint, kept_calibration
from compress.quiet import quiet, quiet_natives
from compress.runtime.runtimes import load, require_survives
from compress.runtime.tiles import fitted
from nas.confirm import folder_of
from nas.task.evaluation import Pair, mean_quality
from results.compressions import FLOAT, INT8, Compression, compression_at, compression_of, compressions
from results.files import (
    fingerprint,
    has_network,
    load_network,
    network_at,
    network_fingerprint,
    save_network,
    written_whole,
)
from results.progress import Silent, Watcher
from results.run import Run, is_run
from results.study import REFERENCE_NUMBER, open_study, trainings
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import padded_side
from search_spaces.space import REFERENCE as REFERENCE_GENOTYPE

PYTORCH = "pytorch"
_SAME_RUNTIME = "onnx-fixed"  # as onnx
RUNTIMES = (
    PYTORCH,
    *(name for name, made in FORMATS.items() if made.system is None and name != _SAME_RUNTIME),
    OPENVINO,
)
SIZES = ((256, 256), (720, 1280), (1080, 1920), (2160, 3840))  # height, width
_STAGES = {"float": FLOAT, "int8": INT8}  # precision -> the stage of a compression
_PATCH = 128  # pixels a side of what int8 ranges are taken from


@dataclass(frozen=True, slots=True)
class Network:
    """A saved network to be timed, and what is known of it."""

    name: str
    path: Path  # without suffix
    precision: str
    ssim: float | None  # on its run's test photographs
    folder: Path  # where its files are made and kept
    calibration: Sequence[Tensor] = ()  # of int8; without, ranges are those of random pictures
    in_float: tuple[str, ...] = ()  # layers that int8 leaves alone, see quantize.layers_of
    wide: tuple[str, ...] = ()  # layers whose activations have 16 bits in int8


def installed() -> tuple[str, ...]:
    """The runtimes that are there; OpenVINO is optional."""
    return tuple(name for name in RUNTIMES if name != OPENVINO or find_spec("openvino"))


@dataclass(frozen=True, slots=True)
class Conditions:
    """In what networks are timed, and at what sizes."""

    runtimes: Sequence[str] | None  # of the runs' networks; None: all installed
    sizes: Sequence[tuple[int, int]]  # height, width in pixels
    folder: Path  # for files that belong to no run
    pairs: Sequence[Pair] = ()  # photographs that int8 ranges of bare networks are taken from


def plan(models: Sequence[Path], conditions: Conditions, watcher: Watcher) -> list[Case]:
    """Cases of all `models`, and of the reference in the same runtimes and sizes.

    Models are run folders, compressions of them, saved networks and files.
    Files that are missing are made: in `bench/` of a run, those of the reference in the last run's, or in the folder of
    `conditions`. A file runs in its own runtime. The reference has the weights of the run's longest full training of
    it; without one they are random, and it has no SSIM. In int8 it stands beside int8 rows where photographs are there
    to take its ranges from, a run's or those of `conditions`.
    Raises FileNotFoundError for a run without a compressed network, ValueError for a file that cannot be opened.
    """
    wanted = tuple(conditions.runtimes or installed())
    sizes, folder, pairs = conditions.sizes, conditions.folder, conditions.pairs
    cases: list[Case] = []
    used: set[tuple[str, str, tuple[int, int]]] = set()  # precision, runtime, size
    trained: tuple[Path, float | None] | None = None
    calibration: Sequence[Tensor] = [_centre(degraded) for _, degraded, _ in pairs[:CALIBRATION_IMAGES]]
    for path in models:
        compression = compression_of(Run(path)) if is_run(path) else compression_at(path)
        if compression is None and (saved := network_at(path)) is not None:
            load_network(saved)  # one that cannot be is named before any file is made
            # Files of a bare network go into `folder`; its int8 has the ranges of `pairs`, where there are any.
            bare = [Network(saved.name, saved, "float", None, folder)]
            bare += [Network(saved.name, saved, "int8", None, folder, calibration)] if calibration else []
            for network in bare:
                cases += cases_of(network, wanted, sizes, watcher)
            used |= set(product([network.precision for network in bare], wanted, sizes))
            continue
        if compression is None:
            of_file = cases_of_file(path, sizes)
            cases += of_file
            used |= {(case.precision, format_of(path), case.size) for case in of_file}
            continue
        run = compression.run
        with run.locked():
            networks = _networks_of(compression)
            for network in networks:
                cases += cases_of(network, wanted, sizes, watcher)
        used |= set(product([network.precision for network in networks], wanted, sizes))
        folder, trained = run.folder / "bench", trained_reference(run) or trained
        calibration = next((network.calibration for network in networks if network.calibration), calibration)
    if not used:
        return cases
    reference, ssim = trained or (reference_network(folder), None)
    # Every int8 row has a float row beside it too: that is what its speed is compared with.
    beside = used | {("float", runtime, size) for _, runtime, size in used}
    precisions = [precision for precision in _STAGES if precision == "float" or calibration]
    measured_at = sorted({size for _, _, size in beside})
    rows = [row for row in product(precisions, RUNTIMES, measured_at) if row in beside]
    watcher.begin("files of the reference", len(rows))
    for number, (precision, runtime, size) in enumerate(rows, 1):
        network = Network(REFERENCE, reference, precision, ssim if precision == "float" else None, folder, calibration)
        cases += cases_of(network, [runtime], [size], Silent())
        watcher.at(number)
    untrained = [replace(case, judged=False) if case.network == REFERENCE else case for case in cases]
    return cases if trained else untrained


def cases_of(
    network: Network, runtimes: Sequence[str], sizes: Sequence[tuple[int, int]], watcher: Watcher
) -> list[Case]:
    """Cases of one saved network in `runtimes` at `sizes`; files that are missing are made in its folder and kept.

    PyTorch runs the float network, so it has no int8 case. Without calibration images an int8 file's ranges are those
    of random pictures, which time does not depend on: such files are for a bench and not to be shipped.
    """
    precision = network.precision
    pairs = [(runtime, size) for runtime, size in product(runtimes, sizes) if (runtime, precision) != (PYTORCH, "int8")]
    watcher.begin(f"files of {network.name}, {precision}", len(pairs))
    found = []
    for number, (runtime, size) in enumerate(pairs, 1):
        model = network.path if runtime == PYTORCH else _file(network, "onnx" if runtime == OPENVINO else runtime, size)
        inside = OPENVINO if runtime == OPENVINO else None
        judged = precision == "float" or bool(network.calibration)
        found.append(Case(network.name, model, precision, size, network.ssim, inside, judged))
        watcher.at(number)
    return found


def reference_network(folder: Path) -> Path:
    """Where the released LPIENet is saved; with random weights, which its speed does not depend on."""
    path = folder / "reference"
    if not has_network(path):
        folder.mkdir(parents=True, exist_ok=True)
        save_network(path, build(Blueprint.from_genotype(REFERENCE_GENOTYPE), seed=0))
    return path


def trained_reference(run: Run) -> tuple[Path, float | None] | None:
    """The reference as `run` trained it in full, with the most steps where it did so more than once, and its SSIM.

    That is of the test photographs; None where a version that had none trained it.
    """
    if not run.study.exists():
        return None
    trained = [one for one in trainings(open_study(run.study), "full") if one.number == REFERENCE_NUMBER]
    finished = [one for one in trained if one.seed == 0 and has_network(folder_of(run, one) / "network")]
    if not finished:
        return None
    longest = max(finished, key=lambda one: one.steps)
    return folder_of(run, longest) / "network", mean_quality(longest.test).ssim if longest.test else None


def cases_of_file(path: Path, sizes: Sequence[tuple[int, int]]) -> list[Case]:
    """Cases of an exported file: at its own size, or at `sizes` where it takes any. Raises ValueError."""
    require_survives(path)
    own = load(path).size
    precision = next((word for word in ("int8", "16x8", "float16") if word in path.name), "float")
    return [Case(path.name, path, precision, size) for size in ([own] if own else sizes)]


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for."""
    return next(name for name, made in FORMATS.items() if made.suffix == path.suffix)


def _networks_of(compression: Compression) -> list[Network]:
    """The networks of a compression, float and int8, with its own figures."""
    run = compression.run
    return [
        Network(
            run.folder.name if len(compressions(run)) == 1 else f"{run.folder.name} {compression.name}",
            compression.network(stage),
            precision,
            compression.scores[stage]["test_ssim"],
            run.folder / "bench",
            kept_calibration(compression.calibration) if precision == "int8" else (),
            compression.in_float if precision == "int8" else (),
            compression.wide if precision == "int8" else (),
        )
        for precision, stage in _STAGES.items()
        if compression.has(stage)
    ]


def _centre(image: Tensor) -> Tensor:
    """At most _PATCH x _PATCH pixels around the centre of `image` (1, 3, H, W), at sides that a network takes."""
    top, left = (max(0, side - _PATCH) // 2 for side in image.shape[-2:])
    return fitted(image[..., top : top + _PATCH, left : left + _PATCH], None).contiguous()


def _file(network: Network, format: str, size: tuple[int, int]) -> Path:
    """A file of `network`, named by all that it is made from and, where it has one, by its size; made if not there."""
    made = FORMATS[format]
    padded = (padded_side(size[0]), padded_side(size[1]))
    sides = "" if made.any_size else f"_{padded[0]}x{padded[1]}"
    made_from = [network_fingerprint(network.path), made.rewrites.get(network.precision, ()), network.in_float]
    if network.precision == "int8":
        made_from.append(calibration_fingerprint(network.calibration))
    if network.wide:
        made_from.append(network.wide)
    name = f"{network.path.name}-{fingerprint(made_from)}_{network.precision}{sides}{made.suffix}"
    path = network.folder / name
    if not path.exists():
        source: LPIENet = load_network(network.path)
        images = list(network.calibration) or [random_image(_PATCH, _PATCH)]
        variant = Variant(format, network.precision, padded, network.in_float, network.wide)
        with quiet(), quiet_natives(), written_whole(path) as unfinished:
            export_network(source, variant, unfinished, images)
    return path
