"""int8 from float weights: one quantization scheme for every format, after training or while training.

The scheme is symmetric int8 per output channel for weights and affine int8 per tensor for activations. On disk a
network stays its blueprint and float weights; the int8 graph is derived again from these and calibration images.
The annotation is ours and not a vendor's quantizer, because no vendor's fits all three formats:

- LiteRT computes a maximum in the integers of its input, so `amax` must share its input's scale. litert-torch's
  quantizer leaves it free: a file made so converted, ran, and was 1.8 dB wrong.
- litert-torch's quantizer finds add, mul, cat and max_pool2d by source functions, which only a strict export records;
  after a non-strict export it quantizes the convolutions alone, without a word.
- One scheme means that one quantization-aware training serves every format.
"""

import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from compress.quiet import quiet
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet
from search_spaces.sides import STRIDE, on_any_size

_SMALLEST_SCALE = 2**-12  # of any tensor, so that a constant one does not divide by 0
_LAYER = re.compile(r"\w+\.0|\w+\.2\.residuals\.\d+|\w+\.2\.attention|head")  # a name of layers_of
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


def layers_of(blueprint: Blueprint) -> list[str]:
    """Names of the parts that may be int8 or float each on its own, from the image to the head."""
    layers = []
    for name, stage in blueprint.named():
        layers += [f"{name}.0", *(f"{name}.2.residuals.{number}" for number in range(len(stage.blocks)))]
        layers += [] if stage.attention == "none" else [f"{name}.2.attention"]
    return [*layers, "head"]


def post_training_quantize(
    network: LPIENet, calibration: Sequence[Tensor], fold_weights: bool = True, in_float: Collection[str] = ()
) -> GraphModule:
    """The int8 graph of `network`, its ranges taken from `calibration`: images (B, 3, H, W) in [0, 1], any sizes.

    The graph maps float (B, 3, H, W) to float, any batch, sides divisible by 8. The same network and images give the
    same graph. `fold_weights` stores weights as integers, as ExecuTorch wants them; LiteRT wants them as float
    followed by a quantize operator. The results are equal. The layers `in_float` (see layers_of) stay float. Raises
    ValueError without calibration images and for an unknown layer.
    """
    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        observed = _observed(network, calibration, in_float)
        converted: GraphModule = convert_pt2e(observed, fold_quantize=fold_weights)
    return converted


class FakeQuantized(nn.Module):
    """A copy of a network that rounds weights and activations to int8 in the forward pass, and trains.

    Maps (B, 3, H, W) to the same, any batch, sides divisible by 8. It computes what `post_training_quantize` of its
    weights would: the activations' ranges are taken from `calibration` as there, anew with each `take_ranges`, and do
    not follow the batches. A training through ranges that follow them, which are narrower, comes to need their
    clipping, and that is gone in the int8 graph (ARCHITECTURE.md has the figures). Weight ranges follow the weights.
    Raises ValueError as `post_training_quantize` does.
    """

    def __init__(self, network: LPIENet, calibration: Sequence[Tensor], in_float: Collection[str] = ()) -> None:
        super().__init__()
        self.blueprint: Blueprint = network.blueprint
        self.in_float = _known(in_float, network)
        with quiet():
            from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

            self.graph = prepare_qat_pt2e(_captured(network), _Int8(True, self.in_float))
        for parameter in self.graph.parameters():
            parameter.requires_grad_(True)
        self.take_ranges(calibration)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):  # bfloat16 rounds as much as int8 does
            output: Tensor = self.graph(image)
        return output

    def train(self, mode: bool = True) -> "FakeQuantized":
        """Training or evaluation mode, which compute the same. An exported graph refuses train() and eval()."""
        self.training = mode
        return self

    def take_ranges(self, calibration: Sequence[Tensor]) -> None:
        """Take the activations' ranges from `calibration`: images (B, 3, H, W), with the weights as trained so far."""
        from torchao.quantization.pt2e import FakeQuantize, HistogramObserver

        observed = _observed(self.float_network(), calibration, self.in_float)
        for name, observer in observed.named_modules():
            if isinstance(observer, HistogramObserver):
                rounding = self.graph.get_submodule(name)  # the same name: one annotation made both
                assert isinstance(rounding, FakeQuantize)
                rounding.scale, rounding.zero_point = observer.calculate_qparams()
                rounding.disable_observer()

    def float_network(self) -> LPIENet:
        """The float network with the weights as trained so far; the input of `post_training_quantize`."""
        network = LPIENet(self.blueprint)
        names = set(network.state_dict())
        network.load_state_dict({name: value for name, value in self.graph.state_dict().items() if name in names})
        return network.to(next(self.graph.parameters()).device)


def _observed(network: LPIENet, calibration: Sequence[Tensor], in_float: Collection[str]) -> GraphModule:
    """The operators of `network` with an observer at every tensor that becomes int8, which saw `calibration`."""
    if not calibration:
        raise ValueError("calibration holds no image: int8 ranges need at least one, give some that look like real use")
    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

        graph: GraphModule = prepare_pt2e(_captured(network), _Int8(False, _known(in_float, network)))
    device = next(network.parameters()).device
    with torch.no_grad():
        for image in calibration:
            on_any_size(graph, image.to(device))
    return graph


