"""Formats: from a network to a file, float or int8, in one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from compress.export.executorch_file import write_executorch
from compress.export.litert_file import write_litert
from compress.export.onnx_file import write_onnx
from compress.quantize import post_training_quantize
from compress.rewrite import rewritten
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet
from search_spaces.sides import STRIDE

PRECISIONS = ("float", "int8")


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of file is written."""

    suffix: str
    any_size: bool  # one file serves every image size
    folds_weights: bool  # takes an int8 graph whose weights are integers already
    write: Callable[[nn.Module, Blueprint, tuple[int, int] | None, Path], None]
    # precision -> rewrites that benchmarks/rewrites.py found faster in this runtime, before any quantization
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


FORMATS = {
    "onnx": Format(
        ".onnx", any_size=True, folds_weights=True, write=write_onnx, rewrites={"float": ("cells-as-strides",)}
    ),
    "litert": Format(
        ".tflite",
        any_size=False,
        folds_weights=False,
        write=write_litert,
        rewrites={"float": ("mean-as-convolution", "elu-as-exp")},
    ),
    "executorch": Format(
        ".pte",
        any_size=False,
        folds_weights=True,
        write=write_executorch,
        rewrites=dict.fromkeys(("float", "int8"), ("mean-as-convolution", "max-as-pooling")),
    ),
}


def export_network(
    network: LPIENet,
    format: str,
    precision: str,
    path: Path,
    size: tuple[int, int] | None = None,
    calibration: Sequence[Tensor] = (),
) -> nn.Module:
    """Write `network` to `path` and return the torch module that the file came from, on the CPU, for `parity.check`.

    That is the network itself for a float file, whatever was rewritten for its runtime, and for an int8 file the int8
    graph of the network as rewritten.

    `size` is (height, width), needed where the format has a static size; `calibration` holds images (B, 3, H, W) in
    [0, 1], needed for int8. Raises ValueError for an unknown word, a wrong suffix or a size not divisible by 8.
    """
    if format not in FORMATS:
        raise ValueError(f"format = {format!r}: must be one of {', '.join(FORMATS)}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision = {precision!r}: must be one of {', '.join(PRECISIONS)}")
    chosen = FORMATS[format]
    if path.suffix != chosen.suffix:
        raise ValueError(f"path = {path}: a file of format {format} must end in {chosen.suffix}")
    if size is not None and (min(size) < STRIDE or any(side % STRIDE for side in size)):
        raise ValueError(f"size = {size[0]}x{size[1]}: both sides must be multiples of {STRIDE}, at least {STRIDE}")

    source = LPIENet(network.blueprint)
    source.load_state_dict(network.state_dict())
    source.eval()
    rewrites = chosen.rewrites.get(precision, ())
    if precision == "float":
        chosen.write(rewritten(source, rewrites), network.blueprint, size, path)
        return source
    images = [image.cpu() for image in calibration]
    graph = post_training_quantize(rewritten(source, rewrites), images, fold_weights=chosen.folds_weights)
    chosen.write(graph, network.blueprint, size, path)
    return graph
