"""Equalising: the same network with channels of like range, so that one scale for a tensor's channels loses less.

Where a channel passes through what is linear in it for positive factors (a ReLU, a pooling, an upsampling, a sum), the
convolutions that write it may multiply it, and those that read it divide by the same. This is the cross-layer
equalisation of Nagel et al. (2019), over all that hangs together by sums and not over pairs of layers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from compress.int8.quantize import captured, post_training_quantize
from compress.int8.ranges import alike
from search_spaces.lpienet import LPIENet
from search_spaces.sides import on_any_size

# Of the way to equal ranges, in logarithms, that are tried: the weights of those that read lose by all of it.
_SHARES = (0.5, 0.75, 0.25)
_LEAST = 0.01  # of the largest range of the channels: a smaller one counts as this
_ATEN = torch.ops.aten
_LINEAR = (  # operators that only pass factors on, from all of their inputs
    _ATEN.relu.default,
    _ATEN.leaky_relu.default,
    _ATEN.max_pool2d.default,
    _ATEN.upsample_nearest2d.vec,
    _ATEN.upsample_bilinear2d.vec,
    _ATEN.add.Tensor,
)


def equalised(network: LPIENet, images: Sequence[Tensor]) -> LPIENet:
    """A copy of `network` that computes the same in float, on the CPU, and in int8 loses least of its update.

    It is as near to equal ranges of its channels on `images`, (B, 3, H, W) in [0, 1], as pays there, which may be not
    at all. Raises ValueError without images.
    """
    if not images:
        raise ValueError("images is empty: ranges of channels need at least one, give some that look like real use")
    images = alike(images, torch.device("cpu"))
    source = LPIENet(network.blueprint)
    source.load_state_dict(network.state_dict())
    source.eval()
    graph = captured(source)
    ranges = _Ranges(graph)
    with torch.no_grad():
        wanted = [on_any_size(source, image) for image in images]
        for image in images:
            on_any_size(ranges.run, image)
    tied = [(one, torch.stack([ranges.found[node] for node in one.tensors]).amax(dim=0)) for one in _tied(graph)]

    def lost(candidate: LPIENet) -> float:
        int8 = post_training_quantize(candidate, images)
        with torch.no_grad():
            pairs = zip(images, wanted, strict=True)
            return sum(float((on_any_size(int8, image) - output).square().sum()) for image, output in pairs)

    if not tied:
        return source
    return min([source, *(_scaled(source, tied, share) for share in _SHARES)], key=lost)


def _scaled(network: LPIENet, tied: "Sequence[tuple[_Tied, Tensor]]", share: float) -> LPIENet:
    """A copy of `network` with the channels of each of `tied`, of these ranges, so far on the way to equal ones."""
    copy = LPIENet(network.blueprint)
    copy.load_state_dict(network.state_dict())
    weights = dict(copy.eval().named_parameters())
    with torch.no_grad():
        for one, reach in tied:
            factors = (reach.max() / reach.clamp(min=_LEAST * float(reach.max()))).pow(share)
            for convolution in one.written_by:
                for name in _parameters(convolution):
                    weights[name].mul_(factors.view(-1, *[1] * (weights[name].dim() - 1)))
            for convolution in one.read_by:
                weight = weights[_parameters(convolution)[0]]
                weight.div_(factors.view(-1, 1, 1, 1) if _is_depthwise(convolution) else factors.view(1, -1, 1, 1))
    return copy


@dataclass
class _Tied:
    """Tensors whose channels have the same factors."""

    tensors: list[Node] = field(default_factory=list)
    written_by: list[Node] = field(default_factory=list)  # convolutions
    read_by: list[Node] = field(default_factory=list)
    fixed: bool = False  # something depends on the values themselves


class _Ranges(Interpreter):
    """Runs a graph and keeps the largest absolute value of each channel of every tensor, over all images."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self.found: dict[Node, Tensor] = {}

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.dim() == 4 and n.op == "call_function":
            largest = value.abs().amax(dim=(0, 2, 3))
            self.found[n] = torch.maximum(self.found[n], largest) if n in self.found else largest
        return value


def _tied(graph: GraphModule) -> Iterable[_Tied]:
    """All that hangs together and may have factors, with the convolutions at its ends."""
    of: dict[Node, _Tied] = {}
    for node in graph.graph.nodes:
        sources = [of[source] for source in node.all_input_nodes if source in of]
        if node.op == "output":
            for source in sources:
                source.fixed = True
        elif node.op == "placeholder":
            of[node] = _Tied([node], fixed=True)
        elif node.target == _ATEN.conv2d.default and _is_plain(node):
            of[node] = _Tied([node], [node])
            of[node.args[0]].read_by.append(node)
        elif node.target in _LINEAR:
            of[node] = _merged(sources, of)
            of[node].tensors.append(node)
        elif node.op == "call_function":
            for source in sources:
                source.fixed = True
            of[node] = _Tied([node], fixed=True)
    distinct = {id(tied): tied for tied in of.values()}
    return [tied for tied in distinct.values() if not tied.fixed and tied.written_by and tied.read_by]


def _merged(several: Sequence[_Tied], of: dict[Node, _Tied]) -> _Tied:
    """One in the place of several."""
    first, *rest = {id(one): one for one in several}.values()
    for one in rest:
        first.tensors += one.tensors
        first.written_by += one.written_by
        first.read_by += one.read_by
        first.fixed |= one.fixed
        of |= dict.fromkeys(one.tensors, first)
    return first


def _parameters(convolution: Node) -> list[str]:
    """Names of its weight and, where it has one, its bias."""
    return [str(given.target) for given in convolution.args[1:3] if isinstance(given, Node)]


def _groups(convolution: Node) -> Any:
    return convolution.args[6] if len(convolution.args) > 6 else 1


def _is_depthwise(convolution: Node) -> bool:
    return bool(_groups(convolution) != 1)


def _is_plain(convolution: Node) -> bool:
    """Whether it mixes all channels, or none: of those in between nothing is known here."""
    weight = convolution.args[1]
    assert isinstance(weight, Node)
    return _groups(convolution) in (1, weight.meta["val"].shape[0])
