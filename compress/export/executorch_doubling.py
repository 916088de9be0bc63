"""Doubling in ExecuTorch: nearest upsampling in an operator that its XNNPACK partitioner takes.

The partitioner knows bilinear upsampling alone: each nearest one ends a partition. Where a 1x1 convolution makes what
is doubled, both together are a transposed convolution of 2x2 with its weights at all four places, and say the same.
"""

from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node

_ATEN = torch.ops.aten
_TWICE = [2.0, 2.0]


def has_resizes(graph: Graph) -> bool:
    """Whether `graph` has nearest upsampling to twice the sides."""
    return any(map(_doubles, graph.nodes))


def without_resizes(graph: GraphModule) -> GraphModule:
    """`graph`, exported from a float network or an int8 one, in place; what no 1x1 convolution makes stays as it is."""
    import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401  makes the operators known

    for node in list(graph.graph.nodes):
        if _doubles(node):
            _replace(graph, node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _doubles(node: Node) -> bool:
    given: Any = node.args
    return node.target == _ATEN.upsample_nearest2d.vec and list(given[2] or ()) == _TWICE


def _replace(graph: GraphModule, resize: Node) -> None:
    rounding, convolution = _made_by(graph, resize)
    if convolution is None:
        return
    with graph.graph.inserting_before(convolution):
        image, weight, bias = (*convolution.args, None)[:3]
        assert isinstance(weight, Node)
        instead = graph.graph.call_function(
            _ATEN.conv_transpose2d.input, (image, _at_four_places(graph, weight), bias, [2, 2])
        )
    convolution.replace_all_uses_with(instead)
    given = resize.args[0]
    assert isinstance(given, Node)
    for user in list(resize.users):
        if rounding is not None and user.target == rounding.target and user.args[1:] == rounding.args[1:]:
            user.replace_all_uses_with(rounding)  # the same scale: it is rounded already
    resize.replace_all_uses_with(given)


def _made_by(graph: GraphModule, resize: Node) -> tuple[Node | None, Node | None]:
    """What rounds the input of `resize`, and the 1x1 convolution that makes it for nothing else, or None."""
    at, rounding, made = resize.args[0], None, torch.ops.quantized_decomposed
    while isinstance(at, Node) and len(at.users) == 1:
        if at.target == made.quantize_per_tensor.default:
            rounding = at
        elif at.target != made.dequantize_per_tensor.default:
            return (rounding, at) if _is_pointwise(graph, at) else (None, None)
        at = at.args[0]
    return None, None


def _is_pointwise(graph: GraphModule, node: Node) -> bool:
    if node.target != _ATEN.conv2d.default:
        return False
    values = _values(graph, _stored(node.args[1]))
    given: Any = node.args
    # Stride, border, dilation and groups, as far as they are stated: one group, no border, all pixels.
    plain = all(stated in ([1, 1], [0, 0], 1) for stated in map(_plainly, given[3:]))
    return plain and tuple(values.shape[2:]) == (1, 1)


def _plainly(argument: Any) -> Any:
    return argument if isinstance(argument, int) else list(argument)


def _stored(weight: Any) -> Node:
    """Where the weights of a convolution are kept, as float or as integers."""
    kept = weight if weight.op == "get_attr" else weight.args[0]
    assert isinstance(kept, Node)
    return kept


def _values(graph: GraphModule, stored: Node) -> Tensor:
    owner, _, last = str(stored.target).rpartition(".")
    found: Tensor = getattr(graph.get_submodule(owner), last)
    return found.detach()


def _at_four_places(graph: GraphModule, weight: Node) -> Node:
    """The weights (out, in, 1, 1) as (in, out, 2, 2); in integers their scales are of the second side then."""
    if weight.op == "get_attr":
        return _constant(graph, weight)
    _, scales, zero_points, _, *rest = weight.args
    assert weight.target == torch.ops.quantized_decomposed.dequantize_per_channel.default
    four: Any = (_constant(graph, _stored(weight)), scales, zero_points, 1, *rest)
    return graph.graph.call_function(weight.target, four)


def _constant(graph: GraphModule, source: Node) -> Node:
    """A node with the values of `source`, at four places."""
    values = _values(graph, source)
    name = f"doubled_{str(source.target).replace('.', '_')}"
    graph.register_buffer(name, values.permute(1, 0, 2, 3).repeat(1, 1, 2, 2))
    return graph.graph.get_attr(name)
