"""Formats: from a network to a file, float, float16 or int8, with float or integer ends, in one call."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from platform import system
from typing import Protocol

import torch
from torch import Tensor, nn

from compress.export.coreml_file import write_coreml, write_coreml_float16
from compress.export.executorch_file import write_executorch, write_executorch_int8_ends
from compress.export.litert_file import write_litert, write_litert_float16, write_litert_uint8_ends
from compress.export.litert_wide import Calibrated, WideWriter
from compress.export.onnx_file import OnnxWriter, write_onnx, write_onnx_fixed
from compress.export.rewrite import rewritten
from compress.int8.quantize import post_training_quantize
from compress.int8.scheme import Scheme
from compress.runtime.about import About
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network, built
from search_spaces.own import AnyBlueprint
from search_spaces.sides import STRIDE

PRECISIONS = ("float", "float16", "int8")
IO = ("float", "uint8", "int8")  # kinds of ends of an int8 file
WIDE = "16x8"
# precision -> what becomes integers in it
SCHEMES = {
    "int8": Scheme(),
    "int8-io-uint8": Scheme(integer_ends=True),
    "int8-io-int8": Scheme(integer_ends=True),
    WIDE: Scheme(activations=16),
}


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
    writers: dict[str, Write]  # by precision, of the files that are made unless others are asked for
    others: Mapping[str, Write] = field(default_factory=dict)  # by precision, of those that are asked for
    takes_images: frozenset[str] = frozenset()  # precisions of which the writer takes the ranges itself
    # precision -> rewrites that benchmarks/rewrites.py found faster in this runtime, before any quantization
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    system: str | None = None  # the one that can run it, as platform.system() says; None: all
    mixes: bool = False  # an int8 file may have 16 bits in some layers
    # by precision, of such files where another writer makes them, which takes the ranges itself
    mixed: Mapping[str, Write] = field(default_factory=dict)
    half_arithmetic: bool = False  # a float16 file computes in float16; else only its weights are kept so

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(self.writers)

    @property
    def all_writers(self) -> Mapping[str, Write]:
        return {**self.writers, **self.others}

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
        others={
            "int8-io-uint8": OnnxWriter(ends="uint8"),
            "int8-io-int8": OnnxWriter(ends="int8"),
            WIDE: write_onnx,
        },
        rewrites={"float": ("cells-as-strides",)},
        mixes=True,
    ),
    "onnx-fixed": Format(
        ".onnx",
        any_size=False,
        folds_weights=True,
        layout="NCHW",
        writers={"float": write_onnx_fixed, "int8": write_onnx_fixed},
        others={
            "int8-io-uint8": OnnxWriter(one_size=True, ends="uint8"),
            "int8-io-int8": OnnxWriter(one_size=True, ends="int8"),
            WIDE: write_onnx_fixed,
        },
        rewrites={"float": ("cells-as-strides",)},
        mixes=True,
    ),
    "litert": Format(
        ".tflite",
        any_size=False,
        folds_weights=False,
        layout="NHWC",
        writers={"float": write_litert, "float16": write_litert_float16, "int8": write_litert},
        others={"int8-io-uint8": write_litert_uint8_ends, "int8-io-int8": write_litert, WIDE: WideWriter("int16")},
        takes_images=frozenset({WIDE}),
        mixes=True,
        mixed={
            "int8": WideWriter("float"),
            "int8-io-int8": WideWriter("int8"),
            "int8-io-uint8": WideWriter("uint8"),
        },
        rewrites=dict.fromkeys(("float", "float16"), ("mean-as-convolution", "elu-as-exp")),
    ),
    "executorch": Format(
        ".pte",
        any_size=False,
        folds_weights=True,
        layout="NCHW",
        writers={"float": write_executorch, "int8": write_executorch},
        others={"int8-io-int8": write_executorch_int8_ends},
        rewrites=dict.fromkeys(("float", *SCHEMES), ("mean-as-convolution", "max-as-pooling")),
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


def is_int8(precision: str) -> bool:
    """Whether files of `precision` hold integers, with whatever ends."""
    return precision in SCHEMES


def int8_as(io: str, activations: int) -> str:
    """The precision of int8 files with ends of a kind of IO and activations of so many bits."""
    return WIDE if activations == 16 else "int8" if io == "float" else f"int8-io-{io}"


def io_of(precision: str) -> str:
    """What a file of `precision` takes and gives, one of IO."""
    return precision.partition("-io-")[2] or "float"


@dataclass(frozen=True, slots=True)
class Variant:
    """What kind of file a network becomes; raises ValueError for an unknown word and a size not divisible by 8."""

    format: str  # a key of FORMATS
    precision: str  # one of those that the format has
    size: tuple[int, int] | None = None  # height, width, needed where the format has a static size
    in_float: Collection[str] = ()  # layers that int8 leaves alone (quantize.layers_of)
    wide: Collection[str] = ()  # layers whose activations have 16 bits; they stay float where a format does not mix
    rewrites: Sequence[str] | None = None  # keys of rewrite.REWRITES; None: those that the format ships with

    def __post_init__(self) -> None:
        format, precision, size = self.format, self.precision, self.size
        if format not in FORMATS:
            raise ValueError(f"format = {format!r}: must be one of {', '.join(FORMATS)}")
        if precision not in FORMATS[format].all_writers:
            known = ", ".join(FORMATS[format].all_writers)
            raise ValueError(f"precision = {precision!r}: of {format} must be one of {known}")
        if size is not None and (min(size) < STRIDE or any(side % STRIDE for side in size)):
            raise ValueError(f"size = {size[0]}x{size[1]}: both sides must be multiples of {STRIDE}, at least {STRIDE}")
        if io_of(precision) != "float" and (floats := sorted(self.scheme.in_float)):
            raise ValueError(
                f"--io {io_of(precision)}: such files hold no float, and {', '.join(floats)} would be float in "
                f"{format}; ask for --io float, or leave {format} out"
            )

    @property
    def scheme(self) -> Scheme:
        """What becomes integers in an int8 file."""
        spared = (frozenset(self.in_float), frozenset(self.wide))
        in_float, wide = spared if FORMATS[self.format].mixes else (spared[0] | spared[1], frozenset())
        return replace(SCHEMES[self.precision], in_float=in_float, wide=wide)


def export_network(
    network: Network,
    variant: Variant,
    path: Path,
    calibration: Sequence[Tensor] = (),
    about: About | None = None,
) -> nn.Module:
    """Write `network` to `path` and return the torch module that the file came from, on the CPU, for `parity.check`.

    That is the network itself for a float file, and its int8 graph for an int8 file, whatever was rewritten for its
    runtime: a rewrite that computes something else would agree with itself. For a float16 file it is the rewritten
    network with rounded weights, so that the file can be held to all its digits.

    `calibration` holds images (B, 3, H, W) in [0, 1], needed for int8; `about` is kept in the file. Raises ValueError
    for an unknown layer, a wrong suffix or a size that is missing.
    """
    chosen, precision = FORMATS[variant.format], variant.precision
    is_mixed = precision in chosen.mixed and bool(variant.wide)
    if path.suffix != chosen.suffix:
        raise ValueError(f"path = {path}: a file of format {variant.format} must end in {chosen.suffix}")
    source = built(network.blueprint, seed=0)
    source.load_state_dict(network.state_dict())
    source.eval()
    names = chosen.rewrites.get(precision, ()) if variant.rewrites is None else variant.rewrites
    suited = rewritten(source, names)
    module: nn.Module = suited
    origin: nn.Module = source if precision == "float" else suited
    if is_int8(precision):
        if not isinstance(source, LPIENet) or not isinstance(suited, LPIENet):
            raise ValueError(
                f"precision = {precision!r}: int8 graphs are made of LPIENets alone; a network of your own has float"
            )
        images = [image.cpu() for image in calibration]
        fold = chosen.folds_weights
        module = origin = post_training_quantize(suited, images, fold, scheme=variant.scheme)
        if precision in chosen.takes_images or is_mixed:
            module = Calibrated(suited, images, variant.scheme)
        if names:
            origin = post_training_quantize(source, images, fold, scheme=variant.scheme)
    elif precision == "float16":
        round_weights(suited)
    (chosen.mixed if is_mixed else chosen.all_writers)[precision](module, network.blueprint, variant.size, path, about)
    return origin


def round_weights(network: nn.Module) -> None:
    """Round the weights of all convolutions to float16, as a file keeps them; biases stay, being few."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())
