"""Tied: tensors of a network whose channels can be scaled or mixed, all alike, without a change of what it computes.

Where channels pass through what is linear in each of them for positive factors (a ReLU, a pooling, an upsampling, a
sum), the convolutions that write them may multiply, and those that read them divide by the same. Where nothing stands
between but upsamplings and sums, it may be any invertible matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import GraphModule, Node

_ATEN = torch.ops.aten
_MIXING = (  # operators that take a matrix over the channels through, from all of their inputs
    _ATEN.upsample_nearest2d.vec,
    _ATEN.upsample_bilinear2d.vec,
    _ATEN.add.Tensor,
)
_MOVING = (_ATEN.upsample_nearest2d.vec, _ATEN.upsample_bilinear2d.vec, _ATEN.max_pool2d.default)  # round nothing
_SCALING = (_ATEN.relu.default, _ATEN.leaky_relu.default, _ATEN.max_pool2d.default)  # positive factors alone


@dataclass
class Tied:
    """Tensors whose channels change together."""

    tensors: list[Node] = field(default_factory=list)
    written_by: list[Node] = field(default_factory=list)  # convolutions
    read_by: list[Node] = field(default_factory=list)
    fixed: bool = False  # something depends on the values themselves
    mixes: bool = True  # whether any matrix will do, or factors alone

    @property
    def scales(self) -> list[list[Node]]:
        """The tensors that an int8 graph holds in integers, those of one scale together (scheme.py)."""
        of = {one: [one] for one in self.tensors if _is_held(one)}
        for node in self.tensors:
            if node.target in _MOVING:
                for source in (one for one in node.all_input_nodes if one in of and of[one] is not of[node]):
                    of[node] += of[source]
                    of |= dict.fromkeys(of[source], of[node])
        return list({id(scale): scale for scale in of.values()}.values())


def tied(graph: GraphModule) -> list[Tied]:
    """All tensors of `graph` (quantize.captured) that may change together, with the convolutions at their ends."""
    of: dict[Node, Tied] = {}
    for node in graph.graph.nodes:
        sources = [of[source] for source in node.all_input_nodes if source in of]
        if node.op == "output":
            for source in sources:
                source.fixed = True
        elif node.op == "placeholder":
            of[node] = Tied([node], fixed=True)
        elif node.target == _ATEN.conv2d.default and _is_plain(node):
            of[node] = Tied([node], [node], mixes=not is_depthwise(node))
            source = of[node.args[0]]
            source.read_by.append(node)
            source.mixes &= not is_depthwise(node)
        elif node.target in _MIXING + _SCALING:
            of[node] = _merged(sources, of)
            of[node].tensors.append(node)
            of[node].mixes &= node.target in _MIXING
        elif node.op == "call_function":
            for source in sources:
                source.fixed = True
            of[node] = Tied([node], fixed=True)
    distinct = {id(one): one for one in of.values()}
    return [one for one in distinct.values() if not one.fixed and one.written_by and one.read_by]


def parameters_of(convolution: Node) -> list[str]:
    """Names of its weight and, where it has one, its bias."""
    return [str(given.target) for given in convolution.args[1:3] if isinstance(given, Node)]


def is_depthwise(convolution: Node) -> bool:
    return bool(_groups(convolution) != 1)


def is_exact(tensor: Node) -> bool:
    """Whether integers give it without rounding: what is moved or chosen."""
    return tensor.target in (_ATEN.upsample_nearest2d.vec, _ATEN.max_pool2d.default)


def _merged(several: Sequence[Tied], of: dict[Node, Tied]) -> Tied:
    """One in the place of several."""
    first, *rest = {id(one): one for one in several}.values()
    for one in rest:
        first.tensors += one.tensors
        first.written_by += one.written_by
        first.read_by += one.read_by
        first.fixed |= one.fixed
        first.mixes &= one.mixes
        of |= dict.fromkeys(one.tensors, first)
    return first


def _is_held(tensor: Node) -> bool:
    if tensor.target == _ATEN.conv2d.default:  # fused with a ReLU behind it, its sum is never rounded
        return [user.target for user in tensor.users] != [_ATEN.relu.default]
    return True


def _groups(convolution: Node) -> Any:
    return convolution.args[6] if len(convolution.args) > 6 else 1


def _is_plain(convolution: Node) -> bool:
    """Whether it mixes all channels, or none: of those in between nothing is known here."""
    weight = convolution.args[1]
    assert isinstance(weight, Node)
    return _groups(convolution) in (1, weight.meta["val"].shape[0])
