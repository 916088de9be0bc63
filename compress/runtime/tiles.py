"""Tiles: an image of any size through a file of one size, with the result of the whole image at once.

Tiles overlap by a halo as wide as the network's receptive field, and only the part of a tile that saw all that it
needs is kept. What lies outside the image is its reflection (search_spaces.sides), so no pixel that is kept has seen
the convolutions' zero padding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil

import torch
from torch import Tensor

from compress.runtime.noise_level import REACH, Hold, Network, noise_level
from compress.runtime.runtimes import Runtime
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import STAGES, Genotype, Stage
from search_spaces.receptive import receptive_radius
from search_spaces.sides import STRIDE, is_grey, pad_to, padded_side, window

TILE = 640  # where the runtime takes any size, a tile has at most TILE x TILE pixels
_LOOKED = 64  # rows at a time, where it is asked whether a picture is grey
_PART, _PARTS = 256, 4  # pixels a side, and how many down and across at most, by which the noise of a picture is told
# For a file that says neither its rule nor its blueprint: the furthest that a network of three blocks a stage can see.
_DEEPEST = Blueprint.from_genotype(Genotype((Stage(depth=3),) * len(STAGES), stem="space-to-depth"))


@dataclass(frozen=True, slots=True)
class Rows:
    """An image that is read a few rows at a time, so that it need not be in memory whole."""

    height: int
    width: int
    read: Callable[[int, int], Tensor]  # first row and end -> (1, 3, end - first, width)

    def is_grey(self) -> bool:
        """Whether the three channels are equal in every pixel; of most photographs the first rows tell."""
        strips = (self.read(first, min(first + _LOOKED, self.height)) for first in range(0, self.height, _LOOKED))
        return all(is_grey(strip[0]) for strip in strips)


def enhance(
    runtime: Runtime,
    image: Tensor,
    on_tile: Callable[[int, int], None] | None = None,
    tile: int = TILE,
    hold: Hold | None = None,
) -> Tensor:
    """`runtime` applied to `image` (1, 3, H, W) of any size; the result has the same shape, type and order in memory.

    The image holds floats in [0, 1], or uint8 or uint16 over their whole range, which take less memory: they become
    floats tile by tile. `on_tile(done, all)` is called after each tile. A runtime that takes any size gets tiles of at
    most `tile` x `tile` pixels, a file of one size tiles of that size. An image of three equal channels stays so: each
    gets their mean. `hold` says how many times the noise of the image an update may be, of which as much is kept as
    that noise accounts for (noise_level.py); for that every tile is enhanced twice. Raises ValueError when tiles are
    too small for the network's receptive field, and where the file answers with what is no number, which would become
    black.
    """
    strips = enhance_rows(runtime, _rows_of(image), on_tile, tile, hold)
    return _together(strips, image)


def enhance_rows(
    runtime: Runtime,
    rows: Rows,
    on_tile: Callable[[int, int], None] | None = None,
    tile: int = TILE,
    hold: Hold | None = None,
) -> Iterator[Tensor]:
    """`enhance` for an image that is read in parts: the result from top to bottom, (1, 3, some rows, width) at a time.

    Memory is needed for a row of tiles, before and after, beside what the runtime needs for one.
    """
    radius = seen_by(runtime)
    network = _grey(_of_numbers(runtime)) if rows.is_grey() else _of_numbers(runtime)
    if hold and (level := noise_level(_parts(runtime, network, rows), hold.noise)) is not None:
        network = level.weighed(level.held(network, hold.times))
        if runtime.size is None or fits(radius + REACH, runtime.size, rows.height, rows.width):
            radius += REACH  # a tile without room for it has other windows at its border
    size = runtime.size or tile_size(rows.height, rows.width, radius, tile * tile)
    return strips_of(_on_values(network), rows, size, radius, on_tile)


def seen_by(runtime: Runtime) -> int:
    """How far, in pixels, an output pixel of a file sees; of one that does not say it, as far as any network can."""
    return receptive_radius(runtime.blueprint or _DEEPEST) if runtime.rule is None else runtime.rule.radius


def holds(runtime: Runtime, height: int, width: int) -> bool:
    """Whether `runtime` can enhance an image of so many pixels: a file of one size may be too small for its halo."""
    return runtime.size is None or fits(seen_by(runtime), runtime.size, height, width)


def fits(radius: int, size: tuple[int, int], height: int, width: int) -> bool:
    """Whether an image of so many pixels goes through tiles of `size` without a seam."""
    least = 2 * padded_side(radius)
    return all(length <= tile or tile > least for length, tile in zip((height, width), size, strict=True))


def in_tiles(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    size: tuple[int, int],
    radius: int,
    on_tile: Callable[[int, int], None] | None = None,
) -> Tensor:
    """`network` applied to `image` (B, 3, H, W) in tiles of `size` (height, width), multiples of 8.

    `radius` is how far, in pixels, an output pixel sees. Where a tile cannot hold it, an image that fits in one tile
    has as much of its reflection around it as there is room for; a larger one raises ValueError.
    """
    return _together(strips_of(network, _rows_of(image), size, radius, on_tile), image)


def strips_of(
    network: Callable[[Tensor], Tensor],
    rows: Rows,
    size: tuple[int, int],
    radius: int,
    on_tile: Callable[[int, int], None] | None = None,
) -> Iterator[Tensor]:
    """`in_tiles` for an image that is read in parts: what is kept of each row of tiles, from top to bottom."""
    (above, down), (beside, across) = (
        _spans(length, tile, padded_side(radius)) for length, tile in zip((rows.height, rows.width), size, strict=True)
    )
    held = min(size[0], rows.height)
    for row, (top, bottom) in enumerate(down):
        # As many rows as a tile has, inside the image: so what a tile has of its reflection is among them.
        first = min(max(0, top - above), rows.height - held)
        strip = rows.read(first, first + held)
        output = torch.empty_like(strip[..., : bottom - top, :])
        for column, (left, right) in enumerate(across, 1):
            tile = network(window(strip, (top - above - first, left - beside), size))
            output[..., left:right] = tile[..., above : above + bottom - top, beside : beside + right - left]
            if on_tile:
                on_tile(row * len(across) + column, len(down) * len(across))
        yield output


def tile_size(height: int, width: int, radius: int, pixels: int) -> tuple[int, int]:
    """Sides of equal tiles of at most `pixels` that cover an image of `height` x `width` with the fewest pixels in all.

    Where so few pixels cannot hold the receptive field, the smallest tiles that do.
    """
    halo = padded_side(radius)
    rows, columns = _equal_tiles(padded_side(height), halo), _equal_tiles(padded_side(width), halo)
    possible = [
        (count * other * high * wide, high, wide)
        for (count, high), (other, wide) in product(rows, columns)
        if high * wide <= pixels
    ]
    return min(possible)[1:] if possible else (rows[-1][1], columns[-1][1])


def fitted(image: Tensor, size: tuple[int, int] | None) -> Tensor:
    """The top left of `image` (B, 3, H, W) at exactly `size`, padded by reflection where it is shorter.

    Without a size: cropped to multiples of STRIDE, or padded to STRIDE.
    """
    height, width = size or (max(STRIDE, side // STRIDE * STRIDE) for side in image.shape[-2:])
    image = image[..., :height, :width]
    return pad_to(image, height, width)


def _of_numbers(runtime: Runtime) -> Callable[[Tensor], Tensor]:
    """`runtime`, held to numbers."""

    def run(tile: Tensor) -> Tensor:
        output = runtime(tile)
        if not output.isfinite().all():
            raise ValueError(
                f"the network gives NaN or infinite values in {runtime.name}: its weights are damaged, or it computes "
                "in a precision that does not hold them; make it again"
            )
        return output

    return run


def _grey(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`network` with the mean of its output's channels in each."""

    def run(tile: Tensor) -> Tensor:
        output = network(tile)
        return output.mean(dim=1, keepdim=True).expand_as(output)

    return run


