"""Elastic: the weights of a network as slices of a larger one's, so that one set of weights holds a whole space.

A slice keeps the first channels of every layer and the first inverted residual blocks of every stage (Yu et al.,
"Slimmable neural networks", 2019; Cai et al., "Once-for-all", 2020). Where two feature maps are joined before a
convolution, the first channels of each are kept.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from search_spaces.blueprint import BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.wiring import lateral, sites

Channels = tuple[tuple[int, int], ...]  # (first, end) of the large layer's channels that the small one has
Cut = tuple[str, Channels | None, Channels | None]  # layer, output channels, input channels; None: all of them


STRUCTURE = ("stem", "block", "head", "levels", "join", "kernel", "gate or not")


def structure_of(blueprint: Blueprint) -> tuple[str, ...]:
    """What decides which layers there are, by STRUCTURE: networks that differ in it are no slices of one another."""
    genes = (getattr(blueprint, gene) for gene in STRUCTURE[:-1])
    return (*map(str, genes), "gate" if blueprint.activation == "gate" else "no gate")


def sliced(weights: Mapping[str, Tensor], small: Blueprint, large: Blueprint) -> dict[str, Tensor]:
    """The state of a network of `small`, as views of the `weights` of one of `large` wherever that is possible.

    Differentiable: a loss of the small network gives gradients to the large one's weights. Raises ValueError when
    `small` has a layer or a channel that `large` lacks.
    """
    state: dict[str, Tensor] = {}
    for cut in cuts(small, large):
        layer, outputs, _ = cut
        state[f"{layer}.weight"] = taken(weights[f"{layer}.weight"], cut)
        state[f"{layer}.bias"] = cut_to(weights[f"{layer}.bias"], outputs, 0)
    return state


def taken(weight: Tensor, cut: Cut) -> Tensor:
    """What a cut leaves of a convolution's weight (outputs, inputs, K, K)."""
    _, outputs, inputs = cut
    return cut_to(cut_to(weight, outputs, 0), inputs, 1)


@lru_cache(maxsize=4096)
def cuts(small: Blueprint, large: Blueprint) -> tuple[Cut, ...]:
    """What every convolution of `small` takes from the one of the same name in `large`; raises ValueError."""
    words, others = structure_of(small), structure_of(large)
    if words != others:
        raise ValueError(
            f"a network with {'/'.join(words)} is no slice of one with {'/'.join(others)} ({', '.join(STRUCTURE)})"
        )
    big = dict(large.named())
    kept = {name: _first(plan.width, big[name].width) for name, plan in small.named()}
    found: list[Cut] = []
    for site in sites(small):
        maps = [name for name in (site.source, site.skip) if name is not None]
        if lateral(small, site) is not None:
            found.append((f"laterals.{site.name}", kept[maps[1]], kept[maps[0]]))
            maps = maps[1:]
        inputs = _side_by_side(*((kept[name], big[name].width) for name in maps)) if maps else None
        if site.plan is None:
            found += _head(small, inputs)
        else:
            if site.entry:
                found.append((f"{site.name}.0", kept[site.name], inputs))
            found += _stage(site.name, site.plan, big[site.name], small)
    return tuple(found)


def _stage(name: str, small: StageBlueprint, large: StageBlueprint, whole: Blueprint) -> Iterator[Cut]:
    width = _first(small.width, large.width)
    if len(small.blocks) > len(large.blocks):
        raise ValueError(f"{name} has {len(small.blocks)} blocks, its larger network {len(large.blocks)}")
    for number, (little, big) in enumerate(zip(small.blocks, large.blocks, strict=False)):
        block = f"{name}.2.residuals.{number}"
        hidden, mixed = _first(little.depthwise, big.depthwise), _first(little.pointwise, big.pointwise)
        before = [_both_halves(n, m) if whole.activation == "gate" else _first(n, m) for n, m in _hidden(little, big)]
        yield f"{block}.spatial.0", before[0], width
        if whole.block == "plain":
            yield f"{block}.spatial.2", width, hidden
            continue
        yield f"{block}.spatial.1", before[0], None
        yield f"{block}.spatial.3", width, hidden
        if little.pointwise:
            yield f"{block}.mixing.0", before[1], width
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


def _hidden(little: BlockBlueprint, big: BlockBlueprint) -> tuple[tuple[int, int], tuple[int, int]]:
    return (little.depthwise, big.depthwise), (little.pointwise, big.pointwise)


def _both_halves(small: int, large: int) -> Channels:
    """Of the channels before a gate, those whose products are the first `small` of `large`."""
    return _side_by_side((_first(small, large), large), (_first(small, large), large))


def _head(small: Blueprint, inputs: Channels | None) -> Iterator[Cut]:
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


def cut_to(tensor: Tensor, channels: Channels | None, dimension: int = 0) -> Tensor:
    """The named channels of `tensor` along `dimension`; None: all of them."""
    if channels is None:
        return tensor
    parts = [tensor.narrow(dimension, first, end - first) for first, end in channels]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dimension)
