"""Photo: enhance picture files, upright and at their own depth, and write them as pictures.

Read as for training (nas.task.data.reading) and written by libvips, which keeps 16 bits a channel, ICC profiles and
EXIF (in TIFF files: exif.py). Large ones go through in strips, so that memory does not grow with them.
"""

import math
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from compress.runtime import exif
from compress.runtime.tiles import Rows
from nas.task.data import reading
from nas.task.data.beside import has, left_out
from nas.task.data.reading import ENDINGS, MOST_MEGAPIXELS, Unreadable, in_one_line
from nas.task.data.vips import VipsImage, vips
from results.files import written_whole

SUFFIXES = ENDINGS  # looked for
WRITTEN = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")  # and written
_WITHOUT_ALPHA = (".jpg", ".jpeg")
_QUALITY = 95  # of JPEG and WebP
_EXIF = "exif-data"
_KEPT = ("icc-profile-data", _EXIF, "xmp-data", "iptc-data")

STRIPS_ABOVE = 32  # megapixels, up to which a picture is in memory whole, before and after
DRAWN = 4096  # pixels a side, up to which a picture before and after is drawn as it is
_ZOOM = 3  # of the centre that is drawn below it

# Picture, uint8 or uint16, to its rows enhanced, from top to bottom: see tiles.enhance_rows.
Network = Callable[[Rows], Iterator[Tensor]]


def enhance_photo(
    network: Network,
    source: Path,
    target: Path,
    most_megapixels: float = MOST_MEGAPIXELS,
    say: Callable[[str], None] = warnings.warn,
) -> tuple[int, int]:
    """Write `source`, enhanced by `network`, to `target`; returns (height, width).

    The pixels are turned as EXIF says, so that the result stands upright everywhere. Depth (8 or 16 bits; JPEG and WebP
    hold 8), ICC profile and EXIF are kept; alpha is carried over untouched where the format has it. `target` has its
    name only once it is whole. A picture above STRIPS_ABOVE is decoded into a temporary file, and its result stands in
    another one, beside `target`, until it is encoded; one above `most_megapixels` is refused by its header. `say` is
    told what of `source` is not in `target`. Raises ValueError when `source` is no picture or `target` cannot be
    written.
    """
    if target.suffix.lower() not in WRITTEN:
        raise ValueError(f"cannot write {target}: {target.suffix or 'no suffix'}; use one of {', '.join(WRITTEN)}")
    picture = _opened(source, most_megapixels, say)
    if without := left_out(source):
        say(f"{source}: not in the result: {without}")
    keeps_alpha = target.suffix.lower() not in _WITHOUT_ALPHA
    large = picture.width * picture.height > STRIPS_ABOVE * 1e6
    enhanced = _strip_by_strip if large else _whole
    options = {} if target.suffix.lower() in (".png", *exif.TIFF) else {"Q": _QUALITY}
    with enhanced(network, picture, source, target, keeps_alpha) as result, written_whole(target) as temporary:
        try:
            _described(result, picture).write_to_file(str(temporary), **options)
        except vips().Error as error:
            raise ValueError(f"{target} cannot be written: {in_one_line(error)}") from error
        if target.suffix.lower() in exif.TIFF and has(picture, _EXIF):
            with _without_exif(source, say):
                exif.into_tiff(temporary, picture.get(_EXIF))
    return picture.height, picture.width


def plan_outputs(photos: Sequence[Path], output: Path, force: bool, skip: bool) -> list[tuple[Path, Path]]:
    """Which picture is written where: `photos` are files and folders of them, `output` a file for one, else a folder.

    Raises ValueError where nothing is found, where two results would have one name, and where a result is there
    already, unless `force` (overwrite it) or `skip` (leave it as it is).
    """
    found = list(_files(photos))
    if not found:
        raise ValueError(f"no pictures in {', '.join(map(str, photos))}; looked for {', '.join(SUFFIXES)}")
    if len(photos) == 1 and photos[0].is_file() and not output.is_dir():
        planned = [(found[0], output)]
    elif output.suffix and not output.is_dir():
        raise ValueError(f"{len(found)} pictures cannot all become {output}; give a folder to write them in")
    else:
        planned = [(source, output / _name(source)) for source in found]
    targets = [target for _, target in planned]
    there = [target for target in targets if target.exists()]
    themselves = {_identity(source) for source in found}
    for target, times in Counter(targets).items():
        if times > 1:
            raise ValueError(f"two pictures would be written to {target}; give their folders one at a time")
    for target in there:
        if _identity(target) in themselves:
            raise ValueError(f"{target} is one of the photographs themselves; write to another folder")
    if there and not force and not skip:
        raise ValueError(
            f"{there[0]} exists{f', and {len(there) - 1} more' if there[1:] else ''}; "
            "--force overwrites, --skip leaves what is there and does the rest"
        )
    return [(source, target) for source, target in planned if force or not target.exists()]


def draw_before_after(before: Path, after: Path, target: Path) -> None:
    """Write both pictures side by side, and below them the centre of each, enlarged three times.

    Pictures with a side above DRAWN are drawn smaller, and their centres as they are.
    """
    sides = [_drawn(path) for path in (before, after)]
    width, height = sides[0][0].size
    gap = 6
    sheet = Image.new("RGB", (2 * width + gap, 2 * height + gap), "white")
    for column, (picture, centre) in enumerate(sides):
        x = column * (width + gap)
        sheet.paste(picture, (x, 0))
        sheet.paste(centre.resize((width, height), Image.Resampling.NEAREST), (x, height + gap))
    with written_whole(target) as temporary:
        sheet.save(temporary, quality=_QUALITY)


