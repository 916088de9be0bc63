"""Bench files: what a bench times: networks of runs and the reference in every format and size, and bare files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from torch import Tensor

from compress.bench.bench import OPENVINO, REFERENCE, Case
from compress.bench.latency import random_image
from compress.export.formats import FORMATS, export_network
from compress.int8.calibration import CALIBRATION_IMAGES, calibration_fingerprint, int8_calibration, kept_calibration
from compress.quiet import quiet, quiet_natives
from compress.runtime.runtimes import load, require_survives
from compress.runtime.tiles import fitted
from nas.task.data.photos import DataError
from nas.task.device import Device
from nas.task.evaluation import Pair, mean_quality
from nas.task.task import TaskSettings, make_task, read_photos
from results.files import (
    fingerprint,
    has_network,
    load_network,
    network_at,
    network_fingerprint,
    read_json,
    save_network,
    written_whole,
)
from results.photo_score import photo_scores
from results.progress import Silent, Watcher
from results.run import NotCompressed, Run, is_run
from results.study import REFERENCE_NUMBER
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import padded_side
from search_spaces.space import REFERENCE as REFERENCE_GENOTYPE

PYTORCH = "pytorch"
RUNTIMES = (PYTORCH, *(name for name, made in FORMATS.items() if made.system is None), OPENVINO)
SIZES = ((256, 256), (720, 1280), (1080, 1920), (2160, 3840))  # height, width
_STAGES = {"float": "float", "int8": "quantized"}  # precision -> the stage of a run
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


def installed() -> tuple[str, ...]:
    """The runtimes that are there; OpenVINO is optional."""
    return tuple(name for name in RUNTIMES if name != OPENVINO or find_spec("openvino"))


def plan(
    models: Sequence[Path],
    runtimes: Sequence[str] | None,
    sizes: Sequence[tuple[int, int]],
    folder: Path,
    watcher: Watcher,
    pairs: Sequence[Pair] = (),
) -> list[Case]:
    """Cases of all `models` (run folders, saved networks, files), and of the reference in the same runtimes and sizes.

    Files that are missing are made: in `bench/` of a run, those of the reference in the last run's, or in `folder`.
    `runtimes` are those of the runs' networks (None: all installed); a file runs in its own. The reference has the
    weights of the run's longest full training of it; without one they are random, and it has no SSIM. In int8 it stands
    beside int8 rows where photographs are there to take its ranges from, a run's or those of `pairs`.
    Raises FileNotFoundError for a run without a compressed network, ValueError for a file that cannot be opened.
    """
    wanted = tuple(runtimes or installed())
    cases: list[Case] = []
    used: set[tuple[str, str, tuple[int, int]]] = set()  # precision, runtime, size
    trained: tuple[Path, float | None] | None = None
    calibration: Sequence[Tensor] = [_centre(degraded) for _, degraded, _ in pairs[:CALIBRATION_IMAGES]]
    for path in models:
        if not is_run(path) and (saved := network_at(path)) is not None:
            # Files of a bare network go into `folder`; its int8 has the ranges of `pairs`, where there are any.
            bare = [Network(saved.name, saved, "float", None, folder)]
            bare += [Network(saved.name, saved, "int8", None, folder, calibration)] if calibration else []
            for network in bare:
                cases += cases_of(network, wanted, sizes, watcher)
            used |= set(product([network.precision for network in bare], wanted, sizes))
            continue
        if not is_run(path):
            of_file = cases_of_file(path, sizes)
            cases += of_file
            used |= {(case.precision, format_of(path), case.size) for case in of_file}
            continue
        run = Run(path)
        with run.locked():
            networks = _networks_of(run, watcher)
            for network in networks:
                cases += cases_of(network, wanted, sizes, watcher)
        used |= set(product([network.precision for network in networks], wanted, sizes))
        folder, trained = path / "bench", trained_reference(run) or trained
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
    finished = [
        (int(made.parent.name.split("-")[1]), made.parent)
        for made in sorted(run.candidate(REFERENCE_NUMBER).glob("full-*-0/quality.json"))
        if has_network(made.with_name("network"))
    ]
    if not finished:
        return None
    _, folder = max(finished, key=lambda steps_and_folder: steps_and_folder[0])
    if not (folder / "test.json").exists():
        return folder / "network", None
    return folder / "network", mean_quality(photo_scores(read_json(folder / "test.json")["photographs"])).ssim


def cases_of_file(path: Path, sizes: Sequence[tuple[int, int]]) -> list[Case]:
    """Cases of an exported file: at its own size, or at `sizes` where it takes any. Raises ValueError."""
    require_survives(path)
    own = load(path).size
    precision = "int8" if "int8" in path.name else "float16" if "float16" in path.name else "float"
    return [Case(path.name, path, precision, size) for size in ([own] if own else sizes)]


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for."""
    return next(name for name, made in FORMATS.items() if made.suffix == path.suffix)


def _networks_of(run: Run, watcher: Watcher) -> list[Network]:
    """The compressed networks of a run, float and int8, with its own figures."""
    scores = read_json(run.summary).get("scores", {}) if run.summary.exists() else {}
    if "float" not in scores:
        raise NotCompressed(run.folder)
    calibration = _calibration(run, watcher) if "quantized" in scores else []
    return [
        Network(
            run.folder.name,
            run.network(stage),
            precision,
            scores[stage].get("test_ssim"),  # not known of runs of versions without test photographs
            run.folder / "bench",
            calibration if precision == "int8" else (),
            tuple(scores[stage].get("in_float", ())),
        )
        for precision, stage in _STAGES.items()
        if stage in scores
    ]


def _calibration(run: Run, watcher: Watcher) -> list[Tensor]:
    """What the run's own int8 files take their ranges from; nothing, and why, where its photographs are gone."""
    if kept := kept_calibration(run):
        return kept
    settings = TaskSettings.of_run(run.settings())
    try:
        photos = read_photos(settings)
    except (DataError, FileNotFoundError) as error:
        watcher.say(f"int8 is timed with the ranges of random pictures, without SSIM of its own: {error}")
        return []
    return int8_calibration(make_task(settings, photos, Device("cpu", False, "bench")), settings.seed)


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
    name = f"{network.path.name}-{fingerprint(made_from)}_{network.precision}{sides}{made.suffix}"
    path = network.folder / name
    if not path.exists():
        source: LPIENet = load_network(network.path)
        images = list(network.calibration) or [random_image(_PATCH, _PATCH)]
        with quiet(), quiet_natives(), written_whole(path) as unfinished:
            export_network(source, format, network.precision, unfinished, padded, images, in_float=network.in_float)
    return path
