"""Tiles: an image of any size through a file of one size, with the result of the whole image at once.

Tiles overlap by a halo as wide as the network's receptive field, and only the part of a tile that saw all that it
needs is kept. Tiles at the border end where the padded image ends, so the convolutions' zero padding acts there just
as it does for the whole image.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from compress.runtimes import Runtime
from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import STAGES, Genotype, Stage
from search_spaces.sides import STRIDE, on_any_size, pad_to, padded_side

TILE = 640  # pixels a side, where the runtime takes any size
# For a file that does not name its blueprint: the furthest that a network of three blocks a stage can see.
_DEEPEST = Blueprint.from_genotype(Genotype((Stage(depth=3),) * len(STAGES), stem="space-to-depth"))


def enhance(runtime: Runtime, image: Tensor, on_tile: Callable[[int, int], None] | None = None) -> Tensor:
    """`runtime` applied to `image` (1, 3, H, W) of any size; the result has the same shape and type.

    The image holds floats in [0, 1], or uint8 or uint16 over their whole range, which take less memory: they become
    floats tile by tile. `on_tile(done, all)` is called after each tile. A runtime that takes any size gets an image of
    at most TILE x TILE pixels whole and a larger one in tiles; a file of one size runs in tiles of that size, and a
    side shorter than it is padded by reflection. Raises ValueError when the tiles are too small for the network's
    receptive field.
    """
    network = runtime if image.is_floating_point() else _on_levels(runtime, torch.iinfo(image.dtype).max)
    height, width = image.shape[-2:]
    if runtime.size is None and height * width <= TILE * TILE:
        output = on_any_size(network, image)
        if on_tile:
            on_tile(1, 1)
        return output
    size = runtime.size or (min(TILE, padded_side(height)), min(TILE, padded_side(width)))
    radius = receptive_radius(runtime.blueprint or _DEEPEST)
    return in_tiles(network, image, size, radius, on_tile)


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
    padded = pad_to(image, max(size[0], padded_side(height)), max(size[1], padded_side(width)))
    rows = _spans(padded.shape[-2], size[0], radius)
    columns = _spans(padded.shape[-1], size[1], radius)
    output = torch.empty_like(padded)
    for number, (row, column) in enumerate(((r, c) for r in rows for c in columns), start=1):
        (top, first_row, end_row), (left, first_column, end_column) = row, column
        tile = network(padded[..., top : top + size[0], left : left + size[1]])
        kept = tile[..., first_row - top : end_row - top, first_column - left : end_column - left]
        output[..., first_row:end_row, first_column:end_column] = kept
        if on_tile:
            on_tile(number, len(rows) * len(columns))
    return output[..., :height, :width]


def fitted(image: Tensor, size: tuple[int, int] | None) -> Tensor:
    """The top left of `image` (B, 3, H, W) at exactly `size`, padded by reflection where it is shorter.

    Without a size: cropped to multiples of STRIDE, or padded to STRIDE.
    """
    height, width = size or (max(STRIDE, side // STRIDE * STRIDE) for side in image.shape[-2:])
    image = image[..., :height, :width]
    return pad_to(image, height, width)


def receptive_radius(blueprint: Blueprint) -> int:
    """How many pixels, at most, lie between an output pixel and an input pixel that can change it, per axis."""
    e1, e2, e3, d1, d2 = (_stage_radius(stage) for stage in blueprint.stages)
    gate = 6 if blueprint.head == "gated" else 0  # 7x7, 5x5, 3x3, always on pixels
    head = -(-gate // blueprint.cell) + 1  # and a 3x3 before them, on cells
    half = _below_upsampling(head) + d2
    quarter = _below_upsampling(half) + d1 + e3
    full = _above_pooling(_above_pooling(quarter) + e2) + e1
    return full if blueprint.cell == 1 else _above_pooling(full)


def _on_levels(runtime: Runtime, levels: int) -> Callable[[Tensor], Tensor]:
    """`runtime` for images of whole numbers from 0 to `levels`."""

    def run(tile: Tensor) -> Tensor:
        output = runtime(tile.to(torch.float32) / levels)
        return (output.clamp(0, 1) * levels).round().to(tile.dtype)

    return run


def _stage_radius(stage: StageBlueprint) -> int:
    """3x3 convolutions in a row: the stage's own, one a block, and the spatial attention's."""
    return 1 + len(stage.blocks) + (stage.attention in ("spatial", "both"))


def _below_upsampling(radius: int) -> int:
    return -(-radius // 2) + 1  # bilinear: one neighbour more


def _above_pooling(radius: int) -> int:
    return 2 * radius + 1  # a pixel may be either of the two that are gathered


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
