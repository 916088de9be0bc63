"""Wiring: how the stages of a U-Net hang together, written once; building, counting and slicing follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass

from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import encoder_beside, is_encoder, level_of

HEAD = "head"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one stage, or the head, stands: what flows into it, and at which resolution it works."""

    name: str
    plan: StageBlueprint | None  # None: the head
    level: int  # 1: the resolution of the stem; each further one has half the sides
    source: str | None  # the stage that it follows; None: the image's cells, or for the head of one level nothing
    skip: str | None = None  # the encoder beside it
    entry: int = 3  # side of the convolution that the stage begins with: 3; 2, of stride 2; 0: there is none

    @property
    def doubles(self) -> bool:
        """Whether what comes from below is brought to this level here, and a skip joined to it."""
        return self.source is not None and self.skip is not None

    @property
    def halves(self) -> bool:
        """Whether what it follows has twice the sides: it is pooled, or the convolution has a stride of 2."""
        return self.plan is not None and is_encoder(self.name) and self.level > 1

    @property
    def pools(self) -> bool:
        """Whether what it follows is pooled first."""
        return self.halves and self.entry != 2

    @property
    def shrink(self) -> int:
        """How many times smaller the sides are than at the first level."""
        return int(2 ** (self.level - 1))


def sites(blueprint: Blueprint) -> Iterator[Site]:
    """Every stage in the order of computation, then the head.

    LPIENet concatenates: an encoder takes the pooled output of the one above it, the lowest decoder the output of the
    lowest encoder, at its resolution; a higher one what is below it, doubled, beside the encoder of its level, and so
    does the head. Each stage begins with a 3x3 convolution.

    A network that adds, as NAFNet does (Chen et al., ECCV 2022), goes down by 2x2 convolutions of stride 2. A decoder
    takes the sum of its level's encoder and of what is below, which a 1x1 convolution brings to the same width before
    it is doubled, and has no convolution of its own to begin with; the last one works at the first level.
    """
    adds = blueprint.join == "add"
    before: str | None = None  # the stage that the next one follows
    for name, plan in blueprint.named():
        level = level_of(name)
        if is_encoder(name):
            yield Site(name, plan, level, before, entry=2 if adds and level > 1 else 3)
        else:
            beside = None if level == blueprint.levels else encoder_beside(name)
            yield Site(name, plan, level, before, beside, entry=0 if adds else 3)
        before = name
    if adds:
        yield Site(HEAD, None, 1, before)
    else:
        yield Site(HEAD, None, 1, before if blueprint.levels > 1 else None, "encoder1")


def channels_into(blueprint: Blueprint, site: Site) -> tuple[int, ...]:
    """Channels of the maps that lie side by side where `site` begins: one, or two where it concatenates."""
    if site.source is None and site.skip is None:
        return (blueprint.stem_channels,)
    if lateral(blueprint, site) is not None:
        return (_width(blueprint, site.skip),)
    return tuple(_width(blueprint, name) for name in (site.source, site.skip) if name is not None)


def lateral(blueprint: Blueprint, site: Site) -> tuple[int, int] | None:
    """Channels in and out of the 1x1 convolution that lets two maps be added at `site`; None where none are.

    It runs before the doubling, at a quarter of the positions.
    """
    if not site.doubles or blueprint.join != "add":
        return None
    return _width(blueprint, site.source), _width(blueprint, site.skip)


def _width(blueprint: Blueprint, name: str | None) -> int:
    return blueprint.stages[blueprint.names.index(name or "")].width
