"""The scheme: which tensors of a network become integers, of how many bits, and which of them share a scale.

Weights are symmetric int8 per output channel, activations affine int8 per tensor, or symmetric int16. The annotation is
ours and not a vendor's quantizer, because no vendor's fits all three formats:

- LiteRT computes a maximum in the integers of its input, so `amax` must share its input's scale. litert-torch's
  quantizer leaves it free: a file made so converted, ran, and was 1.8 dB wrong.
- litert-torch's quantizer finds add, mul, cat and max_pool2d by source functions, which only a strict export records;
  after a non-strict export it quantizes the convolutions alone, without a word.
- One scheme means that one quantization-aware training serves every format.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

IMAGE_SCALE, IMAGE_ZERO_POINT = 1 / 255, -128  # the levels of a picture (compress.runtime.levels)
WIDTHS = (8, 16)  # bits of an activation

SMALLEST_SCALE = 2**-12  # of any 8-bit tensor, so that a constant one does not divide by 0
_SMALLEST_WIDE_SCALE = 2**-20  # of any 16-bit tensor
_LAYER = re.compile(r"\w+\.0|\w+\.2\.residuals\.\d+|\w+\.2\.attention|head")  # a name of quantize.layers_of
_ATEN = torch.ops.aten
# Operators that move or select values: output and input keep one scale, which needs no arithmetic at all.
_SHARING = (
    _ATEN.max_pool2d.default,
    _ATEN.amax.default,
    _ATEN.upsample_bilinear2d.vec,
    _ATEN.upsample_nearest2d.vec,
    _ATEN.slice.Tensor,
    _ATEN.pixel_unshuffle.default,
    _ATEN.pixel_shuffle.default,
    _ATEN.permute.default,
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """What becomes integers.

    With `integer_ends` the image has the 256 levels of a picture, the output too, and so does their addition, which
    else stays float, so that the image itself is never rounded.
    """

    activations: int = 8  # bits; weights always have 8
    integer_ends: bool = False
    in_float: frozenset[str] = frozenset()  # layers that are left alone, see quantize.layers_of
    wide: frozenset[str] = frozenset()  # layers whose activations have 16 bits where those of the others have 8
    settled: bool = False  # ranges by the loss of the output (ranges.py), not of each tensor by itself

    def __post_init__(self) -> None:
        if self.activations not in WIDTHS:
            raise ValueError(f"activations = {self.activations}: must be 8 or 16 bits")
        if self.integer_ends and self.activations != 8:
            raise ValueError("integer_ends: the ends have 8 bits, so the activations must too; leave one of them out")


INT8 = Scheme()


def layer_at(path: str) -> str:
    """The layer (quantize.layers_of) that the module at `path` is a part of; empty: none."""
    named = _LAYER.match(path)
    return named[0] if named else ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A scheme in the form that torchao's prepare functions call (torchao.quantization.pt2e.quantizer.Quantizer)."""

    trained: bool  # ranges from fake quantization that can be trained through, not from plain observation
    scheme: Scheme = INT8

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        return model

    def validate(self, model: GraphModule) -> None:
        return None

    def prepare_obs_or_fq_callback(self, model: GraphModule, ranges: Any) -> None:
        return None

    def annotate(self, model: GraphModule) -> GraphModule:
        """Say for every operator which tensors become integers, and which of them share a scale."""
        from torchao.quantization.pt2e.quantizer import QuantizationAnnotation

        layers = _layers(model)
        tensors = {bits: _Tensors.of(bits, self.trained, self.scheme.integer_ends) for bits in WIDTHS}
        for node in model.graph.nodes:
            if layers[node] in self.scheme.in_float or (_is_output(node) and not self.scheme.integer_ends):
                continue
            wide = layers[node] in self.scheme.wide
            found = _annotated(node, tensors[16 if wide else self.scheme.activations])
            if found is None:
                continue
            inputs, output = found
            node.meta["quantization_annotation"] = QuantizationAnnotation(
                input_qspec_map=inputs, output_qspec=output, _annotated=True
            )
        return model


@dataclass(frozen=True, slots=True)
class _Tensors:
    """How the tensors of a layer are rounded, in torchao's words."""

    activation: Any
    weight: Any
    sigmoid: Any
    end: Any  # of the image and of the output

    @classmethod
    def of(cls, bits: int, trained: bool, integer_ends: bool) -> "_Tensors":
        activation = _activation_spec(trained) if bits == 8 else _wide_spec(trained)
        end = _end_spec() if bits == 8 or integer_ends else activation
        return cls(activation, _weight_spec(trained), _sigmoid_spec(bits), end)

    def into(self, source: Node) -> Any:
        """Of an operator's input."""
        if source.op == "placeholder":
            return self.end
        return self.sigmoid if _is_sigmoid(source) else self.activation


