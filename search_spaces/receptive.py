"""Receptive field: how far an output pixel sees, and so how much of its surroundings a part of an image needs."""

from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.own import AnyBlueprint, OwnBlueprint
from search_spaces.sides import padded_side
from search_spaces.wiring import HEAD, sites


def receptive_radius(blueprint: AnyBlueprint) -> int:
    """How many pixels, at most, lie between a block of output pixels and an input pixel that can change it, per axis.

    Blocks are of STRIDE x STRIDE pixels and begin at multiples of STRIDE, as what is kept of a tile does: a single
    pixel sees further to one side or the other, by where it lies in its block.
    """
    if isinstance(blueprint, OwnBlueprint):
        return blueprint.radius
    # The first row that the block at row 0 sees of each map, stage by stage; by symmetry it is as far at the other end.
    gate = 6 if blueprint.head == "gated" else 0  # 7x7, 5x5, 3x3, always on pixels
    first = {HEAD: -gate // blueprint.cell}
    for site in reversed(tuple(sites(blueprint))):
        row = first[site.name] - (1 if site.plan is None else _stage_radius(site.plan, site.entry, blueprint))
        if site.halves:
            row *= 2
        if site.doubles and site.skip is not None:
            first[site.skip] = min(row, first.get(site.skip, 0))
            row = (row - 1) // 2 if blueprint.upsampling == "bilinear" else row // 2  # an even row reads the one before
        source = site.source or site.skip
        if source is not None:
            first[source] = min(row, first.get(source, 0))
    return -blueprint.cell * row


def margin_of(blueprint: AnyBlueprint) -> int:
    """Pixels of surroundings that leave no trace of what lies beyond them in a network's output; a multiple of 8."""
    return padded_side(receptive_radius(blueprint))


def _stage_radius(stage: StageBlueprint, entry: int, whole: Blueprint) -> int:
    """Convolutions in a row, each by half of its side: the stage's own, those of blocks, the spatial attention's."""
    block = 2 if whole.block == "plain" else whole.kernel // 2  # two of 3x3, or the depthwise one
    return (entry == 3) + block * len(stage.blocks) + (stage.attention in ("spatial", "both"))