def _files(photos: Sequence[Path]) -> Iterable[Path]:
    for path in photos:
        if path.is_dir():
            pictures = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            yield from sorted(file for file in pictures if not file.name.startswith("."))  # what a kill left behind
        elif path.is_file():
            yield path
        else:
            raise FileNotFoundError(f"{path} is not there; give a picture file, or a folder of them")


def _identity(path: Path) -> tuple[int, int]:
    """What the file is, by whatever name; see os.path.samestat."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _name(source: Path) -> str:
    return source.name if source.suffix.lower() in WRITTEN else f"{source.stem}.png"


def _opened(source: Path, most_megapixels: float, say: Callable[[str], None] = warnings.warn) -> VipsImage:
    """`source` upright, in three colours and perhaps alpha, with its EXIF."""
    try:
        picture = reading.opened(source, most_megapixels=most_megapixels)
    except Unreadable as error:
        raise ValueError(f"{source} {error}") from error
    if source.suffix.lower() in exif.TIFF:
        with _without_exif(source, say):
            picture = _with_exif(picture, exif.of_tiff(source))
    return picture


def _with_exif(picture: VipsImage, block: bytes) -> VipsImage:
    if not block:
        return picture
    picture = picture.copy()
    picture.set_type(vips().GValue.blob_type, _EXIF, block)
    return picture


@contextmanager
def _without_exif(source: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Damaged EXIF costs the EXIF, and not the photograph."""
    try:
        yield
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error) as error:
        say(f"{source}: its EXIF cannot be read and is left out: {error}")


def _pixels(picture: VipsImage, source: Path) -> reading.Pixels:
    """(H, W, 3 or 4), uint8 or uint16; here the file is decoded."""
    try:
        return reading.pixels_of(picture)
    except Unreadable as error:
        raise ValueError(f"{source} {error}") from error


@contextmanager
def _whole(network: Network, picture: VipsImage, source: Path, target: Path, keeps_alpha: bool) -> Iterator[VipsImage]:
    """`picture` enhanced, in memory."""
    pixels = _pixels(picture, source)
    enhanced = np.empty_like(pixels) if keeps_alpha else np.empty_like(pixels[..., :3])
    enhanced[..., 3:] = pixels[..., 3:][..., : enhanced.shape[-1] - 3]
    done = 0
    for strip in network(Rows(picture.height, picture.width, lambda first, end: _colours(pixels[first:end]))):
        enhanced[done : done + strip.shape[-2], :, :3] = strip[0].numpy().transpose(1, 2, 0)
        done += strip.shape[-2]
    interpretation = "rgb16" if pixels.dtype == np.uint16 else "srgb"
    yield vips().Image.new_from_array(enhanced, interpretation=interpretation).copy()


@contextmanager
def _strip_by_strip(
    network: Network, picture: VipsImage, source: Path, target: Path, keeps_alpha: bool
) -> Iterator[VipsImage]:
    """The same in a temporary TIFF beside `target`; libvips decodes a picture of this size into a file of its own."""

    def pixels(first: int, end: int) -> reading.Pixels:
        return _pixels(picture.crop(0, first, picture.width, end - first), source)

    bands = picture.bands if keeps_alpha else 3
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.stem}-", suffix=".tif") as file:
        file.write(exif.tiff_before((picture.height, picture.width, bands), 16 if picture.format == "ushort" else 8))
        done = 0
        for strip in network(Rows(picture.height, picture.width, lambda first, end: _colours(pixels(first, end)))):
            rows = strip[0].numpy().transpose(1, 2, 0)
            if bands > 3:
                rows = np.concatenate([rows, pixels(done, done + len(rows))[..., 3:]], axis=-1)
            file.write(np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).data)
            done += len(rows)
        file.flush()
        # A TIFF is read row by row; a file without a format would be mapped into memory whole.
        enhanced = vips().Image.tiffload(file.name, access="sequential")
        yield enhanced.copy(xres=1, yres=1)  # as of pixels; not those of a page


def _colours(pixels: reading.Pixels) -> Tensor:
    """(1, 3, H, W), a view of `pixels` (H, W, 3 or 4)."""
    return torch.from_numpy(pixels)[..., :3].permute(2, 0, 1)[None]


def _described(picture: VipsImage, source: VipsImage) -> VipsImage:
    """`picture` with the metadata of `source`."""
    try:
        fields = source.get_fields()
    except UnicodeDecodeError:  # a comment of a PNG has a name in another encoding; the block of EXIF holds the rest
        fields = [field for field in _KEPT if has(source, field)]
    for field in fields:
        if field in _KEPT or field.startswith("exif-ifd"):
            picture.set_type(source.get_typeof(field), field, source.get(field))
    picture.set_type(vips().GValue.gint_type, "orientation", 1)  # the block of EXIF still has the old one
    return picture


def _drawn(path: Path) -> tuple[Image.Image, Image.Image]:
    """A picture, its sides at most DRAWN, and the centre of the picture as it is, a third of the drawn sides long."""
    picture = _opened(path, math.inf).colourspace("srgb")
    is_large = max(picture.width, picture.height) > DRAWN
    drawn = picture.thumbnail_image(DRAWN, height=DRAWN) if is_large else picture
    wide, high = drawn.width // _ZOOM, drawn.height // _ZOOM
    centre = picture.crop((picture.width - wide) // 2, (picture.height - high) // 2, wide, high)
    return _in_eight_bits(drawn, path), _in_eight_bits(centre, path)


def _in_eight_bits(picture: VipsImage, path: Path) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(_pixels(picture, path)[..., :3]))
