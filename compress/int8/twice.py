"""Twice: the same network with the channels of its highest levels held in two copies, half a step of int8 apart.

What int8 loses is mostly the rounding of few wide-ranging tensors of the full resolution. Where such a channel is
written twice, once a quarter of a step above its value and once as much below, the mean of both has steps of half the
size, as dither and two staggered converters have it, and what reads them takes half of each. In sums the distances
add up: whole steps more of a term bring what they come to as near to half a step of the sum as may be. The network
stays an LPIENet, with wider stages.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from compress.int8.quantize import captured, steps_of
from compress.int8.tied import is_depthwise, parameters_of
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, filled

_ATEN = torch.ops.aten
_COPIES = 2
_CHANNEL_BY_CHANNEL = (  # what comes out of them has the channels of what goes in, or of the wider of two
    _ATEN.add.Tensor,
    _ATEN.mul.Tensor,
    _ATEN.relu.default,
    _ATEN.leaky_relu.default,
    _ATEN.elu.default,
    _ATEN.sigmoid.default,
    _ATEN.max_pool2d.default,
    _ATEN.upsample_nearest2d.vec,
    _ATEN.upsample_bilinear2d.vec,
)
_MORE = (0, -1, 1, -2, 2)  # steps that the copies of a term may be further apart
_OVER_CHANNELS = (_ATEN.amax.default, _ATEN.mean.dim)  # of which one is left


def twice(network: LPIENet, images: Sequence[Tensor], levels: int) -> LPIENet:
    """A copy of `network` that computes the same in float, on the CPU, the channels of so many levels held twice.

    The same but for what a ReLU makes of values within a quarter of a step of 0. Steps of int8 are those that `images`,
    (B, 3, H, W) in [0, 1], lead to. Raises ValueError for `levels` that the network does not have, and where copies of
    its channels cannot be told apart.
    """
    if not 0 <= levels <= network.blueprint.levels:
        raise ValueError(f"levels = {levels}: must be from 0 to {network.blueprint.levels}, which this network has")
    if not levels:
        return filled(network.blueprint, network.state_dict())
    alike = _widened(network, levels, {})
    return _widened(network, levels, steps_of(alike, images))


def _widened(network: LPIENet, levels: int, steps: dict[str, float]) -> LPIENet:
    """`steps` are those of the tensors of the captured graph, by their names."""
    graph, blueprint = captured(filled(network.blueprint, network.state_dict())), _wider(network.blueprint, levels)
    wanted = {name: value.shape for name, value in LPIENet(blueprint).state_dict().items()}
    found = dict(network.state_dict())
    channels: dict[Node, list[int]] = {}  # of each tensor, which of the channels before each one is
    for node in graph.graph.nodes:
        if node.op in ("placeholder", "call_function"):
            channels[node] = _channels(node, channels, graph, wanted)
    apart = _distances(graph, channels, steps)
    for node in graph.graph.nodes:
        if node.target == _ATEN.conv2d.default:
            _copy(node, channels, found, 0.0 if is_depthwise(node) else apart.get(node, 0.0))
    return filled(blueprint, found)


def _distances(graph: GraphModule, channels: dict[Node, list[int]], steps: dict[str, float]) -> dict[Node, float]:
    """How far the copies of each tensor are apart that has some: half a step, and in sums what is nearest to that."""
    apart: dict[Node, float] = {}
    writer: dict[Node, Node] = {}  # the convolution that a tensor comes from unchanged, while its copies may be moved
    for node in graph.graph.nodes:
        if node not in channels or len(set(channels[node])) == len(channels[node]):
            continue
        sources = [source for source in node.all_input_nodes if source in apart]
        if node.target == _ATEN.conv2d.default and not is_depthwise(node):
            (reader, *others) = node.users
            held = reader if not others and reader.target == _ATEN.relu.default else node
            apart[node], writer[node] = steps.get(held.name, 0.0) / 2, node
            continue
        apart[node] = (
            sum(apart[source] for source in sources)
            if node.target == _ATEN.add.Tensor
            else max((apart[source] for source in sources), default=0.0)
        )
        free = [writer.pop(source) for source in sources if source in writer]
        if node.target == _ATEN.add.Tensor and free and (step := steps.get(node.name, 0.0)):
            own = 2 * apart[free[-1]]  # the step of the term
            more = min((more * own for more in _MORE), key=lambda more: abs((apart[node] + more) / step % 1 - 0.5))
            apart[free[-1]] += more
            apart[node] += more
        elif len(free) == 1:
            writer[node] = free[0]
    return apart


def _wider(blueprint: Blueprint, levels: int) -> Blueprint:
    """Stages of the highest levels, encoders and the decoders of as many pixels, twice as wide."""
    decoders = len(blueprint.stages) - levels
    stages = tuple(
        replace(stage, width=_COPIES * stage.width) if place < levels or place >= decoders else stage
        for place, stage in enumerate(blueprint.stages)
    )
    return replace(blueprint, stages=stages)


def _channels(
    node: Node, channels: dict[Node, list[int]], graph: GraphModule, wanted: dict[str, torch.Size]
) -> list[int]:
    sources = [channels[source] for source in node.all_input_nodes if source in channels]
    if node.op == "placeholder":
        return list(range(3))
    if node.target == _ATEN.conv2d.default:
        if is_depthwise(node):
            return sources[0]
        name = parameters_of(node)[0]
        before = graph.get_parameter(name).shape[0]
        return list(range(before)) * (wanted[name][0] // before)
    if node.target == _ATEN.cat.default:
        behind, joined = 0, list[int]()
        for source in sources:
            joined += [behind + channel for channel in source]
            behind += max(source) + 1
        return joined
    if node.target in _CHANNEL_BY_CHANNEL:
        return max(sources, key=len)
    if node.target in _OVER_CHANNELS:
        return [0]
    if any(len(set(source)) < len(source) for source in sources):
        raise ValueError(f"{node.target} stands between channels and their reader: they cannot be held twice")
    return list(range(node.meta["val"].shape[1])) if node.meta["val"].dim() == 4 else []


def _copy(convolution: Node, channels: dict[Node, list[int]], weights: dict[str, Tensor], apart: float) -> None:
    """Put copies in the place of a convolution's weight and bias: rows for what it writes, shares of what it reads."""
    (source,) = (one for one in convolution.all_input_nodes if one in channels)
    named, written, read = parameters_of(convolution), channels[convolution], channels[source]
    weight = weights[named[0]][written]
    if not is_depthwise(convolution):
        copies = torch.tensor([read.count(channel) for channel in read]).to(weight)
        weight = weight[:, read] / copies[:, None, None]
    weights[named[0]] = weight
    if len(named) > 1:
        before = len(set(written))
        signs = torch.tensor([1.0 if place < before else -1.0 for place in range(len(written))])
        weights[named[1]] = weights[named[1]][written] + apart / 2 * signs
