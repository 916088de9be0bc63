"""Tiles: decoded photographs as memory-mapped squares in a cache on disk, so that a crop costs no more than its pixels.

A file is decoded when a crop of it is first asked for, a strip at a time. Its tiles are named by the digest of the
file's bytes, so all runs and workers share them. Beyond the cache's size those that were used longest ago go.
"""

import mmap
import os
import resource
import shutil
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.task.data import reading
from nas.task.data.arrays import array_strips, blocks_of, is_array
from nas.task.data.facts import digest_of
from nas.task.data.reading import Pixels, Unreadable
from nas.task.data.source import SIDE, Source
from results.files import written_whole

DEFAULT_BYTES = 16 * 10**9
_OPEN = 256  # files that are mapped at a time, at most, since each map holds a file descriptor
_SHARE = 4  # one of so many file descriptors that a process may have
_MAPPED = 10**9  # bytes that are mapped at a time, at most
_FREE = 0.5  # share of the free disk that is taken at most
_FILLED = 0.9  # of the limit, down to which is cleared
_USED_AGAIN = 60  # seconds, below which the time of use is not written down again
_LEFT_BEHIND = 3600  # seconds after which an unfinished file is no longer being written


class Tiles:
    """The cache in `folder`, of at most `limit` bytes; also other arrays that take long to make."""

    def __init__(self, folder: Path, limit: int = DEFAULT_BYTES) -> None:
        if limit < 0:
            raise ValueError(f"limit = {limit}: a cache cannot hold fewer than 0 bytes")
        self.folder, self.limit = folder, limit
        self._open: OrderedDict[str, NDArray[Any]] = OrderedDict()
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most_open = _OPEN if allowed < 0 else max(min(_OPEN, allowed // _SHARE), 1)
        self._mapped_bytes = 0
        self._held: int | None = None  # bytes in the folder, as far as this process knows
        self._most = 0  # bytes that may be there

    def __reduce__(self) -> tuple[type["Tiles"], tuple[Path, int]]:
        return Tiles, (self.folder, self.limit)  # what is open here is not open in a worker

    def crop(self, source: Source, top: int, left: int, height: int, width: int) -> Pixels:
        """(height, width, 3) of a picture; raises Unreadable where its file is damaged, gone or another one."""
        tiles = self._mapped(source)
        if tiles is None:
            return _cut(_strips(source), top, left, height, width)
        row, column = top // SIDE, left // SIDE
        if (top + height - 1) // SIDE == row and (left + width - 1) // SIDE == column:  # most patches lie in one tile
            tile: Pixels = tiles[row, column]
            return tile[top - row * SIDE :, left - column * SIDE :][:height, :width]
        crop = np.empty((height, width, 3), tiles.dtype)
        for row in range(top // SIDE, (top + height - 1) // SIDE + 1):
            low, high = max(top, row * SIDE), min(top + height, (row + 1) * SIDE)
            for column in range(left // SIDE, (left + width - 1) // SIDE + 1):
                begin, end = max(left, column * SIDE), min(left + width, (column + 1) * SIDE)
                tile = tiles[row, column]
                part = tile[low - row * SIDE : high - row * SIDE, begin - column * SIDE : end - column * SIDE]
                crop[low - top : high - top, begin - left : end - left] = part
        return crop

    def array(self, name: str) -> NDArray[Any] | None:
        """What `keep` kept under a name; None where there is none any more."""
        try:
            with (self.folder / f"{name}.npy").open("rb") as file:
                kept: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return kept

    def keep(self, name: str, array: NDArray[Any]) -> None:
        """Keep an array, where there is room for it."""
        if not self._has_room(array.nbytes):
            return
        try:
            with written_whole(self.folder / f"{name}.npy") as temporary:
                np.save(temporary, array)
        except OSError:  # a full disk costs time and nothing else
            self._held = None

    def describe(self, needed: int) -> str:
        """For the log line; `needed` bytes are all that may be asked for."""
        room = self._room()
        says = f"cache of at most {_size(room)} in {self.folder}"
        if needed > room:
            says += f"; all photographs need {_size(needed)} there: with less, some are decoded again and again"
        return says

    def _mapped(self, source: Source) -> NDArray[Any] | None:
        """(rows, columns, SIDE, SIDE, 3) of a picture; None where there is no room for it."""
        if (known := self._open.get(source.name)) is not None:
            self._open.move_to_end(source.name)
            return known
        tiles = self._map(source)
        if tiles is None and self._fill(source):
            tiles = self._map(source)
        if tiles is not None:
            self._open[source.name] = tiles
            self._mapped_bytes += tiles.nbytes
            while len(self._open) > self._most_open or (self._mapped_bytes > _MAPPED and len(self._open) > 1):
                self._mapped_bytes -= self._open.popitem(last=False)[1].nbytes
        return tiles

    def _map(self, source: Source) -> NDArray[Any] | None:
        """The tiles that are there; None where there are none, or no whole ones."""
        try:
            with (self.folder / f"{source.name}.tiles").open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                if time.time() - os.fstat(file.fileno()).st_mtime > _USED_AGAIN:
                    os.utime(file.fileno())
        except (OSError, ValueError):
            return None
        if len(mapped) != source.bytes:
            return None
        shape = (-(-source.height // SIDE), -(-source.width // SIDE), SIDE, SIDE, 3)
        return np.frombuffer(mapped, np.uint8 if source.bits == 8 else np.uint16).reshape(shape)

    def _fill(self, source: Source) -> bool:
        """Decode a picture into its tiles; False where there is no room."""
        if not self._has_room(source.bytes):
            return False
        _require_unchanged(source)
        try:
            if source.place is None:
                self._write(source.name, _strips(source))
                return True
            for place, block in enumerate(blocks_of(source.path)):  # a .mat file can only be read whole
                if self._has_room(source.bytes):
                    self._write(f"{source.digest}-{place}", [block])
            return (self.folder / f"{source.name}.tiles").exists()
        except OSError:  # as above
            self._held = None
            return False

    def _write(self, name: str, strips: Iterable[Pixels]) -> None:
        with written_whole(self.folder / f"{name}.tiles") as temporary, temporary.open("wb") as file:
            for strip in strips:
                height, width = strip.shape[:2]
                columns = -(-width // SIDE)
                padded = np.zeros((SIDE, columns * SIDE, 3), strip.dtype)
                padded[:height, :width] = strip
                file.write(padded.reshape(SIDE, columns, SIDE, 3).swapaxes(0, 1).tobytes())

    def _has_room(self, needed: int) -> bool:
        """Whether `needed` more bytes may be written, after those used longest ago have gone; counts them if so."""
        if self._held is None or self._held + needed > self._most:
            self._most = self._room()
            if needed > self._most:
                return False
            self._held = self._clear(min(self._most - needed, int(_FILLED * self._most)))
        self._held += needed
        return True

    def _room(self) -> int:
        """Bytes that the cache may take: its limit, and no more than half of what the disk would have without it."""
        there = self.folder
        while not there.exists():
            there = there.parent
        return min(self.limit, int(_FREE * (shutil.disk_usage(there).free + sum(size for _, size, _ in self._files()))))

    def _clear(self, most: int) -> int:
        """Remove what was used longest ago until at most `most` bytes are left, and say how many are."""
        files = sorted(self._files())
        held = sum(size for _, size, _ in files)
        for used, size, path in files:
            if time.time() - used < _LEFT_BEHIND if path.name[0] == "." else held <= most:
                continue
            path.unlink(missing_ok=True)
            held -= size
        return held

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith((".tiles", ".npy")):
                    try:
                        status = entry.stat()
                    except FileNotFoundError:
                        continue
                    yield status.st_mtime, status.st_size, Path(entry.path)


def default_folder() -> Path:
    """LPIENAS_CACHE, or `lpienas` in the user's cache folder."""
    if stated := os.environ.get("LPIENAS_CACHE"):
        return Path(stated)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lpienas"


def _strips(source: Source) -> Iterator[Pixels]:
    if source.place is not None:
        return iter([blocks_of(source.path)[source.place]])
    return array_strips(source.path, SIDE) if is_array(source.path) else reading.strips(source.path, SIDE)


def _cut(strips: Iterable[Pixels], top: int, left: int, height: int, width: int) -> Pixels:
    """A crop of a picture that is decoded from its top."""
    parts, at = [], 0
    for strip in strips:
        parts.append(strip[max(top - at, 0) : max(top + height - at, 0), left : left + width].copy())
        at += len(strip)
        if at >= top + height:
            break
    crop: Pixels = np.concatenate(parts)
    return crop


def _require_unchanged(source: Source) -> None:
    try:
        if digest_of(source.path) == source.digest:
            return
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from error
    raise Unreadable("has changed since the photographs were listed")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
