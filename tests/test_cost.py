"""Cost: multiply-adds equal to a hand count over every convolution, and to the authors' published figure."""

import random
from dataclasses import replace

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from search_spaces import blocks
from search_spaces.blueprint import Blueprint
from search_spaces.cost import UncountedOperator, cost_of, tensorflow_flops
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import PAPER, REFERENCE, default_space

SMALL = Genotype(tuple(Stage(depth=1, width=4, attention="none") for _ in range(5)))
SAMPLES = [default_space().sample(random.Random(seed)) for seed in range(10)]
OTHERS = [  # choices that the default space leaves out
    replace(REFERENCE, block="mobilenet"),
    replace(REFERENCE, stem="space-to-depth"),
    replace(REFERENCE, stem="space-to-depth", head="conv3x3"),
]


def counted_by_hand(genotype: Genotype, height: int, width: int) -> int:
    """Multiply-adds: for each convolution, its outputs times the weights that one of them takes.

    The pass runs on torch's meta device: all the shapes, none of the arithmetic.
    """
    network = build(Blueprint.from_genotype(genotype), seed=0).to("meta")
    counts = []

    def count(module: nn.Conv2d, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        rows, columns = module.kernel_size
        counts.append(output.numel() * module.in_channels // module.groups * rows * columns)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.empty(1, 3, height, width, device="meta"))
    return sum(counts)


@pytest.fixture
def blueprint_with_activation(monkeypatch):
    """Makes a blueprint whose activation is some other module."""

    def with_activation(module: type[nn.Module]) -> Blueprint:
        monkeypatch.setitem(blocks.ACTIVATION, "elu", module)
        cost_of.cache_clear()
        return Blueprint.from_genotype(SMALL)

    return with_activation


@pytest.mark.parametrize("genotype", [REFERENCE, PAPER, *SAMPLES, *OTHERS])
def test_multiply_adds_equal_the_hand_count(genotype):
    assert cost_of(Blueprint.from_genotype(genotype)).macs == counted_by_hand(genotype, 256, 256)


@pytest.mark.parametrize("genotype", [REFERENCE, SAMPLES[0], OTHERS[1]])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (1080, 1920)])
def test_multiply_adds_equal_the_hand_count_at_another_size(genotype, height, width):
    cost = cost_of(Blueprint.from_genotype(genotype), (height, width))
    assert cost.macs == counted_by_hand(genotype, height, width)
    assert cost.size == (height, width)


@pytest.mark.parametrize(
    ("size", "padded"), [((252, 254), (256, 256)), ((1, 12), (8, 16)), ((1081, 1920), (1088, 1920))]
)
def test_sides_not_divisible_by_eight_are_counted_padded(size, padded):
    blueprint = Blueprint.from_genotype(SMALL)
    assert cost_of(blueprint, size).macs == cost_of(blueprint, padded).macs
    assert cost_of(blueprint, size).size == size


def test_the_reference_costs_what_is_known_of_the_released_network():
    cost = cost_of(Blueprint.from_genotype(REFERENCE))
    assert cost.parameters == 133_652
    assert cost.macs == 1_198_063_616


def test_the_count_equals_that_of_a_trace_at_full_size():
    network = build(Blueprint.from_genotype(REFERENCE), seed=0)
    analysis = FlopCountAnalysis(network, torch.zeros(1, 3, 64, 64))
    traced = analysis.unsupported_ops_warnings(False).tracer_warnings("none").by_operator()
    cost = cost_of(network.blueprint, (64, 64))
    assert (cost.macs, cost.upsampling_macs) == (traced["conv"], traced["upsample_bilinear2d"])
    assert cost_of(network.blueprint, (256, 256)).macs == 16 * traced["conv"]


def test_flops_as_tensorflow_counts_them_equal_the_published_figure():
    assert round(tensorflow_flops(Blueprint.from_genotype(REFERENCE), (2160, 3840)) / 1e9, 2) == 310.46


def test_an_operator_that_cannot_be_counted_is_an_error_that_names_it(blueprint_with_activation):
    with pytest.raises(UncountedOperator, match=r"cannot count aten::mish; .*cost\.FREE"):
        cost_of(blueprint_with_activation(nn.Mish))


def test_an_operator_that_is_counted_but_unknown_is_an_error_that_names_it(blueprint_with_activation):
    class Pool(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * nn.functional.adaptive_avg_pool2d(x, 1)

    with pytest.raises(UncountedOperator, match="adaptive_avg_pool2d"):
        cost_of(blueprint_with_activation(Pool))
