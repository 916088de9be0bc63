"""Cost: multiply-adds and parameters of a network at a stated input size, counted by fvcore."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.jit_handles import get_shape
from torch import nn

from search_spaces.blueprint import IMAGE_CHANNELS, Blueprint
from search_spaces.lpienet import build, parameters
from search_spaces.sides import STRIDE, padded_side

DEFAULT_SIZE = (256, 256)  # height, width: the size at which LPIENet's own paper counts

_CONVOLUTION = "conv"  # fvcore's names of what it counts
_UPSAMPLING = "upsample_bilinear2d"
_MULTIPLY_ADDS = (_CONVOLUTION, "linear", "addmm", "bmm", "matmul", "mm", "einsum")

# Operators that the count of multiply-adds leaves out, each with its reason. Any other uncounted one is an error.
FREE = {
    "aten::gelu": "one lookup per element, no multiply-add",
    "aten::silu": "one lookup or exponential and one multiplication per element, no multiply-add",
    "aten::hardswish": "two comparisons and two multiplications per element, fused like a ReLU",
    "aten::hardtanh": "two comparisons per element, fused like a ReLU",
    "aten::prelu": "one comparison and one multiplication per element, fused like a ReLU",
    "aten::tanh": "one lookup or exponential per element, no multiply-add",
    "aten::clamp": "two comparisons per element",
    "aten::sub": "one addition per element without a multiplication",
    "aten::avg_pool2d": "additions only, one per input",
    "aten::reflection_pad2d": "moves memory, computes nothing",
    "aten::elu": "one lookup or exponential per element, no multiply-add",
    "aten::leaky_relu": "one comparison and one multiplication per element, fused like a ReLU",
    "aten::slice": "moves memory, computes nothing",
    "aten::chunk": "moves memory, computes nothing",
    "aten::relu": "one comparison per element, fused into the convolution before it by every runtime",
    "aten::sigmoid": "one lookup or exponential per element, no multiply-add",
    "aten::add": "one addition per element without a multiplication",
    "aten::mul": "one multiplication per element without an addition",
    "aten::mean": "additions only, one per element",
    "aten::amax": "comparisons only, one per element",
    "aten::max_pool2d": "comparisons only, three per output",
    "aten::cat": "moves memory, computes nothing",
    "aten::pixel_unshuffle": "moves memory, computes nothing",
    "aten::pixel_shuffle": "moves memory, computes nothing",
}


class UncountedOperator(ValueError):
    """The network holds an operator that fvcore cannot count and that FREE does not name."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one forward pass of one image costs."""

    macs: int  # multiply-adds of the convolutions at `size`; 1 MAC = 2 FLOPs
    upsampling_macs: int  # fvcore's count for the bilinear upsampling, beside `macs` and not in it
    parameters: int
    size: tuple[int, int]  # height, width in pixels, as asked; counted at the padded size


@lru_cache(maxsize=4096)
def cost_of(blueprint: Blueprint, size: tuple[int, int] = DEFAULT_SIZE) -> Cost:
    """Cost of the network of `blueprint` at `size` (height, width); raises UncountedOperator."""
    network = build(blueprint, seed=0)
    counts = _count(network, size, {"aten::upsample_nearest2d": lambda inputs, outputs: 0})  # fvcore counts outputs
    unexpected = {operator for operator, n in counts.items() if n and operator not in (_CONVOLUTION, _UPSAMPLING)}
    if unexpected:
        raise UncountedOperator(f"fvcore counted operators that cost.py does not expect: {sorted(unexpected)}")
    return Cost(counts[_CONVOLUTION], counts[_UPSAMPLING], parameters(network), size)


def traced_macs(network: nn.Module) -> int:
    """Multiply-adds of convolutions and matrix products for an image of STRIDE x STRIDE pixels, of any network.

    Normalizations are not counted: they become part of the convolution beside them when a file is written.
    Raises UncountedOperator.
    """
    counts = _count(network.eval(), (STRIDE, STRIDE), {})
    return sum(n for operator, n in counts.items() if operator in _MULTIPLY_ADDS)


def tensorflow_flops(blueprint: Blueprint, size: tuple[int, int]) -> int:
    """FLOPs as TensorFlow's profiler counts them, for comparison with the authors' published figure.

    Per operator: convolution 2 per MAC plus 1 per bias addition; add and multiply 1 per output; mean 1 per input;
    maximum 1 per input less the outputs; max-pooling 4 per output; activations and resize 0. The authors'
    notebook prints 310.46 GFLOPs for the released network at 3840x2160.
    """
    network = build(blueprint, seed=0)
    counts = _count(
        network,
        size,
        {
            "aten::_convolution": _tensorflow_convolution,
            "aten::upsample_bilinear2d": lambda inputs, outputs: 0,
            "aten::upsample_nearest2d": lambda inputs, outputs: 0,
            "aten::add": _outputs,
            "aten::mul": _outputs,
            "aten::mean": _inputs,
            "aten::amax": lambda inputs, outputs: _inputs(inputs, outputs) - _outputs(inputs, outputs),
            "aten::max_pool2d": lambda inputs, outputs: 4 * _outputs(inputs, outputs),
        },
    )
    return sum(counts.values())


Handle = Callable[[list[Any], list[Any]], int]


def _count(network: nn.Module, size: tuple[int, int], handles: dict[str, Handle]) -> Counter[str]:
    """Operations per operator at `size`, traced on the smallest image that the network takes.

    Every operator keeps or rescales the sides by a fixed factor, so every count is proportional to the pixels; a
    trace at full size would give the same numbers and take seconds and gigabytes at 4K.
    """
    height, width = (padded_side(side) for side in size)
    smallest = torch.zeros(1, IMAGE_CHANNELS, STRIDE, STRIDE)
    analysis = FlopCountAnalysis(network, smallest)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    for operator, handle in handles.items():
        analysis.set_op_handle(operator, handle)
    silent = logging.getLogger("fvcore")
    level = silent.level
    silent.setLevel(logging.ERROR)
    try:
        counts: Counter[str] = Counter(
            {operator: int(n) * height * width // STRIDE**2 for operator, n in analysis.by_operator().items()}
        )
    finally:
        silent.setLevel(level)
    uncounted = {operator.removesuffix("_") for operator in analysis.unsupported_ops()} - set(FREE)
    if uncounted:
        raise UncountedOperator(
            f"fvcore cannot count {', '.join(sorted(uncounted))}; add a handle or name it in cost.FREE with the reason"
        )
    return counts


def _outputs(inputs: list[Any], outputs: list[Any]) -> int:
    return prod(get_shape(outputs[0]))


def _inputs(inputs: list[Any], outputs: list[Any]) -> int:
    return prod(get_shape(inputs[0]))


def _tensorflow_convolution(inputs: list[Any], outputs: list[Any]) -> int:
    weight, output = get_shape(inputs[1]), get_shape(outputs[0])
    multiply_adds: int = prod(output) * prod(weight[1:])
    return 2 * multiply_adds + int(prod(output))
