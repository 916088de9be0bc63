"""int8 from float weights: after training, or while training, by one scheme for every format (scheme.py).

On disk a network stays its blueprint and float weights; the int8 graph is derived again from these and calibration
images.
"""

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from compress.int8.ranges import settle_ranges
from compress.int8.scheme import INT8, Annotation, Scheme
from compress.quiet import quiet
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import STRIDE, on_any_size


def layers_of(blueprint: Blueprint) -> list[str]:
    """Names of the parts that may be int8 or float each on its own, from the image to the head."""
    layers = []
    for name, stage in blueprint.named():
        layers += [f"{name}.0", *(f"{name}.2.residuals.{number}" for number in range(len(stage.blocks)))]
        layers += [] if stage.attention == "none" else [f"{name}.2.attention"]
    return [*layers, "head"]


def post_training_quantize(
    network: LPIENet,
    calibration: Sequence[Tensor],
    fold_weights: bool = True,
    in_float: Collection[str] = (),
    scheme: Scheme = INT8,
) -> GraphModule:
    """The int8 graph of `network`, its ranges taken from `calibration`: images (B, 3, H, W) in [0, 1], any sizes.

    The graph maps float (B, 3, H, W) to float, any batch, sides divisible by 8. The same network and images give the
    same graph. `fold_weights` stores weights as integers, as ExecuTorch wants them; LiteRT wants them as float
    followed by a quantize operator. The results are equal. The layers `in_float` (see layers_of) stay float, those of
    `scheme` too. Raises ValueError without calibration images and for an unknown layer.
    """
    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        observed = _observed(network, calibration, _with(scheme, in_float))
        converted: GraphModule = convert_pt2e(observed, fold_quantize=fold_weights)
    return converted


def steps_of(network: LPIENet, calibration: Sequence[Tensor]) -> dict[str, float]:
    """The step of int8 of each tensor by its name in the graph of `captured`; see `post_training_quantize`."""
    from torchao.quantization.pt2e import HistogramObserver

    observed, found = _observed(network, calibration, INT8), {}
    for node in observed.graph.nodes:
        seen = observed.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(seen, HistogramObserver):
            found[node.args[0].name] = float(seen.calculate_qparams()[0])
    return found


class FakeQuantized(nn.Module):
    """A copy of a network that rounds weights and activations to int8 in the forward pass, and trains.

    Maps (B, 3, H, W) to the same, any batch, sides divisible by 8. It computes what `post_training_quantize` of its
    weights would: the activations' ranges are taken from `calibration` as there, anew with each `take_ranges`, and do
    not follow the batches. A training through ranges that follow them, which are narrower, comes to need their
    clipping, and that is gone in the int8 graph (ARCHITECTURE.md has the figures). Weight ranges follow the weights.
    Raises ValueError as `post_training_quantize` does.
    """

    def __init__(
        self,
        network: LPIENet,
        calibration: Sequence[Tensor],
        in_float: Collection[str] = (),
        scheme: Scheme = INT8,
    ) -> None:
        super().__init__()
        self.blueprint: Blueprint = network.blueprint
        self.scheme = _known(_with(scheme, in_float), network)
        with quiet():
            from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

            self.graph = prepare_qat_pt2e(captured(network), Annotation(True, self.scheme))
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
        from torchao.quantization.pt2e import FakeQuantize, HistogramObserver, MinMaxObserver

        observed = _observed(self.float_network(), calibration, self.scheme)
        for name, observer in observed.named_modules():
            if isinstance(observer, HistogramObserver | MinMaxObserver):
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


def _observed(network: LPIENet, calibration: Sequence[Tensor], scheme: Scheme) -> GraphModule:
    """The operators of `network` with an observer at every tensor that becomes int8, which saw `calibration`."""
    if not calibration:
        raise ValueError("calibration holds no image: int8 ranges need at least one, give some that look like real use")
    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

        graph: GraphModule = prepare_pt2e(captured(network), Annotation(False, _known(scheme, network)))
    device = next(network.parameters()).device
    with torch.no_grad():
        for image in calibration:
            on_any_size(graph, image.to(device))
    if scheme.settled:
        settle_ranges(graph, network, calibration)
    return graph


def captured(network: LPIENet) -> GraphModule:
    """The operators of a copy of `network`, for any batch and sides; parameters keep their names.

    Tracing is most of the time that int8 of a small network takes, and weights do not matter to it: networks of one
    blueprint are copies of one trace. Not those that were rewritten (compress.export.rewrite).
    """
    device = next(network.parameters()).device
    plain, graph = _traced(network.blueprint, device, network.training)
    if _modules(network) != plain:
        return _exported(deepcopy(network))
    with quiet():
        copy = deepcopy(graph)
    copy.load_state_dict(network.state_dict())
    return copy


@lru_cache(maxsize=4)
def _traced(blueprint: Blueprint, device: torch.device, training: bool) -> tuple[str, GraphModule]:
    """Modules and operators of a network of `blueprint`."""
    network = build(blueprint, seed=0).train(training).to(device)
    return _modules(network), _exported(network)


def _modules(network: LPIENet) -> str:
    """Each module of a network by its class, wherever that is from, with what its own text says of it."""
    kinds = " ".join(f"{type(module).__module__}.{type(module).__qualname__}" for module in network.modules())
    return f"{kinds} {network}"


def _exported(network: LPIENet) -> GraphModule:
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    # Traced at one size, and yet for all: no operator of an LPIENet records a size (upsampling records its factor).
    # Symbolic sides would give the same graph in three times the time.
    image = torch.zeros(2, 3, 4 * STRIDE, 5 * STRIDE, device=next(network.parameters()).device)
    module = torch.export.export(network, (image,)).module(check_guards=False)  # the guards would insist on that size
    assert isinstance(module, GraphModule)
    return module


def _with(scheme: Scheme, in_float: Collection[str]) -> Scheme:
    return replace(scheme, in_float=scheme.in_float | frozenset(in_float))


def _known(scheme: Scheme, network: LPIENet) -> Scheme:
    layers = layers_of(network.blueprint)
    for layer in scheme.in_float | scheme.wide:
        if layer not in layers:
            raise ValueError(f"layer {layer!r} is not in this network; it has {', '.join(layers)}")
    return scheme