def _annotated(node: Node, tensors: _Tensors) -> tuple[dict[Node, Any], Any] | None:
    """How the inputs and the output of an operator are rounded; None: it is none that rounds."""
    from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec

    given: Any = node.args
    if node.target == _ATEN.conv2d.default:
        # Fused with a ReLU behind it: the sum before the ReLU is never rounded.
        output = None if _feeds_only_relu(node) else tensors.activation
        return {given[0]: tensors.into(given[0]), given[1]: tensors.weight}, output
    if node.target == _ATEN.relu.default:
        inputs = {} if _feeds_only_relu(given[0]) else {given[0]: tensors.activation}
        return inputs, tensors.activation
    if node.target in (_ATEN.add.Tensor, _ATEN.mul.Tensor):
        output = tensors.end if _is_output(node) else tensors.activation
        return {term: tensors.into(term) for term in given}, output
    if node.target in (_ATEN.elu.default, _ATEN.leaky_relu.default, _ATEN.mean.dim):
        return {given[0]: tensors.activation}, tensors.activation
    if node.target == _ATEN.sigmoid.default:
        return {given[0]: tensors.activation}, tensors.sigmoid
    if node.target == _ATEN.cat.default:
        first, *rest = given[0]
        shared = SharedQuantizationSpec((first, node))
        return {first: tensors.into(first)} | dict.fromkeys(rest, shared), shared
    if node.target in _SHARING:
        return {given[0]: tensors.into(given[0])}, SharedQuantizationSpec((given[0], node))
    return None


def _layers(model: GraphModule) -> dict[Node, str]:
    """The layer of every operator; one outside all layers (a ReLU, a skip, a pooling) is of its last input's."""
    layers: dict[Node, str] = {}
    for node in model.graph.nodes:
        path = list(node.meta.get("nn_module_stack", {"": ("", None)}).values())[-1][0]
        inputs = [layers[source] for source in node.all_input_nodes if layers[source]]
        layers[node] = layer_at(path) or (inputs[-1] if inputs else "")
    return layers


def _is_output(node: Node) -> bool:
    """Whether `node` is the sum of image and update."""
    return [user.op for user in node.users] == ["output"]


def _is_sigmoid(node: Node) -> bool:
    return node.target == _ATEN.sigmoid.default


def _feeds_only_relu(node: Node) -> bool:
    if node.target != _ATEN.conv2d.default:
        return False
    return [user.target for user in node.users] == [_ATEN.relu.default]


def _activation_spec(trained: bool) -> Any:
    from torchao.quantization.pt2e import FakeQuantize, HistogramObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    ranges = FakeQuantize if trained else HistogramObserver
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=ranges.with_args(eps=SMALLEST_SCALE),
    )


def _wide_spec(trained: bool) -> Any:
    """16 bits, symmetric as LiteRT's kernels have them; the whole range, of which nothing needs to be cut off."""
    from torchao.quantization.pt2e import FakeQuantize, MinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    ranges = FakeQuantize if trained else MinMaxObserver
    return QuantizationSpec(
        dtype=torch.int16,
        quant_min=-32767,
        quant_max=32767,
        qscheme=torch.per_tensor_symmetric,
        observer_or_fake_quant_ctr=ranges.with_args(eps=_SMALLEST_WIDE_SCALE),
    )


def _weight_spec(trained: bool) -> Any:
    from torchao.quantization.pt2e import (
        FakeQuantize,
        MovingAveragePerChannelMinMaxObserver,
        PerChannelMinMaxObserver,
    )
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    # A constant of 1 makes the moving average the present value, which is what conversion will use. Not torchao's fused
    # fake quantization: where a channel's least weight is its largest, that rounds to a scale 127/128 of conversion's.
    ranges = (
        FakeQuantize.with_args(
            observer=MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0, eps=SMALLEST_SCALE
        )
        if trained
        else PerChannelMinMaxObserver.with_args(eps=SMALLEST_SCALE)
    )
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=ranges,
    )


def _sigmoid_spec(bits: int) -> Any:
    """LiteRT's integer sigmoid knows no other scale."""
    if bits == 8:
        return _fixed(torch.int8, 1 / 256, -128)
    return _fixed(torch.int16, 1 / 32768, 0)


def _end_spec() -> Any:
    return _fixed(torch.int8, IMAGE_SCALE, IMAGE_ZERO_POINT)


def _fixed(dtype: torch.dtype, scale: float, zero_point: int) -> Any:
    from torchao.quantization.pt2e.quantizer import FixedQParamsQuantizationSpec

    whole = torch.iinfo(dtype)
    return FixedQParamsQuantizationSpec(
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        quant_min=whole.min,
        quant_max=whole.max,
        qscheme=torch.per_tensor_affine,
    )
