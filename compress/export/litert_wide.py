"""LiteRT with activations of 16 bits between weights of 8, in all layers or in some, by ai-edge-quantizer.

litert-torch converts neither. The float file is quantized instead, with ranges that ai-edge-quantizer takes from
images. Where a tensor goes from one width to the other, it puts a QUANTIZE from integers to integers.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress.export.flatbuffer import packed, read
from compress.export.litert_file import described, to_litert, with_uint8_ends
from compress.int8.scheme import Scheme, layer_at
from compress.quiet import quiet
from compress.runtime.about import About
from results.files import written_whole
from search_spaces.own import AnyBlueprint

_FLOAT, _NARROW, _WIDE = "float", "narrow", "wide"  # with which the names of an operator's tensors begin


class Calibrated(nn.Module):
    """A float network with the images, (1, 3, H, W) in [0, 1], that a writer takes its ranges from."""

    def __init__(self, network: nn.Module, images: Sequence[Tensor], scheme: Scheme) -> None:
        super().__init__()
        self.network, self.images, self.scheme = network, tuple(images), scheme


@dataclass(frozen=True, slots=True)
class WideWriter:
    """Writes a Calibrated network at `size` (height, width), as its scheme says: all activations of 16 bits, or some.

    Raises ValueError without a size, ImportError when litert-torch or ai-edge-quantizer is missing.
    """

    ends: str  # of image and output, (1, height, width, 3): float, int8, uint8 or int16

    def __call__(
        self,
        module: nn.Module,
        blueprint: AnyBlueprint,
        size: tuple[int, int] | None,
        path: Path,
        about: About | None = None,
    ) -> None:
        assert isinstance(module, Calibrated)
        content = _by_width(to_litert(module.network, size), module.scheme)
        assert size is not None
        images = [image.permute(0, 2, 3, 1).contiguous().numpy() for image in mosaics(module.images, size)]
        content = _quantized(content, self.ends, images)
        if self.ends == "uint8":
            content = with_uint8_ends(content)
        with written_whole(path) as temporary:
            temporary.write_bytes(described(content, blueprint, about))


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


def _by_width(content: bytes, scheme: Scheme) -> bytes:
    """The float file `content`, in which the name of every operator's tensor says how `scheme` rounds it.

    litert-torch names them by the path of a torch module. An operator outside all layers is of its last input's, as in
    the scheme; the sum of image and update is in float where the ends are.
    """
    model = read(content)
    (graph,) = model.subgraphs
    layers: dict[int, str] = {}
    for operator in graph.operators:
        (made,) = map(int, operator.outputs)
        inputs = [layers[int(one)] for one in operator.inputs if layers.get(int(one))]
        layers[made] = layer_at(_path(graph.tensors[made].name)) or (inputs[-1] if inputs else "")
    for made, layer in layers.items():
        is_wide = scheme.activations == 16 or layer in scheme.wide
        as_ends = made in graph.outputs and scheme.activations == 8 and not scheme.integer_ends
        kept = layer in scheme.in_float or as_ends
        graph.tensors[made].name = f"{_FLOAT if kept else _WIDE if is_wide else _NARROW}_{made}"
    return packed(model)


def _path(name: bytes) -> str:
    """`encoder1.0` of `.../search_spaces.lpienet.LPIENet_wrapped/torch.nn.modules.conv.Conv2d_encoder1/..._0;2`."""
    modules = name.decode().partition(";")[0].split("/")
    named = [module.rpartition(".")[2].lstrip("_").partition("_")[2] for module in modules]
    return ".".join(named[named.index("wrapped") + 1 :] if "wrapped" in named else [])


def _quantized(content: bytes, ends: str, images: Sequence[Any]) -> bytes:
    """The file `content`, named by width, in integers with ranges from `images` (1, height, width, 3)."""
    try:
        with quiet():
            from ai_edge_quantizer.algorithm_manager import AlgorithmName
            from ai_edge_quantizer.qtyping import TFLOperationName
            from ai_edge_quantizer.quantizer import Quantizer
    except ImportError as error:
        raise ImportError(f"LiteRT files with 16 bits need {error.name}: pip install 'lpienas[export]'") from error

    all_of = TFLOperationName.ALL_SUPPORTED
    with quiet(), redirect_stdout(sys.stderr):
        quantizer = Quantizer(content)
        quantizer.add_static_config(f"^{_NARROW}_", all_of, 8, 8)
        quantizer.add_static_config(f"^{_WIDE}_", all_of, 16, 8)
        bits = {"int8": 8, "uint8": 8, "int16": 16}.get(ends)
        for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
            if bits is None:
                quantizer.update_quantization_recipe("^", end, algorithm_key=AlgorithmName.NO_QUANTIZE)
            else:
                quantizer.add_static_config("^", end, bits, 8)
        ranges = quantizer.calibrate({"serving_default": [{"args_0": image} for image in images]}, num_threads=1)
        if bits is not None:  # white and black are in every camera's pictures, whatever the images hold
            (graph,) = read(content).subgraphs
            for tensor in (*graph.inputs, *graph.outputs):
                found = ranges[graph.tensors[tensor].name.decode()]
                low, high = (0 * found["min"], 0 * found["max"]) if bits == 8 else (found["min"], found["max"])
                found["min"], found["max"] = np.minimum(low, 0), np.maximum(high, 1)
        return bytes(quantizer.quantize(ranges).quantized_model)
