"""Wiring: how the stages of a U-Net hang together, written once; building, counting and slicing follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass

from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import decoder_of

HEAD = "head"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one stage, or the head, stands: what flows into it, and at which resolution it works."""

    name: str
    plan: StageBlueprint | None  # None: the head
    level: int  # 1: the resolution of the stem; each further one has half the sides
    source: str | None  # the stage that it follows; None: the image's cells, or for the head of one level nothing
    skip: str | None = None  # the encoder beside it

    @property
    def joins(self) -> bool:
        """Whether two maps meet here."""
        return self.source is not None and self.skip is not None

    @property
    def shrink(self) -> int:
        """How many times smaller the sides are than at the first level."""
        return int(2 ** (self.level - 1))


def sites(blueprint: Blueprint) -> Iterator[Site]:
    """Every stage in the order of computation, then the head.

    An encoder takes the pooled output of the one above it. The lowest decoder takes the output of the lowest encoder,
    at its resolution; a higher one what is below it, doubled, and the encoder beside it; the head likewise.
    """
    plans, levels = dict(blueprint.named()), blueprint.levels
    for level in range(1, levels + 1):
        yield Site(f"encoder{level}", plans[f"encoder{level}"], level, f"encoder{level - 1}" if level > 1 else None)
    below = f"encoder{levels}"
    for level in range(levels, 1, -1):
        name = decoder_of(level)
        yield Site(name, plans[name], level, below, None if level == levels else f"encoder{level}")
        below = name
    yield Site(HEAD, None, 1, below if levels > 1 else None, "encoder1")


def channels_into(blueprint: Blueprint, site: Site) -> tuple[int, ...]:
    """Channels of the maps that lie side by side before `site`'s first convolution: one, or two where it concatenates.

    With the join "add" what comes from below is brought to the width of the skip first (see `lateral`).
    """
    widths = {name: plan.width for name, plan in blueprint.named()}
    if site.source is None and site.skip is None:
        return (blueprint.stem_channels,)
    if site.joins and blueprint.join == "add":
        return (widths[site.skip or ""],)
    return tuple(widths[name] for name in (site.source, site.skip) if name is not None)


def lateral(blueprint: Blueprint, site: Site) -> tuple[int, int] | None:
    """Channels in and out of the 1x1 convolution that lets two maps be added before `site`; None where none is.

    It runs before the doubling, at a quarter of the positions.
    """
    if not site.joins or blueprint.join != "add":
        return None
    widths = {name: plan.width for name, plan in blueprint.named()}
    return widths[site.source or ""], widths[site.skip or ""]
