"""Formats: from a network to a file, float, float16 or int8, in one call."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from platform import system
from typing import Protocol

import torch
from torch import Tensor, nn

from compress.export.coreml_file import write_coreml, write_coreml_float16
from compress.export.executorch_file import write_executorch
from compress.export.litert_file import write_litert, write_litert_float16
from compress.export.onnx_file import write_onnx, write_onnx_fixed
from compress.export.rewrite import rewritten
from compress.int8.quantize import post_training_quantize
from compress.runtime.about import About
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network, built
from search_spaces.own import AnyBlueprint
from search_spaces.sides import STRIDE

PRECISIONS = ("float", "float16", "int8")


class Write(Protocol):
    """Writes a module to a file; see `export_network`."""

    def __call__(
        self, module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of file is written."""

    suffix: str
    any_size: bool  # one file serves every image size
    folds_weights: bool  # takes an int8 graph whose weights are integers already
    layout: str  # of images: NCHW or NHWC
    writers: dict[str, Write]  # by precision
    # precision -> rewrites that benchmarks/rewrites.py found faster in this runtime, before any quantization
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    system: str | None = None  # the one that can run it, as platform.system() says; None: all
    half_arithmetic: bool = False  # a float16 file computes in float16; else only its weights are kept so

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(self.writers)

    @property
    def runs_here(self) -> bool:
        return self.system in (None, system())


FORMATS = {
    "onnx": Format(
        ".onnx",
        any_size=True,
        folds_weights=True,
        layout="NCHW",
        writers={"float": write_onnx, "int8": write_onnx},
        rewrites={"float": ("cells-as-strides",)},
    ),
    "onnx-fixed": Format(
        ".onnx",
        any_size=False,
        folds_weights=True,
        layout="NCHW",
        writers={"float": write_onnx_fixed, "int8": write_onnx_fixed},
        rewrites={"float": ("cells-as-strides",)},
    ),
    "litert": Format(
        ".tflite",
        any_size=False,
        folds_weights=False,
        layout="NHWC",
        writers={"float": write_litert, "float16": write_litert_float16, "int8": write_litert},
        rewrites=dict.fromkeys(("float", "float16"), ("mean-as-convolution", "elu-as-exp")),
    ),
    "executorch": Format(
        ".pte",
        any_size=False,
        folds_weights=True,
        layout="NCHW",
        writers={"float": write_executorch, "int8": write_executorch},
        rewrites=dict.fromkeys(("float", "int8"), ("mean-as-convolution", "max-as-pooling")),
    ),
    "coreml": Format(
        ".mlpackage",
        any_size=False,
        folds_weights=False,
        layout="NCHW",
        writers={"float": write_coreml, "float16": write_coreml_float16},
        system="Darwin",
        half_arithmetic=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """What kind of file a network becomes; raises ValueError for an unknown word and a size not divisible by 8."""

    format: str  # a key of FORMATS
    precision: str  # one of those that the format has
    size: tuple[int, int] | None = None  # height, width, needed where the format has a static size
    in_float: Collection[str] = ()  # layers that int8 leaves alone (quantize.layers_of)
    rewrites: Sequence[str] | None = None  # keys of rewrite.REWRITES; None: those that the format ships with

    def __post_init__(self) -> None:
        format, precision, size = self.format, self.precision, self.size
        if format not in FORMATS:
            raise ValueError(f"format = {format!r}: must be one of {', '.join(FORMATS)}")
        if precision not in FORMATS[format].writers:
            known = ", ".join(FORMATS[format].writers)
            raise ValueError(f"precision = {precision!r}: of {format} must be one of {known}")
        if size is not None and (min(size) < STRIDE or any(side % STRIDE for side in size)):
            raise ValueError(f"size = {size[0]}x{size[1]}: both sides must be multiples of {STRIDE}, at least {STRIDE}")


def export_network(
    network: Network,
    variant: Variant,
    path: Path,
    calibration: Sequence[Tensor] = (),
    about: About | None = None,
) -> nn.Module:
    """Write `network` to `path` and return the torch module that the file came from, on the CPU, for `parity.check`.

    That is the network itself for a float file, whatever was rewritten for its runtime; for an int8 file the int8 graph
    of the network as rewritten; and for a float16 file that network with rounded weights, so that the file can be held
    to all its digits.

    `calibration` holds images (B, 3, H, W) in [0, 1], needed for int8; `about` is kept in the file. Raises ValueError
    for an unknown layer, a wrong suffix or a size that is missing.
    """
    chosen, precision = FORMATS[variant.format], variant.precision
    if path.suffix != chosen.suffix:
        raise ValueError(f"path = {path}: a file of format {variant.format} must end in {chosen.suffix}")
    source = built(network.blueprint, seed=0)
    source.load_state_dict(network.state_dict())
    source.eval()
    suited = rewritten(source, chosen.rewrites.get(precision, ()) if variant.rewrites is None else variant.rewrites)
    module: nn.Module = suited
    if precision == "int8":
        if not isinstance(suited, LPIENet):
            raise ValueError(
                "precision = 'int8': int8 graphs are made of LPIENets alone; a network of your own has float"
            )
        images = [image.cpu() for image in calibration]
        module = post_training_quantize(suited, images, fold_weights=chosen.folds_weights, in_float=variant.in_float)
    elif precision == "float16":
        round_weights(suited)
    chosen.writers[precision](module, network.blueprint, variant.size, path, about)
    return source if precision == "float" else module


def round_weights(network: nn.Module) -> None:
    """Round the weights of all convolutions to float16, as a file keeps them; biases stay, being few."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())
