"""Own set: photographs that a user's code brings, written once into a folder that every verb takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nas.task.data.layouts import DataError
from nas.task.data.reading import Pixels
from nas.task.data.vips import vips

PARTS = ("train", "val", "test")  # as folders of parts are named; None: by a digest of the scene's name


@dataclass(frozen=True, slots=True)
class Taken:
    """One photograph, or a pair of one; raises DataError for pixels that are no RGB picture, or sides of two sizes."""

    name: str  # without an ending; photographs of one scene are told by their names (docs/data.md)
    clean: Pixels  # (H, W, 3), uint8 or uint16
    degraded: Pixels | None = None  # of the same size; None: it is degraded as the search is told to
    part: str | None = None  # one of PARTS

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or "/" in self.name or "\\" in self.name:
            raise DataError(f"name {self.name!r}: must be the name of a file without a folder")
        if self.part is not None and self.part not in PARTS:
            raise DataError(f"{self.name}: part {self.part!r} must be one of {', '.join(PARTS)}, or None")
        for side, pixels in self.sides().items():
            kind = getattr(pixels, "dtype", type(pixels).__name__)
            shape: tuple[int, ...] = getattr(pixels, "shape", ())
            if str(kind) not in ("uint8", "uint16") or len(shape) != 3 or shape[2] != 3 or 0 in shape:
                raise DataError(f"{self.name}: its {side} side must be uint8 or uint16 (H, W, 3), got {kind} {shape}")
            if shape != self.clean.shape:
                raise DataError(f"{self.name}: its {side} side is {shape}, its clean one {self.clean.shape}: cut alike")

    def sides(self) -> dict[str, Pixels]:
        """Pixels by the name of the folder that they go into."""
        return {"clean": self.clean} if self.degraded is None else {"noisy": self.degraded, "clean": self.clean}


class OwnPhotographs(Protocol):
    """What a user writes: anything that gives its photographs one after the other, a generator too."""

    def __iter__(self) -> Iterator[Taken]:
        """Photographs, each with a name of its own; all of them pairs, or none, and all of a part, or none."""


def write_folder(photographs: OwnPhotographs, folder: Path | str) -> int:
    """Write each photograph as PNG of its own depth: clean/NAME.png, and noisy/NAME.png of a pair. Returns how many.

    Raises DataError where the folder holds something, two photographs have one name, some are pairs and others are not,
    some have a part and others have none, or there is none.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: name a new folder, so that no photographs are mixed")
    first, names = None, set()
    for one in photographs:
        first = first or one
        if (one.degraded is None) != (first.degraded is None):
            raise DataError(f"{one.name} and {first.name}: one is a pair, and the other is not; bring them as two sets")
        if (one.part is None) != (first.part is None):
            raise DataError(f"{one.name} and {first.name}: one has a part, and the other has none; say it of all")
        if one.name.casefold() in names:
            raise DataError(f"{one.name}: two photographs have this name")
        names.add(one.name.casefold())
        for side, pixels in one.sides().items():
            path = folder / (one.part or "") / side / f"{one.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            form = "rgb16" if pixels.dtype == "uint16" else "srgb"
            vips().Image.new_from_array(pixels, interpretation=form).pngsave(str(path))
    if first is None:
        raise DataError("there are no photographs: the first one is missing")
    return len(names)
