"""Count: multiply-adds and parameters of a blueprint by arithmetic, without building the network.

cost.py builds and traces, which takes tenths of a second; this takes a tenth of a millisecond, so that a whole space
can be looked at. cost.py stays the oracle: a new block or head is written here too, or tests/test_count.py fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint, before_activation
from search_spaces.sides import padded_side
from search_spaces.wiring import channels_into, lateral, sites

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution with bias, of stride 1, as many pixels out as in."""

    inputs: int  # channels
    outputs: int  # channels
    side: int = 1  # of the square kernel, in pixels
    groups: int = 1

    @property
    def weights(self) -> int:
        """Weights without bias, and so multiply-adds per pixel."""
        return self.outputs * (self.inputs // self.groups) * self.side**2


Layers = Iterator[tuple[Convolution, int]]  # each with how many times smaller the image's sides are where it runs


@lru_cache(maxsize=4096)
def macs_of(blueprint: Blueprint, size: tuple[int, int]) -> int:
    """Multiply-adds of the convolutions at `size` (height, width), equal to `cost_of(blueprint, size).macs`."""
    height, width = (padded_side(side) for side in size)
    return sum(layer.weights * (height // shrink) * (width // shrink) for layer, shrink in convolutions(blueprint))


@lru_cache(maxsize=4096)
def parameters_of(blueprint: Blueprint) -> int:
    """Weights and biases, equal to `cost_of(blueprint).parameters`."""
    return sum(layer.weights + layer.outputs for layer, _ in convolutions(blueprint))


def convolutions(blueprint: Blueprint) -> Layers:
    """Every convolution of the network.

    Raises ValueError for a block, a head or an attention that is unknown here.
    """
    cell = blueprint.cell
    for site in sites(blueprint):
        channels = sum(channels_into(blueprint, site))
        if (through := lateral(blueprint, site)) is not None:
            yield Convolution(*through), cell * site.shrink * 2  # before the doubling
        if site.plan is None:
            yield from _known(HEADS, "head", blueprint.head)(channels, cell)
            continue
        for layer in _stage(channels, site.plan, blueprint):
            yield layer, cell * site.shrink


# One function a part; the names are those of blocks.py.


def _stage(channels: int, plan: StageBlueprint, whole: Blueprint) -> Iterator[Convolution]:
    yield Convolution(channels, plan.width, 3)
    for inner in plan.blocks:
        yield from _known(BLOCKS, "block", whole.block)(plan.width, inner, whole)
    yield from _known(ATTENTIONS, "attention", plan.attention)(plan)


def _inverted_residual(width: int, plan: BlockBlueprint, whole: Blueprint) -> Iterator[Convolution]:
    hidden, mixed = (before_activation(n, whole.activation) for n in (plan.depthwise, plan.pointwise))
    yield Convolution(width, hidden)
    yield Convolution(hidden, hidden, whole.kernel, groups=hidden)
    yield Convolution(plan.depthwise, width)
    if plan.pointwise:
        yield Convolution(width, mixed)
        yield Convolution(plan.pointwise, width)


def _plain(width: int, plan: BlockBlueprint, whole: Blueprint) -> Iterator[Convolution]:
    yield Convolution(width, plan.depthwise, 3)
    yield Convolution(plan.depthwise, width, 3)


def _no_attention(plan: StageBlueprint) -> Iterator[Convolution]:
    yield from ()


def _spatial(plan: StageBlueprint) -> Iterator[Convolution]:
    yield Convolution(2, plan.width, 3)
    yield Convolution(plan.width, plan.width)


def _channel(plan: StageBlueprint) -> Iterator[Convolution]:
    yield Convolution(1, plan.attention_hidden)
    yield Convolution(plan.attention_hidden, plan.width)
    yield Convolution(plan.width, plan.width)


def _both(plan: StageBlueprint) -> Iterator[Convolution]:
    yield Convolution(2, plan.width, 3)
    yield Convolution(1, plan.attention_hidden)
    yield Convolution(plan.attention_hidden, plan.width)
    yield Convolution(2 * plan.width, plan.width)


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


ATTENTIONS: dict[str, Callable[[StageBlueprint], Iterator[Convolution]]] = {
    "none": _no_attention,
    "channel": _channel,
    "spatial": _spatial,
    "both": _both,
}
BLOCKS: dict[str, Callable[[int, BlockBlueprint, Blueprint], Iterator[Convolution]]] = {
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
