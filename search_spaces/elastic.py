"""Elastic: the weights of a network as slices of a larger one's, so that one set of weights holds a whole space.

A slice keeps the first channels of every layer and the first inverted residual blocks of every stage (Yu et al.,
"Slimmable neural networks", 2019; Cai et al., "Once-for-all", 2020). Where two feature maps are joined before a
convolution, the first channels of each are kept.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import STAGES

Channels = tuple[tuple[int, int], ...]  # (first, end) of the large layer's channels that the small one has
Cut = tuple[str, Channels | None, Channels | None]  # layer, output channels, input channels; None: all of them


def sliced(weights: Mapping[str, Tensor], small: Blueprint, large: Blueprint) -> dict[str, Tensor]:
    """The state of a network of `small`, as views of the `weights` of one of `large` wherever that is possible.

    Differentiable: a loss of the small network gives gradients to the large one's weights. Raises ValueError when
    `small` has a layer or a channel that `large` lacks.
    """
    state: dict[str, Tensor] = {}
    for cut in cuts(small, large):
        layer, outputs, _ = cut
        state[f"{layer}.weight"] = taken(weights[f"{layer}.weight"], cut)
        state[f"{layer}.bias"] = _take(weights[f"{layer}.bias"], outputs, 0)
    return state


def taken(weight: Tensor, cut: Cut) -> Tensor:
    """What a cut leaves of a convolution's weight (outputs, inputs, K, K)."""
    _, outputs, inputs = cut
    return _take(_take(weight, outputs, 0), inputs, 1)


@lru_cache(maxsize=4096)
def cuts(small: Blueprint, large: Blueprint) -> tuple[Cut, ...]:
    """What every convolution of `small` takes from the one of the same name in `large`; raises ValueError."""
    words, others = ((plan.stem, plan.block, plan.head) for plan in (small, large))
    if words != others:
        raise ValueError(
            f"a network with {'/'.join(words)} is no slice of one with {'/'.join(others)} (stem/block/head)"
        )
    e1, e2, e3, d1, d2 = (_first(s.width, b.width) for s, b in zip(small.stages, large.stages, strict=True))
    below = {
        "encoder1": None,
        "encoder2": e1,
        "encoder3": e2,
        "decoder1": e3,
        "decoder2": _side_by_side((d1, large.stages[3].width), (e2, large.stages[1].width)),
    }
    found: list[Cut] = []
    for name, little, big in zip(STAGES, small.stages, large.stages, strict=True):
        found += _stage(name, below[name], little, big)
    found += _head(small, _side_by_side((d2, large.stages[4].width), (e1, large.stages[0].width)))
    return tuple(found)


def _stage(name: str, inputs: Channels | None, small: StageBlueprint, large: StageBlueprint) -> Iterator[Cut]:
    width = _first(small.width, large.width)
    yield f"{name}.0", width, inputs
    if len(small.blocks) > len(large.blocks):
        raise ValueError(f"{name} has {len(small.blocks)} blocks, its larger network {len(large.blocks)}")
    for number, (little, big) in enumerate(zip(small.blocks, large.blocks, strict=False)):
        block = f"{name}.2.residuals.{number}"
        hidden, mixed = _first(little.depthwise, big.depthwise), _first(little.pointwise, big.pointwise)
        yield f"{block}.spatial.0", hidden, width
        yield f"{block}.spatial.1", hidden, None
        yield f"{block}.spatial.3", width, hidden
        if little.pointwise:
            yield f"{block}.mixing.0", mixed, width
            yield f"{block}.mixing.2", width, mixed
    if small.attention == "none":
        return
    attention = f"{name}.2.attention"
    if small.attention != large.attention and large.attention != "both":
        raise ValueError(f"{name} has attention {small.attention}, its larger network {large.attention}")
    branches: list[tuple[Channels, int]] = []
    if small.attention in ("spatial", "both"):
        yield f"{attention}.spatial", width, None
        branches.append((width, large.width))
    elif large.attention == "both":
        branches.append(((), large.width))  # the join's columns of the branch that the small one lacks
    if small.attention in ("channel", "both"):
        hidden = _first(small.attention_hidden, large.attention_hidden)
        yield f"{attention}.channel.0", hidden, None
        yield f"{attention}.channel.2", width, hidden
        branches.append((width, large.width))
    yield f"{attention}.join", width, _side_by_side(*branches)


def _head(small: Blueprint, inputs: Channels) -> Iterator[Cut]:
    if small.head == "conv3x3":
        yield "head.project", None, inputs
        if small.cell > 1:
            yield "head.image", None, None
        return
    yield "head.project.0", None, inputs
    yield "head.shortcut", None, inputs
    for layer in ("head.project.1", "head.project.3", "head.gate.0", "head.gate.2", "head.gate.4"):
        yield layer, None, None


def _first(small: int, large: int) -> Channels:
    if small > large:
        raise ValueError(f"a layer of {small} channels is no slice of one of {large}")
    return ((0, small),)


def _side_by_side(*maps: tuple[Channels, int]) -> Channels:
    """Channels of maps that are joined, each given as those kept and the width of the large one."""
    begins, kept = 0, []
    for channels, width in maps:
        kept += [(first + begins, end + begins) for first, end in channels]
        begins += width
    return tuple(kept)


def _take(tensor: Tensor, channels: Channels | None, dimension: int) -> Tensor:
    if channels is None:
        return tensor
    parts = [tensor.narrow(dimension, first, end - first) for first, end in channels]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dimension)
