"""Ranges: of each activation the one with which the whole network loses least, not the tensor itself.

A range that is least wrong about its own tensor (a histogram's least squares) cuts off too little where a network
cancels what is large, and too much where it does not. So the tensors whose rounding alone costs the most are tried
with narrower and wider ranges, one after the other, and each keeps what brings the network's output nearest to that
in float. The image cancels in that difference: it is the loss of the update.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from search_spaces.sides import on_any_size

_COSTLY = 12  # tensors that are tried; of 70 they cause nearly all of the loss
_FACTORS = (0.75, 0.87, 1.15)  # of either end of a range
_BETTER = 0.999  # times the loss, or a range stays as it is


def settle_ranges(observed: GraphModule, network: nn.Module, images: Sequence[Tensor]) -> None:
    """Put fixed ranges in the place of the histograms of `observed`, which have seen `images` (B, 3, H, W) in [0, 1].

    `network` is what `observed` was made of; both are on one device. Other observers stay.
    """
    from torchao.quantization.pt2e import FixedQParamsObserver, HistogramObserver, PerChannelMinMaxObserver

    histograms = {
        name: module
        for name, module in observed.named_modules(remove_duplicate=False)
        if isinstance(module, HistogramObserver)
    }
    roundings = {id(module): _Rounding.by(module) for module in histograms.values()}
    weights = {
        name: module
        for name, module in observed.named_modules(remove_duplicate=False)
        if isinstance(module, PerChannelMinMaxObserver)
    }
    for name, module in histograms.items():
        observed.set_submodule(name, roundings[id(module)])
    for name, module in weights.items():
        observed.set_submodule(name, _WeightRounding(module))
    _search(list(roundings.values()), observed, network, alike(images, next(network.parameters()).device))
    for name, module in weights.items():
        observed.set_submodule(name, module)
    for name, module in histograms.items():
        found = roundings[id(module)]
        fixed = FixedQParamsObserver(
            scale=found.scale,
            zero_point=found.zero_point,
            dtype=module.dtype,
            qscheme=module.qscheme,
            quant_min=module.quant_min,
            quant_max=module.quant_max,
        )
        observed.set_submodule(name, fixed)


@dataclass
class _Range:
    scale: float
    zero_point: int


class _Rounding(nn.Module):
    """Rounds a tensor as int8 would, by a range that can be changed, or lets it through."""

    def __init__(self, scale: float, zero_point: int, least: int, most: int) -> None:
        super().__init__()
        self.scale, self.zero_point = scale, zero_point
        self.least, self.most = least, most
        self.on = True

    @classmethod
    def by(cls, observer: nn.Module) -> "_Rounding":
        scale, zero_point = observer.calculate_qparams()  # type: ignore[operator]
        return cls(float(scale), int(zero_point), int(observer.quant_min), int(observer.quant_max))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        if not self.on:
            return x
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, self.least, self.most)

    def moved(self, end: int, factor: float) -> _Range:
        """The range with one end, 0 the lower and 1 the upper, that many times as far from 0."""
        ends = [(level - self.zero_point) * self.scale for level in (self.least, self.most)]
        ends[end] *= factor
        scale = (ends[1] - ends[0]) / (self.most - self.least)
        return _Range(scale, min(max(round(self.least - ends[0] / scale), self.least), self.most))


class _WeightRounding(nn.Module):
    """Rounds weights as int8 will, an output channel after the other."""

    def __init__(self, observer: nn.Module) -> None:
        super().__init__()
        self.scale, self.zero_point = observer.calculate_qparams()  # type: ignore[operator]
        self.least, self.most = int(observer.quant_min), int(observer.quant_max)  # type: ignore[arg-type]

    def forward(self, weight: Tensor) -> Tensor:
        zero_point = self.zero_point.int()
        return torch.fake_quantize_per_channel_affine(weight, self.scale, zero_point, 0, self.least, self.most)


def _search(roundings: list[_Rounding], graph: nn.Module, network: nn.Module, images: Sequence[Tensor]) -> None:
    with torch.no_grad():
        wanted = [on_any_size(network, image) for image in images]

        def loss() -> float:
            pairs = zip(images, wanted, strict=True)
            return sum(float((on_any_size(graph, image) - output).square().sum()) for image, output in pairs)

        for rounding in roundings:
            rounding.on = False
        alone: list[tuple[float, int]] = []
        for place, rounding in enumerate(roundings):
            rounding.on = True
            alone.append((loss(), place))
            rounding.on = False
        for rounding in roundings:
            rounding.on = True
        least = loss()
        for _, place in sorted(alone, reverse=True)[:_COSTLY]:
            rounding = roundings[place]
            for end, factor in product((0, 1), _FACTORS):
                before, tried = _Range(rounding.scale, rounding.zero_point), rounding.moved(end, factor)
                if tried == before or tried.scale <= 0:  # an end at 0 stays there
                    continue
                rounding.scale, rounding.zero_point = tried.scale, tried.zero_point
                now = loss()
                if now < _BETTER * least:
                    least = now
                else:
                    rounding.scale, rounding.zero_point = before.scale, before.zero_point


def alike(images: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """The images, those of one size in one batch."""
    by_size: dict[torch.Size, list[Tensor]] = {}
    for image in images:
        by_size.setdefault(image.shape[1:], []).append(image.to(device))
    return [torch.cat(group) for group in by_size.values()]
