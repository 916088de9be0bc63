"""Photo: one photograph to train on or to judge by, in memory or in files that are read when pixels are asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.task.data.layouts import DataError
from nas.task.data.manifest import Entry, Side
from nas.task.data.reading import Pixels, Unreadable
from nas.task.data.sides import CLEAN, DEGRADED
from nas.task.data.source import Source
from nas.task.data.tiles import Tiles

_TYPES = (torch.uint8, torch.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One in memory, RGB uint8 or uint16 (3, H, W); raises ValueError for another type or shape, or unequal sides."""

    name: str
    clean: Tensor
    degraded: Tensor | None  # of the same shape; None: to be degraded synthetically

    def __post_init__(self) -> None:
        for side, image in ((CLEAN, self.clean), (DEGRADED, self.degraded)):
            if image is not None and (image.dtype not in _TYPES or image.ndim != 3 or image.shape[0] != 3):
                raise ValueError(
                    f"photo {self.name}: its {side} side must be uint8 or uint16 (3, H, W), got {image.dtype} "
                    f"{(*image.shape,)}"
                )
        if self.degraded is not None and self.degraded.shape != self.clean.shape:
            raise ValueError(
                f"photo {self.name}: both sides must have one shape, got {(*self.degraded.shape,)} degraded and "
                f"{(*self.clean.shape,)} clean"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.clean.shape[1], self.clean.shape[2]

    @property
    def is_pair(self) -> bool:
        return self.degraded is not None

    def crop(self, top: int, left: int, height: int, width: int) -> list[Pixels]:
        """(height, width, 3) of the clean side and, of a pair, of the degraded one."""
        sides = (self.clean,) if self.degraded is None else (self.clean, self.degraded)
        return [side[:, top : top + height, left : left + width].permute(1, 2, 0).numpy() for side in sides]


@dataclass(frozen=True, slots=True, eq=False)
class StoredPhoto:
    """One in files; what is read raises DataError where a file is damaged, or was changed since it was listed."""

    entry: Entry
    folder: Path | None  # that its files are in; None: the packages that bring the samples
    tiles: Tiles

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.entry.height, self.entry.width

    @property
    def is_pair(self) -> bool:
        return self.entry.degraded is not None

    @property
    def clean(self) -> Tensor:
        """(3, H, W), all of it, uint8 or uint16."""
        return self._whole(self.entry.clean)

    @property
    def degraded(self) -> Tensor | None:
        """The same; None: to be degraded synthetically."""
        return None if self.entry.degraded is None else self._whole(self.entry.degraded)

    def crop(self, top: int, left: int, height: int, width: int) -> list[Pixels]:
        """(height, width, 3) of the clean side and, of a pair, of the degraded one."""
        return [self._crop(side, top, left, height, width) for side in self.entry.sides]

    def _whole(self, side: Side) -> Tensor:
        return torch.from_numpy(self._crop(side, 0, 0, *self.size).copy()).permute(2, 0, 1)

    def _crop(self, side: Side, top: int, left: int, height: int, width: int) -> Pixels:
        source = Source(self.folder, side.file, side.digest, *self.size, side.bits, side.place)
        try:
            return self.tiles.crop(source, top, left, height, width)
        except Unreadable as error:
            raise DataError(
                f"{source.path}: {error}. Repair or remove it, then start again: a run that has begun goes on without "
                "it with --photographs kept"
            ) from error


Picture = Photo | StoredPhoto


def full_scale(pixels: Pixels | Tensor) -> int:
    """The value of white: 255 or 65535."""
    return 255 if pixels.dtype in (np.uint8, torch.uint8) else 65535
