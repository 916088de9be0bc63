"""Small photographs, for searches that a test makes from beginning to end: all that takes time is per pixel."""

from pathlib import Path

from PIL import Image
from skimage.data import astronaut

from nas.task.device import identity_of
from results.files import write_json
from results.run import Run


def small_photos(folder: Path, count: int = 8, height: int = 48, width: int = 56) -> Path:
    """`folder` with so many clean photographs, 24 at most, as three parts need, cut from one."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        top, left = 80 * (number // 4), 120 * (number % 4)
        Image.fromarray(astronaut()[top : top + height, left : left + width]).save(folder / f"{number:02}.png")
    return folder


def with_known_device(folder: Path) -> Run:
    """The run folder of a machine whose precision is known.

    That bfloat16 trains as well is tried out with a network of 1.2 GMACs, which takes longer than a small search.
    """
    run = Run(folder)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json(run.device, {identity_of("cpu"): {"bfloat16": False, "reason": "not tried out"}})
    return run
