"""Sensitivity: what each layer of a network costs when it alone is int8."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from compress.int8.quantize import layers_of, post_training_quantize
from compress.int8.scheme import Scheme
from nas.task.evaluation import Pair, Quality, evaluate
from results.progress import Watcher
from search_spaces.lpienet import LPIENet
from search_spaces.receptive import margin_of

ALL = "all layers"
ALLOWED_SSIM, ALLOWED_PSNR = 0.002, 0.1  # what int8 may lose, PSNR in dB


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What int8 in one layer, or in all of them, takes from the float network."""

    layer: str  # a name of quantize.layers_of, or ALL
    ssim_loss: float  # float minus int8; below 0 where int8 happens to be better
    psnr_loss: float  # dB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def is_close(before: Quality, after: Quality) -> bool:
    """Whether what int8 loses from `before` is what it may lose."""
    return before.ssim - after.ssim <= ALLOWED_SSIM and before.psnr - after.psnr <= ALLOWED_PSNR


def sensitivity(
    network: LPIENet, calibration: Sequence[Tensor], pairs: Sequence[Pair], watcher: Watcher
) -> list[Sensitivity]:
    """All layers together, then each alone, the costliest first, by post-training quantization.

    `calibration` holds images (B, 3, H, W) in [0, 1]; the losses are means over `pairs`. Raises ValueError where
    either is empty.
    """
    network = network.cpu().eval()
    layers = layers_of(network.blueprint)
    before = evaluate(network, pairs, torch.device("cpu"))
    watcher.begin("sensitivity", len(layers) + 1)
    found = []
    for number, layer in enumerate([ALL, *layers], 1):
        others = [] if layer == ALL else [other for other in layers if other != layer]
        graph = post_training_quantize(network, calibration, in_float=others)
        after = evaluate(graph, pairs, torch.device("cpu"), margin_of(network.blueprint))
        found.append(Sensitivity(layer, before.ssim - after.ssim, before.psnr - after.psnr))
        watcher.at(number, layer)
    together, *alone = found
    return [together, *sorted(alone, key=lambda one: -one.ssim_loss)]


def costly_layers(
    network: LPIENet, calibration: Sequence[Tensor], pairs: Sequence[Pair], watcher: Watcher, wide: bool = False
) -> list[str]:
    """The fewest of the costliest layers without which int8 loses no more than ALLOWED_SSIM and ALLOWED_PSNR.

    They stay float, or have activations of 16 bits where they are to be `wide`. Empty where int8 is that close as it
    is, and where too many layers would be needed: more than a third in float, or all with 16 bits.
    """
    together, *alone = sensitivity(network, calibration, pairs, watcher)
    before = evaluate(network, pairs, torch.device("cpu"))
    ssim_loss, psnr_loss = together.ssim_loss, together.psnr_loss
    kept: list[str] = []
    for costly in alone if wide else alone[: len(alone) // 3]:
        if ssim_loss <= ALLOWED_SSIM and psnr_loss <= ALLOWED_PSNR:
            break
        kept.append(costly.layer)
        scheme = Scheme(wide=frozenset(kept)) if wide else Scheme(in_float=frozenset(kept))
        graph = post_training_quantize(network, calibration, scheme=scheme)
        after = evaluate(graph, pairs, torch.device("cpu"), margin_of(network.blueprint))
        ssim_loss, psnr_loss = before.ssim - after.ssim, before.psnr - after.psnr
    return kept if ssim_loss <= ALLOWED_SSIM and psnr_loss <= ALLOWED_PSNR else []