def _captured(network: LPIENet) -> GraphModule:
    """The operators of a copy of `network`, for any batch and sides; parameters keep their names."""
    # A deep copy, and not one built from the blueprint: the network may be rewritten (compress.export.rewrite).
    copy: LPIENet = deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    # Traced at one size, and yet for all: no operator of an LPIENet records a size (upsampling records its factor).
    # Symbolic sides would give the same graph in three times the time.
    image = torch.zeros(2, 3, 4 * STRIDE, 5 * STRIDE, device=next(copy.parameters()).device)
    module = torch.export.export(copy, (image,)).module(check_guards=False)  # the guards would insist on that size
    assert isinstance(module, GraphModule)
    return module


@dataclass(frozen=True, slots=True)
class _Int8:
    """The scheme, in the form that torchao's prepare functions call (torchao.quantization.pt2e.quantizer.Quantizer)."""

    trained: bool  # ranges from fake quantization that can be trained through, not from plain observation
    in_float: frozenset[str] = frozenset()  # layers, see layers_of

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        return model

    def validate(self, model: GraphModule) -> None:
        return None

    def prepare_obs_or_fq_callback(self, model: GraphModule, ranges: Any) -> None:
        return None

    def annotate(self, model: GraphModule) -> GraphModule:
        """Say for every operator which tensors become int8, and which of them share a scale."""
        from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, SharedQuantizationSpec

        activation, weight, sigmoid = _activation_spec(self.trained), _weight_spec(self.trained), _sigmoid_spec()
        layers = _layers(model)
        for node in model.graph.nodes:
            if _is_output(node) or layers[node] in self.in_float:
                continue
            inputs: dict[Node, Any] = {}
            output: Any = activation
            if node.target == _ATEN.conv2d.default:
                inputs = {node.args[0]: activation, node.args[1]: weight}
                if _feeds_only_relu(node):  # fused: the sum before the ReLU is never rounded
                    output = None
            elif node.target == _ATEN.relu.default:
                inputs = {} if _feeds_only_relu(node.args[0]) else {node.args[0]: activation}
            elif node.target in (_ATEN.add.Tensor, _ATEN.mul.Tensor):
                inputs = {term: sigmoid if _is_sigmoid(term) else activation for term in node.args}
            elif node.target in (_ATEN.elu.default, _ATEN.leaky_relu.default, _ATEN.mean.dim):
                inputs = {node.args[0]: activation}
            elif node.target == _ATEN.sigmoid.default:
                inputs, output = {node.args[0]: activation}, sigmoid
            elif node.target == _ATEN.cat.default:
                first, *rest = node.args[0]
                output = SharedQuantizationSpec((first, node))
                inputs = {first: activation} | dict.fromkeys(rest, output)
            elif node.target in _SHARING:
                inputs = {node.args[0]: activation}
                output = SharedQuantizationSpec((node.args[0], node))
            else:
                continue
            node.meta["quantization_annotation"] = QuantizationAnnotation(
                input_qspec_map=inputs, output_qspec=output, _annotated=True
            )
        return model


def _known(in_float: Collection[str], network: LPIENet) -> frozenset[str]:
    layers = layers_of(network.blueprint)
    for layer in in_float:
        if layer not in layers:
            raise ValueError(f"layer {layer!r} is not in this network; it has {', '.join(layers)}")
    return frozenset(in_float)


def _layers(model: GraphModule) -> dict[Node, str]:
    """The layer of every operator; one outside all layers (a ReLU, a skip, a pooling) is of its last input's."""
    layers: dict[Node, str] = {}
    for node in model.graph.nodes:
        path = list(node.meta.get("nn_module_stack", {"": ("", None)}).values())[-1][0]
        named = _LAYER.match(path)
        inputs = [layers[source] for source in node.all_input_nodes if layers[source]]
        layers[node] = named[0] if named else inputs[-1] if inputs else ""
    return layers


def _is_output(node: Node) -> bool:
    """Whether `node` is the sum of image and update; it stays float, so that the image itself is never rounded."""
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
        observer_or_fake_quant_ctr=ranges.with_args(eps=_SMALLEST_SCALE),
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
            observer=MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0, eps=_SMALLEST_SCALE
        )
        if trained
        else PerChannelMinMaxObserver.with_args(eps=_SMALLEST_SCALE)
    )
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=ranges,
    )


def _sigmoid_spec() -> Any:
    from torchao.quantization.pt2e.quantizer import FixedQParamsQuantizationSpec

    return FixedQParamsQuantizationSpec(  # LiteRT's integer sigmoid knows no other scale
        dtype=torch.int8, scale=1 / 256, zero_point=-128, quant_min=-128, quant_max=127, qscheme=torch.per_tensor_affine
    )
