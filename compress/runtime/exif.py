"""EXIF in TIFF files, which libvips neither reads nor writes there; Pillow reads and writes what is in a directory.

And a TIFF of pixels that are written one after the other, which libvips does not write.
"""

import struct
from pathlib import Path
from typing import Any

from PIL import Image, TiffTags
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2

TIFF = (".tif", ".tiff")
_HEADER = b"II*\0\x08\0\0\0"  # the directory comes next
_ABOUT: tuple[int, ...] = (  # tags of the first directory on the photograph; the others are about the file
    *(Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist, Base.Copyright),
)
_INNER: tuple[int, ...] = (IFD.Exif, IFD.GPSInfo)  # tags whose value is a directory
_BIG = (b"II\x2b\0", b"MM\0\x2b")  # how a BigTIFF begins; its header has 16 bytes and not 8


def of_tiff(path: Path) -> bytes:
    """EXIF of a TIFF as the block that JPEG, PNG and WebP hold; empty where it has none.

    Of damaged EXIF Pillow leaves out what it cannot read, or raises SyntaxError, ValueError, KeyError, struct.error.
    """
    found = Image.Exif()
    with path.open("rb") as file:
        header = file.read(8)
        if not header.startswith((b"II", b"MM")):
            return b""  # another kind of picture by the name of TIFF
        header += file.read(8) if header.startswith(_BIG) else b""

        def directory(where: int) -> Any:
            read = ImageFileDirectory_v2(header)
            file.seek(where)
            read.load(file)
            return read

        first = directory(ImageFileDirectory_v2(header).next)
        found.update({tag: first[tag] for tag in _ABOUT if tag in first})
        for tag in _INNER:
            if tag in first:
                found[tag] = dict(directory(first[tag]))
    return found.tobytes() if len(found) else b""


def into_tiff(path: Path, block: bytes) -> None:
    """Add the EXIF of `block`, see `of_tiff`, to a TIFF with one picture, of less than 4 GiB.

    Its directory is written again at the end of the file, longer, and the header then points there.
    """
    given = Image.Exif()
    given.load(block)
    with path.open("r+b") as file:
        header = file.read(8)
        order = "<" if header.startswith(b"II") else ">"
        (where,) = struct.unpack(f"{order}L", header[4:])
        file.seek(where)
        present = _entries(file.read(), order)
        added = ImageFileDirectory_v2(header)
        for tag in _ABOUT:
            if tag in given:
                added[tag] = given[tag]
        for tag in _INNER:
            values = {inner: value for inner, value in given.get_ifd(tag).items() if inner != IFD.Interop}
            if values:
                added[tag] = values
        file.write(bytes(file.tell() % 2))  # a directory begins at an even place
        written = added.tobytes(file.tell())
        file.write(written + bytes(len(written) % 2))
        place = file.tell()
        entries = sorted((present | _entries(written, order)).items())
        file.write(struct.pack(f"{order}H", len(entries)) + b"".join(entry for _, entry in entries) + bytes(4))
        file.seek(4)
        file.write(struct.pack(f"{order}L", place))


def tiff_before(shape: tuple[int, int, int], bits: int) -> bytes:
    """What makes a TIFF of the plain pixels that are written behind it, first byte first.

    `shape` is height, width and 3 or 4 channels. Raises ValueError above 4 GiB, which no TIFF has.
    """
    height, width, channels = shape
    row = width * channels * bits // 8
    if height * row + 16 * height + 1024 >= 1 << 32:
        raise ValueError(
            f"{height}x{width} pixels need more than 4 GiB, and a result stands in a TIFF until it is written"
        )
    directory = ImageFileDirectory_v2(_HEADER)
    directory.tagtype[273] = directory.tagtype[279] = TiffTags.LONG
    directory[256], directory[257], directory[258] = width, height, (bits,) * channels
    directory[259], directory[262] = 1, 2  # plain, RGB
    directory[273] = tuple(number * row for number in range(height))  # a strip a row; Pillow counts from its own end
    directory[277], directory[278], directory[279] = channels, 1, (row,) * height
    if channels > 3:
        directory[338] = 2  # alpha that colours are not multiplied by
    return _HEADER + directory.tobytes(len(_HEADER))


def _entries(directory: bytes, order: str) -> dict[int, bytes]:
    """The 12 bytes of every entry of a directory, by tag; places in them count from the start of the file."""
    (count,) = struct.unpack_from(f"{order}H", directory)
    entries = [directory[2 + 12 * number :][:12] for number in range(count)]
    return {struct.unpack_from(f"{order}H", entry)[0]: entry for entry in entries}
