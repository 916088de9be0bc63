"""Kit: for each file an input and the output that its own runtime gives on this host, to hold a device to.

Both are arrays of the file's own type and layout, in NumPy's format: FILE.input.npy and FILE.expected.npy, in the
folder `kit` beside the file, so that whoever takes files by their names takes files alone. The picture is made, so that
no photograph of anybody's is passed on.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from compress.runtime.levels import Integers
from compress.runtime.runtimes import Runtime
from results.files import written_whole

FOLDER = "kit"  # beside the files
LARGEST = 32 * 2**20  # bytes of an array; a file of larger images has no kit
_ANY = (256, 256)  # height, width, where a file takes any
_NOISE = 0.06  # standard deviation, so that there is something to enhance


def kit_of(path: Path) -> tuple[Path, Path]:
    """Where the input and the expected output of the file `path` are."""
    return path.parent / FOLDER / f"{path.name}.input.npy", path.parent / FOLDER / f"{path.name}.expected.npy"


def write_kit(path: Path, runtime: Runtime, layout: str) -> bool:
    """Keep the kit of `path`, opened as `runtime`, of `layout` NCHW or NHWC; False: its arrays would be too large.

    Raises ValueError where the file answers with what is no number.
    """
    height, width = runtime.size or _ANY
    image_as, output_as = runtime.ends or (None, None)
    if height * width * 3 * (image_as.dtype if image_as else torch.float32).itemsize > LARGEST:
        return False
    image = picture(height, width)
    with torch.no_grad():
        output = runtime(image)
    if not output.isfinite().all():
        raise ValueError(
            f"{path} answers the picture of its kit with NaN or infinite values in {runtime.name}: its weights are "
            "damaged, or it computes in a precision that does not hold them; make it again"
        )
    given, expected = _as_file_sees(image, image_as, layout), _as_file_sees(output, output_as, layout)
    (path.parent / FOLDER).mkdir(exist_ok=True)
    for kept, array in zip(kit_of(path), (given, expected), strict=True):
        with written_whole(kept) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    return True


def picture(height: int, width: int) -> Tensor:
    """Whole levels, (1, 3, height, width) in [0, 1]: colours, edges and a disc from dark to bright, with noise."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    smooth = torch.stack([rows, columns, 1 - (rows + columns) / 2])
    stripes = 0.25 * (torch.sin(40 * columns) > 0).float() * (rows > 0.5)
    disc = 0.4 * ((rows - 0.3) ** 2 + (columns - 0.6) ** 2 < 0.04).float()
    noise = _NOISE * torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    clipped = (0.1 + 0.5 * smooth + stripes + disc + noise).clamp(0, 1)
    return ((clipped * 255).round() / 255)[None]


def _as_file_sees(image: Tensor, integers: Integers | None, layout: str) -> np.ndarray:
    own = image if integers is None else integers.of(image)
    return (own if layout == "NCHW" else own.permute(0, 2, 3, 1)).contiguous().numpy()
