"""LiteRT 16x8: weights of 8 bits and activations of 16, by ai-edge-quantizer, with ranges that it takes from images."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from compress.export.litert_file import described, to_litert
from compress.quiet import quiet
from compress.runtime.about import About
from results.files import written_whole
from search_spaces.own import AnyBlueprint


class Calibrated(nn.Module):
    """A float network with the images, (1, 3, H, W) in [0, 1], that a writer takes its ranges from."""

    def __init__(self, network: nn.Module, images: Sequence[Tensor]) -> None:
        super().__init__()
        self.network, self.images = network, tuple(images)


def write_litert_wide(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """`module`, a Calibrated network, at `size` (height, width); image and output are int16, (1, height, width, 3).

    Raises ValueError without a size, ImportError when litert-torch or ai-edge-quantizer is missing.
    """
    assert isinstance(module, Calibrated)
    content = to_litert(module.network, size)
    assert size is not None
    try:
        with quiet():
            from ai_edge_quantizer import recipe
            from ai_edge_quantizer.quantizer import Quantizer
    except ImportError as error:
        raise ImportError(f"16x8 LiteRT export needs {error.name}: pip install 'lpienas[export]'") from error

    images = [image.permute(0, 2, 3, 1).contiguous().numpy() for image in mosaics(module.images, size)]
    with quiet(), redirect_stdout(sys.stderr):
        quantizer = Quantizer(content, recipe.static_wi8_ai16())
        ranges = quantizer.calibrate({"serving_default": [{"args_0": image} for image in images]}, num_threads=1)
        wide = bytes(quantizer.quantize(ranges).quantized_model)
    with written_whole(path) as temporary:
        temporary.write_bytes(described(wide, blueprint, about))


def mosaics(images: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Images (1, 3, *size) put together from `images` of one smaller size, each of which is in one of them.

    Raises ValueError without images, and where they differ in size.
    """
    if not images or len({image.shape for image in images}) > 1:
        raise ValueError(f"calibration holds {len(images)} images of several sizes or none: give some of one size")
    height, width = images[0].shape[-2:]
    rows, columns = -(-size[0] // height), -(-size[1] // width)
    found = []
    for first in range(0, len(images), rows * columns):
        taken = [images[(first + place) % len(images)] for place in range(rows * columns)]
        lines = [torch.cat(taken[row * columns : (row + 1) * columns], dim=3) for row in range(rows)]
        found.append(torch.cat(lines, dim=2)[..., : size[0], : size[1]])
    return found
