"""Reading: one reader of pictures for training, evaluation and enhancing: upright, at their own depth, by libvips.

Values are as the file holds them, in the colours of its own profile; CMYK alone is converted. Where EXIF and XMP state
an orientation, EXIF's counts. Of a JPEG the plain picture is read, as before there were gain maps.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.task.data.beside import colours_of, has, pages_of
from nas.task.data.vips import VipsImage, vips

_HEIC = (".heic", ".heif")  # read where libvips has a decoder of HEVC, which the wheel has not
ENDINGS = (".png", ".jpg", ".jpeg", ".mpo", ".bmp", ".tif", ".tiff", ".webp", ".avif", *_HEIC)
FOREIGN = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf")  # pictures, but not read
MOST_MEGAPIXELS = 400  # of a picture, by its header: what a damaged or hostile one may claim is never allocated
MOST_PIXELS = 65_535  # of a side, as a JPEG may have: a strip of longer rows would be many megapixels
WHITE = 255

_LOADERS = ("jpegload", "pngload", "tiffload", "webpload", "heifload")
_ORIENTATION = "orientation"  # libvips' own field, from EXIF
_XMP, _XMP_ORIENTATION = "xmp-data", re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")
_EXIF_TEXT = "Raw profile type exif"  # of a PNG by older tools
_EXIF_ORIENTATION = 0x0112
_PIXELS = ((273, 279), (324, 325))  # tags of a TIFF: where strips or tiles begin, and their bytes
_PHOTOMETRIC, _COMPRESSION, _YCBCR, _JPEG = 262, 259, 6, (6, 7)  # of a TIFF

Pixels = NDArray[np.uint8 | np.uint16]


class Unreadable(ValueError):
    """A picture that cannot be read; the message says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a picture before it is decoded."""

    height: int
    width: int
    bits: int  # of a channel: 8 or 16


def header_of(path: Path) -> Header:
    """Of the picture file `path`; raises Unreadable."""
    picture = opened(path, sequential=True)
    return Header(picture.height, picture.width, 16 if picture.format == "ushort" else 8)


def opened(path: Path, sequential: bool = False, most_megapixels: float = MOST_MEGAPIXELS) -> VipsImage:
    """The picture in `path`, upright, in three colours and perhaps alpha, of 8 or 16 bits; not decoded yet.

    `sequential`: it will be read once, from top to bottom. Raises Unreadable, for pictures above `most_megapixels` or
    with a side above MOST_PIXELS and for kinds that would come out wrong too; what is wrong behind the header shows
    when the pixels are asked for.
    """
    if not path.is_file():  # a FIFO would wait for ever
        raise Unreadable("is no file" if path.exists() else "is not there")
    try:
        return _opened(path, sequential, most_megapixels)
    except vips().Error as error:  # of a picture whose header speaks against itself
        raise Unreadable(f"cannot be read as a picture ({in_one_line(error)})") from error


def without_alpha(picture: VipsImage) -> VipsImage:
    """Three colours; transparent parts become white."""
    if picture.bands <= 3:
        return picture
    white = 65535 if picture.format == "ushort" else WHITE
    return picture.flatten(background=[white] * 3, max_alpha=white).cast(picture.format)


def pixels_of(picture: VipsImage) -> Pixels:
    """(H, W, 3 or 4), uint8 or uint16; here the file is decoded. Raises Unreadable."""
    try:
        pixels: Pixels = picture.numpy()
    except vips().Error as error:
        raise Unreadable(f"cannot be read whole ({in_one_line(error)})") from error
    return pixels


def strips(path: Path, rows: int) -> Iterator[Pixels]:
    """The colours of `path` from top to bottom, (at most `rows`, W, 3) at a time. Raises Unreadable."""
    picture = without_alpha(opened(path, sequential=True))
    region = vips().Region.new(picture)
    for top in range(0, picture.height, rows):
        height = min(rows, picture.height - top)
        try:
            fetched = region.fetch(0, top, picture.width, height)
        except vips().Error as error:
            raise Unreadable(f"cannot be read whole ({in_one_line(error)})") from error
        values: Pixels = np.frombuffer(fetched, np.uint16 if picture.format == "ushort" else np.uint8)
        yield values.reshape(height, picture.width, 3)


def is_whole(start: bytes, end: bytes) -> bool:
    """Whether a file that begins with `start` and ends with `end` is not cut off, as far as that shows."""
    if start.startswith(b"\xff\xd8"):  # the thumbnail has an end of its own, so that behind the last scan counts
        return end.rfind(b"\xff\xd9") > end.rfind(b"\xff\xda")
    if start.startswith(b"\x89PNG"):
        return b"IEND" in end
    return True


def in_one_line(error: Exception) -> str:
    """What libvips says, which takes several lines."""
    return "; ".join(line.strip() for line in str(error).splitlines()[1:] if line.strip()) or str(error)


def _opened(path: Path, sequential: bool, most_megapixels: float) -> VipsImage:
    picture = _bitmap(path) if _begins(path, b"BM") else _loaded(path, sequential)
    _require_size(picture.width, picture.height, most_megapixels)
    if picture.format not in ("uchar", "ushort"):
        raise Unreadable(f"holds {_words(picture.format)} values of unknown range; save it with 8 or 16 bits a channel")
    picture = _in_tagged_colours(picture, path)
    picture = _upright(picture, _orientation(picture, path), sequential)
    if picture.interpretation == "cmyk":
        picture = picture.icc_transform("srgb", embedded=True)
    if picture.interpretation in ("lab", "labs", "labq", "xyz", "yxy", "lch", "cmc", "hsv", "scrgb"):
        raise Unreadable(f"holds {picture.interpretation} colours; save it in RGB")
    if picture.bands < 3:  # grey; its profile does not suit three colours
        picture = picture.copy()
        picture.remove("icc-profile-data")
    channels = picture.bands
    if channels <= 4:
        picture = picture.colourspace("rgb16" if picture.format == "ushort" else "srgb")
    if picture.bands > 4:  # or grey with more than alpha beside it, which becomes three colours
        raise Unreadable(f"has {channels} channels; save it in RGB")
    return picture


def _loaded(path: Path, sequential: bool) -> VipsImage:
    access = "sequential" if sequential else "random"
    try:
        # Read anew: libvips would give a file of this name that it read before, whatever is in it now.
        picture = vips().Image.new_from_file(str(path), fail_on="truncated", access=access, revalidate=True)
        if picture.get("vips-loader") == "uhdrload":  # a JPEG with a gain map
            picture = vips().Image.jpegload(str(path), fail_on="truncated", access=access, revalidate=True)
        if path.suffix.lower() in _HEIC:  # that there is no decoder shows behind the header only
            vips().Image.new_from_file(str(path), revalidate=True).crop(0, 0, 1, 1).avg()
    except vips().Error as error:
        convert = "; convert it to .jpg or .png" if path.suffix.lower() in _HEIC else ""
        raise Unreadable(f"cannot be read as a picture ({in_one_line(error)}){convert}") from error
    loader = picture.get("vips-loader")
    if loader not in _LOADERS:  # SVG by the name of a PNG
        raise Unreadable(f"is read by {loader} and no photograph; convert it to .png or .jpg")
    if loader == "tiffload":
        _require_good_tiff(path)
    if (pages := pages_of(picture, path, loader)) > 1:
        raise Unreadable(f"holds {pages} pictures, pages or an animation; save the one that is meant by itself")
    return picture


def _require_size(width: int, height: int, most_megapixels: float) -> None:
    """Raises Unreadable for a picture that would take too much memory, by its header."""
    if width * height > most_megapixels * 1e6:
        raise Unreadable(f"has {width * height / 1e6:,.0f} megapixels, and at most {most_megapixels:g} are read")
    if max(width, height) > MOST_PIXELS:
        raise Unreadable(f"has sides of {width:,} and {height:,} pixels, and at most {MOST_PIXELS:,} are read")


def _in_tagged_colours(picture: VipsImage, path: Path) -> VipsImage:
    """With a profile that says what the tags of a PNG or AVIF say, which other kinds of files do not have."""
    loader = picture.get("vips-loader") if has(picture, "vips-loader") else ""
    colours = colours_of(path, loader)
    if colours is None or colours.are_srgb:
        return picture
    if not colours.are_display_p3:
        raise Unreadable(f"is tagged with colours that are not read ({colours}); save it in sRGB or Display P3")
    if not has(picture, "icc-profile-data"):
        picture = picture.copy()
        picture.set_type(vips().GValue.blob_type, "icc-profile-data", vips().Operation.call("profile_load", "p3"))
    return picture


def _bitmap(path: Path) -> VipsImage:
    """A BMP, which libvips reads through ImageMagick only."""
    try:
        with Image.open(path, formats=("BMP",)) as bitmap:
            _require_size(bitmap.width, bitmap.height, MOST_MEGAPIXELS)
            return vips().Image.new_from_array(np.array(bitmap.convert("RGB")), interpretation="srgb")
    except Unreadable:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more
        raise Unreadable(f"cannot be read as a picture ({error})") from error


def _orientation(picture: VipsImage, path: Path) -> int:
    """1 to 8, as in EXIF."""
    if has(picture, _ORIENTATION):
        return int(picture.get(_ORIENTATION))
    is_png = has(picture, "vips-loader") and picture.get("vips-loader") == "pngload"
    if is_png and (stated := _text_orientation(path)):
        return stated
    if has(picture, _XMP) and (found := _XMP_ORIENTATION.search(bytes(picture.get(_XMP)))):
        return int(found[2])
    return 1


def _text_orientation(path: Path) -> int:
    """0 where no text chunk of the PNG holds EXIF."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            text = picture.info.get(_EXIF_TEXT)
            if text is None:
                return 0
            block = bytes.fromhex("".join(text.split("\n")[3:]))
            found: Any = Image.Exif()
            found.load(block)
            return int(found.get(_EXIF_ORIENTATION, 0))
    except Exception:  # damaged EXIF costs the EXIF
        return 0


