"""Bench files: the files that a bench times, a run's network and the reference in every format and size."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from compress.bench import Case
from compress.export.formats import FORMATS, export_network
from compress.latency import random_image
from compress.quiet import quiet
from compress.runtimes import load
from results.files import has_network, load_network, network_fingerprint, save_network, written_whole
from results.progress import Watcher
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import padded_side
from search_spaces.space import REFERENCE as REFERENCE_GENOTYPE

PYTORCH = "pytorch"
RUNTIMES = (PYTORCH, *(name for name, made in FORMATS.items() if made.system is None))
SIZES = ((256, 256), (720, 1280), (1080, 1920), (2160, 3840))  # height, width


def cases_of(
    name: str,
    network: Path,
    precision: str,
    ssim: float | None,
    runtimes: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    folder: Path,
    watcher: Watcher,
) -> list[Case]:
    """Cases of one saved network in `runtimes` at `sizes`; files that are missing are made in `folder` and kept there.

    PyTorch runs the float network, so it has no int8 case. The int8 files' ranges are those of random pictures, which
    time does not depend on: they are for a bench and not to be shipped.
    """
    pairs = [(runtime, size) for runtime, size in product(runtimes, sizes) if (runtime, precision) != (PYTORCH, "int8")]
    watcher.begin(f"files of {name}, {precision}", len(pairs))
    found = []
    for number, (runtime, size) in enumerate(pairs, 1):
        model = network if runtime == PYTORCH else _file(network, runtime, precision, size, folder)
        found.append(Case(name, model, precision, size, ssim))
        watcher.at(number)
    return found


def reference_network(folder: Path) -> Path:
    """Where the released LPIENet is saved; with random weights, which its speed does not depend on."""
    path = folder / "reference"
    if not has_network(path):
        folder.mkdir(parents=True, exist_ok=True)
        save_network(path, build(Blueprint.from_genotype(REFERENCE_GENOTYPE), seed=0))
    return path


def cases_of_file(path: Path, sizes: Sequence[tuple[int, int]]) -> list[Case]:
    """Cases of an exported file: at its own size, or at `sizes` where it takes any. Raises ValueError."""
    own = load(path).size
    precision = "int8" if "int8" in path.name else "float16" if "float16" in path.name else "float"
    return [Case(path.name, path, precision, size) for size in ([own] if own else sizes)]


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for."""
    return next(name for name, made in FORMATS.items() if made.suffix == path.suffix)


def _file(network: Path, format: str, precision: str, size: tuple[int, int], folder: Path) -> Path:
    """A file of `network`, named by its weights and, where it has one, by its size; made if it is not there."""
    made = FORMATS[format]
    padded = (padded_side(size[0]), padded_side(size[1]))
    sides = "" if made.any_size else f"_{padded[0]}x{padded[1]}"
    path = folder / f"{network.name}-{network_fingerprint(network)[:12]}_{precision}{sides}{made.suffix}"
    if not path.exists():
        source: LPIENet = load_network(network)
        with quiet(), written_whole(path) as unfinished:
            export_network(source, format, precision, unfinished, padded, [random_image(128, 128)])
    return path
