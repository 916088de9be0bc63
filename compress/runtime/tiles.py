"""Tiles: an image of any size through a file of one size, with the result of the whole image at once.

Tiles overlap by a halo as wide as the network's receptive field, and only the part of a tile that saw all that it
needs is kept. Tiles at the border end where the padded image ends, so the convolutions' zero padding acts there just
as it does for the whole image.
"""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from compress.runtime.runtimes import Runtime
from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import STAGES, Genotype, Stage
from search_spaces.sides import STRIDE, pad_to, padded_side
from search_spaces.wiring import HEAD, sites

TILE = 640  # where the runtime takes any size, a tile has at most TILE x TILE pixels
# For a file that does not name its blueprint: the furthest that a network of three blocks a stage can see.
_DEEPEST = Blueprint.from_genotype(Genotype((Stage(depth=3),) * len(STAGES), stem="space-to-depth"))


def enhance(
    runtime: Runtime, image: Tensor, on_tile: Callable[[int, int], None] | None = None, tile: int = TILE
) -> Tensor:
    """`runtime` applied to `image` (1, 3, H, W) of any size; the result has the same shape, type and order in memory.

    The image holds floats in [0, 1], or uint8 or uint16 over their whole range, which take less memory: they become
    floats tile by tile. `on_tile(done, all)` is called after each tile. A runtime that takes any size gets tiles of at
    most `tile` x `tile` pixels; a file of one size runs in tiles of that size, and a side shorter than it is padded by
    reflection. Raises ValueError when the tiles are too small for the network's receptive field.
    """
    network = runtime if image.is_floating_point() else _on_levels(runtime, torch.iinfo(image.dtype).max)
    radius = receptive_radius(seen_by(runtime))
    size = runtime.size or tile_size(image.shape[-2], image.shape[-1], radius, tile * tile)
    return in_tiles(network, image, size, radius, on_tile)


def seen_by(runtime: Runtime) -> Blueprint:
    """The blueprint of a file; of one that does not name its own the deepest that there is."""
    return runtime.blueprint or _DEEPEST


def holds(runtime: Runtime, height: int, width: int) -> bool:
    """Whether `runtime` can enhance an image of so many pixels: a file of one size may be too small for its halo."""
    return runtime.size is None or fits(seen_by(runtime), runtime.size, height, width)


def fits(blueprint: Blueprint, size: tuple[int, int], height: int, width: int) -> bool:
    """Whether an image of so many pixels goes through tiles of `size` without a seam."""
    least = 2 * padded_side(receptive_radius(blueprint))
    return all(length <= tile or tile > least for length, tile in zip((height, width), size, strict=True))


def in_tiles(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    size: tuple[int, int],
    radius: int,
    on_tile: Callable[[int, int], None] | None = None,
) -> Tensor:
    """`network` applied to `image` (B, 3, H, W) in tiles of `size` (height, width), multiples of 8.

    `radius` is how far, in pixels, an output pixel sees. Raises ValueError when a tile cannot hold it.
    """
    height, width = image.shape[-2:]
    rows = _spans(max(size[0], padded_side(height)), size[0], radius)
    columns = _spans(max(size[1], padded_side(width)), size[1], radius)
    output = torch.empty_like(image)
    for number, ((top, first_row, end_row), (left, first_column, end_column)) in enumerate(product(rows, columns), 1):
        # A tile that is padded holds the last pixels of the image, so it is padded as the whole image would be.
        tile = network(pad_to(image[..., top : top + size[0], left : left + size[1]], *size))
        end_row, end_column = min(end_row, height), min(end_column, width)
        kept = tile[..., first_row - top : end_row - top, first_column - left : end_column - left]
        output[..., first_row:end_row, first_column:end_column] = kept
        if on_tile:
            on_tile(number, len(rows) * len(columns))
    return output


def tile_size(height: int, width: int, radius: int, pixels: int) -> tuple[int, int]:
    """Sides of equal tiles of at most `pixels` that cover an image of `height` x `width` with the fewest pixels in all.

    Where so few pixels cannot hold the receptive field, the smallest tiles that do.
    """
    rows, columns = _equal_tiles(padded_side(height), radius), _equal_tiles(padded_side(width), radius)
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


def receptive_radius(blueprint: Blueprint) -> int:
    """How many pixels, at most, lie between a block of output pixels and an input pixel that can change it, per axis.

    Blocks are of STRIDE x STRIDE pixels and begin at multiples of STRIDE, as what is kept of a tile does: a single
    pixel sees further to one side or the other, by where it lies in its block.
    """
    # The first row that the block at row 0 sees of each map, stage by stage; by symmetry it is as far at the other end.
    gate = 6 if blueprint.head == "gated" else 0  # 7x7, 5x5, 3x3, always on pixels
    first = {HEAD: -gate // blueprint.cell}
    for site in reversed(tuple(sites(blueprint))):
        row = first[site.name] - (1 if site.plan is None else _stage_radius(site.plan, site.entry, blueprint))
        if site.level > 1 and site.name.startswith("encoder"):
            row *= 2  # pooled, or a convolution of stride 2
        if site.doubles and site.skip is not None:
            first[site.skip] = min(row, first.get(site.skip, 0))
            row = (row - 1) // 2 if blueprint.upsampling == "bilinear" else row // 2  # an even row reads the one before
        source = site.source or site.skip
        if source is not None:
            first[source] = min(row, first.get(source, 0))
    return -blueprint.cell * row


def _on_levels(runtime: Runtime, levels: int) -> Callable[[Tensor], Tensor]:
    """`runtime` for images of whole numbers from 0 to `levels`."""

    def run(tile: Tensor) -> Tensor:
        output = runtime(tile.to(torch.float32) / levels)
        return (output.clamp(0, 1) * levels).round().to(tile.dtype)

    return run


def _stage_radius(stage: StageBlueprint, entry: int, whole: Blueprint) -> int:
    """Convolutions in a row, each by half of its side: the stage's own, those of blocks, the spatial attention's."""
    block = 2 if whole.block == "plain" else whole.kernel // 2  # two of 3x3, or the depthwise one
    return (entry == 3) + block * len(stage.blocks) + (stage.attention in ("spatial", "both"))


def _equal_tiles(length: int, radius: int) -> list[tuple[int, int]]:
    """Ways to cut one axis into equal tiles: how many, and how long; the longest first."""
    halo = padded_side(radius)
    shortest: dict[int, int] = {}  # tile of each count
    for tile in range(2 * halo + STRIDE, length, STRIDE):
        shortest.setdefault(-(-(length - 2 * halo) // (tile - 2 * halo)), tile)
    return [(1, length), *sorted(shortest.items())]


def _spans(length: int, tile: int, radius: int) -> list[tuple[int, int, int]]:
    """Tiles along one axis: start of the tile, and first and end of the pixels that are kept of it."""
    halo = padded_side(radius)
    if length > tile and tile <= 2 * halo:
        raise ValueError(
            f"tiles of {tile} pixels cannot hold the network's receptive field: an image side of {length} needs tiles "
            f"of at least {2 * halo + STRIDE} ({halo} on each side), or one of {length}; export the file at such a size"
        )
    spans = []
    first = 0
    while first < length:
        start = max(0, min(first - halo, length - tile))
        end = length if start + tile == length else start + tile - halo
        spans.append((start, first, end))
        first = end
    return spans