def _upright(picture: VipsImage, orientation: int, sequential: bool) -> VipsImage:
    """Turned as `orientation` says, and marked so in EXIF and XMP."""
    if orientation != 1:
        if sequential:  # another order of pixels than the file's
            picture = _decoded(picture)
        picture = picture.copy()
        picture.set_type(vips().GValue.gint_type, _ORIENTATION, orientation)
        picture = picture.autorot()
    if has(picture, _XMP) and _XMP_ORIENTATION.search(before := bytes(picture.get(_XMP))):
        picture = picture.copy()
        picture.set_type(vips().GValue.blob_type, _XMP, _XMP_ORIENTATION.sub(rb"\g<1>1", before))
    return picture


def _decoded(picture: VipsImage) -> VipsImage:
    """A copy in memory, or of a large one in a temporary file of libvips, which goes with it. Raises Unreadable."""
    try:
        if picture.width * picture.height < 1e7:
            return picture.copy_memory()
        copy = vips().Image.new_temp_file("%s.v")
        picture.write(copy)
    except vips().Error as error:
        raise Unreadable(f"cannot be read whole ({in_one_line(error)})") from error
    return copy


def _require_good_tiff(path: Path) -> None:
    """Raises Unreadable for what libvips reads without a word: YCbCr as RGB, and as black what is cut off."""
    try:
        with Image.open(path, formats=("TIFF",)) as picture:
            tags: Any = getattr(picture, "tag_v2", {})
            ycbcr = tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_COMPRESSION) not in _JPEG
            ends = [
                at + count for places, counts in _PIXELS for at, count in _pairs(tags.get(places), tags.get(counts))
            ]
    except Exception:  # what Pillow does not know is no TIFF of these kinds
        return
    if ycbcr:
        raise Unreadable("holds YCbCr values without JPEG compression; save it in RGB")
    if max(ends, default=0) > path.stat().st_size:
        raise Unreadable(f"is cut off: it has {path.stat().st_size:,} bytes, and its pixels end at {max(ends):,}")


def _pairs(places: Any, counts: Any) -> list[tuple[int, int]]:
    """Of a tag that holds one number, or several, and another one like it."""
    one, other = (
        value if isinstance(value, tuple) else () if value is None else (value,) for value in (places, counts)
    )
    return list(zip(one, other, strict=False))


def _begins(path: Path, with_bytes: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(with_bytes)) == with_bytes
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from error


def _words(format: str) -> str:
    return {"float": "floating-point", "double": "floating-point", "short": "signed", "int": "signed"}.get(
        format, format
    )
