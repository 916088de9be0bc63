"""Ready: networks that come with the package, a folder each, for who has made no run."""

from collections.abc import Sequence
from pathlib import Path

from lpienas.errors import Error
from lpienas.included import NETWORK, SHIPPED, WIDE, hold_of, shipped_tasks
from lpienas.networks import Network, load

DEFAULT = "denoise"
BLOCKS = ".mat"  # ending of SIDD's benchmark blocks
_OF_RUNS = ("run.json", "summary.json", "compressions")  # names in the folder of a run


def ready(task: str, threads: int | None = None, folder: Path = SHIPPED, precision: str = "float") -> Network:
    """The network for `task` that came with the package, or lies in another `folder` of such, in float or 16x8.

    16x8 is an ONNX file with weights of 8 and activations of 16 bits, which ONNX Runtime runs. A denoiser is held to
    the noise of each photograph. Raises Error where there is none.
    """
    there = shipped_tasks(folder)
    if task not in there:
        others = f"there is one for {', '.join(there)}" if there else "there is none for any task yet"
        raise Error(
            f"no network for task {task} comes with this version, {others}: name a network or a run, lpienas enhance "
            "MODEL PHOTO -o OUT"
        )
    hold = hold_of(task)
    if precision == "float":
        return load(folder / task / f"{NETWORK}.json", threads, hold)
    if not (folder / task / WIDE).is_file():
        raise Error(f"the network for task {task} that comes with this version is in float alone")
    return load(folder / task / WIDE, threads, hold)


def model_and_photos(words: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """Whether the first of `words` is a model (None: it is not), and the photographs; raises Error without any."""
    first, *rest = words
    if is_photo(first):
        return None, list(words)
    if not rest:
        raise Error(f"{first} is no photograph: name one, lpienas enhance [MODEL] PHOTO -o OUT")
    return first, rest


def is_photo(path: Path) -> bool:
    """Whether `path` names a picture, SIDD's blocks, or a folder in which pictures lie and no run."""
    from compress.runtime.photo import SUFFIXES

    if path.is_dir():
        held = list(path.iterdir())
        of_a_run = any(one.name in _OF_RUNS for one in held)  # a plot may lie beside them
        return not of_a_run and any(one.suffix.lower() in SUFFIXES for one in held)
    return path.suffix.lower() in (*SUFFIXES, BLOCKS)