def _parts(runtime: Runtime, network: Network, rows: Rows) -> Iterator[tuple[Tensor, Tensor]]:
    """Parts from all over an image, as they are and as `network`, the one of `runtime`, makes them."""
    radius = seen_by(runtime)
    halo = padded_side(radius)
    down, across = runtime.size or (_PART + 2 * halo, _PART + 2 * halo)
    for top, bottom in _evenly(rows.height, down - 2 * halo):
        strip = rows.read(top, bottom)
        for left, right in _evenly(rows.width, across - 2 * halo):
            image = _as_floats(strip[..., left:right])
            yield image, in_tiles(network, image, (down, across), radius)


def _evenly(length: int, part: int) -> list[tuple[int, int]]:
    """First and end of parts along one axis: as many as it takes to see all of it, and at most _PARTS.

    The whole of it where a tile has no room for a part, which only one that holds all of the image may be.
    """
    part = min(length, part) if part > 0 else length
    count = min(_PARTS, ceil(length / part))
    firsts = (round((length - part) * place / max(1, count - 1)) for place in range(count))
    return [(first, first + part) for first in firsts]


def _as_floats(image: Tensor) -> Tensor:
    """`image` in [0, 1], of floats, or of whole numbers over the range of their type."""
    return image if image.is_floating_point() else image.to(torch.float32) / torch.iinfo(image.dtype).max


def _rows_of(image: Tensor) -> Rows:
    return Rows(image.shape[-2], image.shape[-1], lambda first, end: image[..., first:end, :])


def _together(strips: Iterator[Tensor], image: Tensor) -> Tensor:
    """All strips as one image, of the shape, type and order in memory of `image`."""
    output, done = torch.empty_like(image), 0
    for strip in strips:
        output[..., done : done + strip.shape[-2], :] = strip
        done += strip.shape[-2]
    return output


def _on_values(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`network` for images of whole numbers over the range of their type too."""

    def run(tile: Tensor) -> Tensor:
        if tile.is_floating_point():
            return network(tile)
        levels = torch.iinfo(tile.dtype).max
        return (network(_as_floats(tile)).clamp(0, 1) * levels).round().to(tile.dtype)

    return run


def _equal_tiles(length: int, halo: int) -> list[tuple[int, int]]:
    """Ways to cut one axis into equal tiles: how many, and how long; the longest first."""
    shortest: dict[int, int] = {}  # tile of each count
    for kept in range(STRIDE, length + STRIDE, STRIDE):
        shortest.setdefault(-(-length // kept), kept + 2 * halo)
    return sorted(shortest.items())


def _spans(length: int, tile: int, halo: int) -> tuple[int, list[tuple[int, int]]]:
    """Along one axis: pixels of a tile before those that are kept of it, and their first and end in the image."""
    if tile <= 2 * halo:
        if length > tile:
            raise ValueError(
                f"tiles of {tile} pixels cannot hold the network's receptive field: an image side of {length} needs "
                f"tiles of at least {2 * halo + STRIDE} ({halo} on each side); export the file at such a size"
            )
        return (tile - padded_side(length)) // 2 // STRIDE * STRIDE, [(0, length)]
    kept = tile - 2 * halo
    return halo, [(first, min(first + kept, length)) for first in range(0, length, kept)]
