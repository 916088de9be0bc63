"""Sensitivity: what each layer of a network costs when it alone is int8."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from compress.quantize import layers_of, post_training_quantize
from nas.task.evaluation import Pair, evaluate
from results.progress import Watcher
from search_spaces.lpienet import LPIENet

ALL = "all layers"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What int8 in one layer, or in all of them, takes from the float network."""

    layer: str  # a name of quantize.layers_of, or ALL
    ssim_loss: float  # float minus int8; below 0 where int8 happens to be better
    psnr_loss: float  # dB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


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
        after = evaluate(graph, pairs, torch.device("cpu"))
        found.append(Sensitivity(layer, before.ssim - after.ssim, before.psnr - after.psnr))
        watcher.at(number, layer)
    together, *alone = found
    return [together, *sorted(alone, key=lambda one: -one.ssim_loss)]
