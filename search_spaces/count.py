"""Count: multiply-adds and parameters of a blueprint by arithmetic, without building the network.

cost.py builds and traces, which takes tenths of a second; this takes a tenth of a millisecond, so that a whole space
can be looked at. cost.py stays the oracle: a new block or head is written here too, or tests/test_count.py fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint, before_activation
from search_spaces.own import AnyBlueprint, OwnBlueprint
from search_spaces.sides import padded_side
from search_spaces.wiring import channels_into, lateral, sites

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution with bias."""

    inputs: int  # channels
    outputs: int  # channels
    side: int = 1  # of the square kernel, in pixels
    groups: int = 1

    @property
    def weights(self) -> int:
        """Weights without bias, and so multiply-adds per pixel."""
        return self.outputs * (self.inputs // self.groups) * self.side**2


Layers = Iterator[tuple[Convolution, int]]  # each with how many times smaller the image's sides are where it runs
InStage = Iterator[tuple[str, Convolution]]  # each with the branch of the stage that it is in: SPATIAL, CHANNEL, or ""

SPATIAL, CHANNEL = "attention.spatial", "attention.channel"  # a branch's own map; what joins branches is the stage's


@lru_cache(maxsize=4096)
def macs_of(blueprint: AnyBlueprint, size: tuple[int, int]) -> int:
    """Multiply-adds of the convolutions at `size` (height, width), equal to `cost_of(blueprint, size).macs`."""
    if isinstance(blueprint, OwnBlueprint):
        return blueprint.macs_at(size)
    height, width = (padded_side(side) for side in size)
    return sum(row.weights * (height // shrink) * (width // shrink) for _, row, shrink in _rows(blueprint))


def within(blueprint: AnyBlueprint, size: tuple[int, int], most: int) -> bool:
    """Whether `macs_of` is at most `most`; sooner known, since counting ends where it is not."""
    if isinstance(blueprint, OwnBlueprint):
        return macs_of(blueprint, size) <= most
    height, width = (padded_side(side) for side in size)
    left = most
    for _, layer, shrink in convolutions(blueprint):
        left -= layer.weights * (height // shrink) * (width // shrink)
        if left < 0:
            return False
    return True


def macs_by_part(blueprint: Blueprint, size: tuple[int, int]) -> dict[str, int]:
    """Multiply-adds at `size` by stage: `encoder1` ... `head`, whose sum is `macs_of`; and by branch of attention.

    Those of a branch (`encoder1.attention.spatial`) are in its stage's as well.
    """
    height, width = (padded_side(side) for side in size)
    found: dict[str, int] = {}
    for part, layer, shrink in convolutions(blueprint):
        macs = layer.weights * (height // shrink) * (width // shrink)
        for name in dict.fromkeys((part.split(".")[0], part)):
            found[name] = found.get(name, 0) + macs
    return found


@lru_cache(maxsize=4096)
def parameters_of(blueprint: AnyBlueprint) -> int:
    """Weights and biases, equal to `cost_of(blueprint).parameters`."""
    if isinstance(blueprint, OwnBlueprint):
        return blueprint.parameters
    return sum(layer.weights + layer.outputs for _, layer, _ in convolutions(blueprint))


def convolutions(blueprint: Blueprint) -> Iterator[tuple[str, Convolution, int]]:
    """Every convolution of the network, with the part that it is in (see `macs_by_part`) and how many times smaller the
    image's sides are where it runs.

    Raises ValueError for a block, a head or an attention that is unknown here.
    """
    for name, row, shrink in _rows(blueprint):
        for branch, layer in row.layers:
            yield f"{name}.{branch}" if branch else name, layer, shrink


@dataclass(frozen=True, slots=True)
class _Row:
    """Convolutions at one resolution, each with the branch of the stage that it is in."""

    layers: tuple[tuple[str, Convolution], ...]
    weights: int  # of all of them


def _rows(blueprint: Blueprint) -> Iterator[tuple[str, _Row, int]]:
    """All convolutions, with their stage and how many times smaller the image's sides are where they run."""
    cell = blueprint.cell
    for site in sites(blueprint):
        channels = sum(channels_into(blueprint, site))
        if (through := lateral(blueprint, site)) is not None:
            yield site.name, _single(Convolution(*through)), cell * site.shrink * 2  # before the doubling
        if site.plan is None:
            for layer, shrink in _known(HEADS, "head", blueprint.head)(channels, cell):
                yield site.name, _single(layer), shrink
            continue
        if site.entry:
            yield site.name, _single(Convolution(channels, site.plan.width, site.entry)), cell * site.shrink
        yield site.name, _stage(site.plan, blueprint.block, blueprint.activation, blueprint.kernel), cell * site.shrink


def _single(layer: Convolution) -> _Row:
    return _Row((("", layer),), layer.weights)


# One function a part; the names are those of blocks.py.


@lru_cache(maxsize=4096)  # a search looks at the same stages again and again
def _stage(plan: StageBlueprint, block: str, activation: str, kernel: int) -> _Row:
    """The convolutions behind the one that the stage begins with, in its blocks and its attention."""
    layers = _known(BLOCKS, "block", block)
    found = [one for inner in plan.blocks for one in layers(plan.width, inner, activation, kernel)]
    found += _known(ATTENTIONS, "attention", plan.attention)(plan)
    return _Row(tuple(found), sum(layer.weights for _, layer in found))


def _inverted_residual(width: int, plan: BlockBlueprint, activation: str, kernel: int) -> InStage:
    hidden, mixed = (before_activation(n, activation) for n in (plan.depthwise, plan.pointwise))
    yield "", Convolution(width, hidden)
    yield "", Convolution(hidden, hidden, kernel, groups=hidden)
    yield "", Convolution(plan.depthwise, width)
    if plan.pointwise:
        yield "", Convolution(width, mixed)
        yield "", Convolution(plan.pointwise, width)


def _plain(width: int, plan: BlockBlueprint, activation: str, kernel: int) -> InStage:
    yield "", Convolution(width, plan.depthwise, 3)
    yield "", Convolution(plan.depthwise, width, 3)


def _no_attention(plan: StageBlueprint) -> InStage:
    yield from ()


def _spatial(plan: StageBlueprint) -> InStage:
    yield SPATIAL, Convolution(2, plan.width, 3)
    yield "", Convolution(plan.width, plan.width)


def _channel(plan: StageBlueprint) -> InStage:
    yield CHANNEL, Convolution(1, plan.attention_hidden)
    yield CHANNEL, Convolution(plan.attention_hidden, plan.width)
    yield "", Convolution(plan.width, plan.width)


def _both(plan: StageBlueprint) -> InStage:
    yield SPATIAL, Convolution(2, plan.width, 3)
    yield CHANNEL, Convolution(1, plan.attention_hidden)
    yield CHANNEL, Convolution(plan.attention_hidden, plan.width)
    yield "", Convolution(2 * plan.width, plan.width)


def _gated_head(width: int, cell: int) -> Layers:
    rgb, cells = IMAGE_CHANNELS, IMAGE_CHANNELS * cell**2
    yield Convolution(width, cells), cell
    yield Convolution(cells, cells, 3, groups=cells), cell
    yield Convolution(cells, cells), cell
    yield Convolution(width, cells), cell
    for side in (7, 5, 3):
        yield Convolution(rgb, rgb, side), 1  # the gate works on pixels


def _conv_head(width: int, cell: int) -> Layers:
    cells = IMAGE_CHANNELS * cell**2
    yield Convolution(width, cells, 3), cell
    if cell > 1:
        yield Convolution(cells, cells, 3), cell  # of the image itself


ATTENTIONS: dict[str, Callable[[StageBlueprint], InStage]] = {
    "none": _no_attention,
    "channel": _channel,
    "spatial": _spatial,
    "both": _both,
}
BLOCKS: dict[str, Callable[[int, BlockBlueprint, str, int], InStage]] = {
    "released": _inverted_residual,
    "paper": _inverted_residual,
    "mobilenet": _inverted_residual,
    "plain": _plain,
}
HEADS: dict[str, Callable[[int, int], Layers]] = {"gated": _gated_head, "conv3x3": _conv_head}


def _known(functions: Mapping[str, _T], part: str, word: str) -> _T:
    if word not in functions:
        raise ValueError(f"{part} = {word!r}: search_spaces/count.py cannot count it yet; add a function for it there")
    return functions[word]
