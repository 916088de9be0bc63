"""Beside: what a file holds beside the pixels that libvips reads: other pages, a gain map, the colours of its tags."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from nas.task.data.vips import VipsImage

_START = 1 << 18  # bytes of a file in which all that is before its pixels is looked for
_THUMBNAIL, _MASK, _SUBFILE = 1, 4, 254  # bits of a TIFF's tag of what a page is for
_GAIN_MAPS = (b"hdrgm:Version", b"urn:iso:std:iso:ts:21496")  # of Android, of ISO 21496-1
# In an AVIF or HEIC: an item that is a tone map (ISO 21496-1; boxes of version 2 or 3), or Apple's auxiliary picture.
_GAIN_ITEM = re.compile(rb"infe(.{8}|.{10})tmap|urn:com:apple:photo:20..:aux:hdrgainmap", re.DOTALL)
# Code points of ITU-T H.273. Those of standard video differ from sRGB by less than pictures of one camera do.
_SRGB, _DISPLAY_P3 = (1, 2, 5, 6, 7), 12  # primaries; 2: not stated
_DISPLAYED = (1, 2, 6, 13, 14, 15)  # transfer functions of values for a display, about as sRGB's
_HDR = {16: "PQ", 18: "HLG", 8: "linear light"}


@dataclass(frozen=True, slots=True)
class Colours:
    """What cICP in a PNG, or nclx in an AVIF, says of the values."""

    primaries: int
    transfer: int

    @property
    def are_srgb(self) -> bool:
        return self.primaries in _SRGB and self.transfer in _DISPLAYED

    @property
    def are_display_p3(self) -> bool:
        return self.primaries == _DISPLAY_P3 and self.transfer in _DISPLAYED

    def __str__(self) -> str:
        codes = f"primaries {self.primaries}, transfer {self.transfer}"
        return f"{_HDR[self.transfer]}, {codes}" if self.transfer in _HDR else codes


def colours_of(path: Path, loader: str) -> Colours | None:
    """None where the file says nothing, so that its profile counts, or sRGB is meant."""
    mark, pixels = {"pngload": (b"\0\0\0\x04cICP", b"IDAT"), "heifload": (b"colrnclx", b"mdat")}.get(loader, (b"", b""))
    if not mark:
        return None
    before = _start(path).partition(pixels)[0]
    found = before.find(mark)
    codes = before[found + len(mark) :][:4]
    if found < 0 or len(codes) < 4:
        return None
    return Colours(*struct.unpack(">HH", codes)) if loader == "heifload" else Colours(codes[0], codes[1])


def pages_of(picture: VipsImage, path: Path, loader: str) -> int:
    """How many pictures of full size are in a file: pages, or the images of an animation."""
    if loader == "pngload":
        before = _start(path).partition(b"IDAT")[0]
        _, mark, behind = before.partition(b"\0\0\0\x08acTL")
        return int.from_bytes(behind[:4], "big") if mark else 1
    pages = int(picture.get("n-pages")) if has(picture, "n-pages") else 1
    return _full_pages(path, pages) if loader == "tiffload" and pages > 1 else pages


def left_out(path: Path) -> str:
    """What a JPEG, AVIF or HEIC holds that its plain picture does not, for a sentence; empty where there is nothing."""
    start = _start(path)
    if start[4:8] == b"ftyp" and _GAIN_ITEM.search(start.partition(b"mdat")[0]):
        return "its gain map, which makes it HDR"
    if not start.startswith(b"\xff\xd8"):
        return ""
    if any(mark in start for mark in _GAIN_MAPS):
        return "its gain map, which makes it HDR"
    try:
        with Image.open(path, formats=("JPEG",)) as picture:
            others = int(getattr(picture, "n_frames", 1)) - 1
    except Exception:  # what Pillow does not know costs the sentence
        return ""
    return f"{others} other picture{'s' if others > 1 else ''} of the file" if others > 0 else ""


def has(picture: VipsImage, field: str) -> bool:
    """Whether a picture has a field of this name; pyvips fails to list fields where the name of one is no UTF-8."""
    return bool(picture.get_typeof(field))


def _full_pages(path: Path, pages: int) -> int:
    """Of a TIFF, without thumbnails and masks."""
    try:
        with Image.open(path, formats=("TIFF",)) as picture:
            kinds = []
            for page in range(pages):
                picture.seek(page)
                tags: Any = getattr(picture, "tag_v2", {})
                kinds.append(int(tags.get(_SUBFILE, 0)))
    except Exception:  # of a kind that Pillow does not know
        return pages
    return max(1, sum(not kind & (_THUMBNAIL | _MASK) for kind in kinds))


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START)
