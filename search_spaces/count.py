"""Count: multiply-adds and parameters of a blueprint by arithmetic, without building the network.

cost.py builds and traces, which takes tenths of a second; this takes a tenth of a millisecond, so that a whole space
can be looked at. cost.py stays the oracle: a new block or head is written here too, or tests/test_count.py fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.sides import padded_side

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
InStage = Iterator[tuple[str, Convolution]]  # each with the branch of the stage that it is in: SPATIAL, CHANNEL, or ""

SPATIAL, CHANNEL = "attention.spatial", "attention.channel"  # a branch's own map; what joins branches is the stage's


@lru_cache(maxsize=4096)
def macs_of(blueprint: Blueprint, size: tuple[int, int]) -> int:
    """Multiply-adds of the convolutions at `size` (height, width), equal to `cost_of(blueprint, size).macs`."""
    height, width = (padded_side(side) for side in size)
    return sum(layer.weights * (height // shrink) * (width // shrink) for _, layer, shrink in convolutions(blueprint))


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
def parameters_of(blueprint: Blueprint) -> int:
    """Weights and biases, equal to `cost_of(blueprint).parameters`."""
    return sum(layer.weights + layer.outputs for _, layer, _ in convolutions(blueprint))


def convolutions(blueprint: Blueprint) -> Iterator[tuple[str, Convolution, int]]:
    """Every convolution of the network, wired as in lpienet.LPIENet, with the part that it is in (see `macs_by_part`)
    and how many times smaller the image's sides are where it runs.

    Raises ValueError for a head or an attention that is unknown here.
    """
    e1, e2, e3, d1, d2 = blueprint.stages
    cell = blueprint.cell
    for name, channels, plan, shrink in (
        ("encoder1", blueprint.stem_channels, e1, 1),
        ("encoder2", e1.width, e2, 2),
        ("encoder3", e2.width, e3, 4),
        ("decoder1", e3.width, d1, 4),
        ("decoder2", d1.width + e2.width, d2, 2),
    ):
        for branch, layer in _stage(channels, plan):
            yield f"{name}.{branch}" if branch else name, layer, cell * shrink
    for layer, shrink in _known(HEADS, "head", blueprint.head)(d2.width + e1.width, cell):
        yield "head", layer, shrink


# One function a part; the names are those of blocks.py.


def _stage(channels: int, plan: StageBlueprint) -> InStage:
    yield "", Convolution(channels, plan.width, 3)
    for inner in plan.blocks:
        yield from _inverted_residual(plan.width, inner)
    yield from _known(ATTENTIONS, "attention", plan.attention)(plan)


def _inverted_residual(width: int, plan: BlockBlueprint) -> InStage:
    yield "", Convolution(width, plan.depthwise)
    yield "", Convolution(plan.depthwise, plan.depthwise, 3, groups=plan.depthwise)
    yield "", Convolution(plan.depthwise, width)
    if plan.pointwise:
        yield "", Convolution(width, plan.pointwise)
        yield "", Convolution(plan.pointwise, width)


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
HEADS: dict[str, Callable[[int, int], Layers]] = {"gated": _gated_head, "conv3x3": _conv_head}


def _known(functions: Mapping[str, _T], part: str, word: str) -> _T:
    if word not in functions:
        raise ValueError(f"{part} = {word!r}: search_spaces/count.py cannot count it yet; add a function for it there")
    return functions[word]
