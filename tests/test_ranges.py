"""Ranges: what a network cancels may be cut off, and what it needs is kept."""

import pytest
import torch
from torch import Tensor, nn

from compress.int8.quantize import post_training_quantize
from compress.int8.ranges import _Rounding, _search
from compress.int8.scheme import Scheme
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build


class Limited(nn.Module):
    """A tensor of which only what is within +-1 counts."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(4 * x).clamp(-1, 1)


@pytest.fixture(scope="module")
def network() -> LPIENet:
    stages = (Stage(depth=1, width=4, expansion=1.0, attention="none"),) * 5
    return build(Blueprint.from_genotype(Genotype(stages, "mobilenet", "relu", "conv3x3")), 0).eval()


def images(count: int, seed: int = 0) -> list[Tensor]:
    """Dark ones with a few bright pixels."""
    made = torch.rand(count, 3, 16, 24, generator=torch.Generator().manual_seed(seed))
    return list(torch.split(made**8, 1))


def test_a_range_loses_what_the_network_has_no_use_for() -> None:
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rounding, graph = _Rounding(8 / 255, 0, -128, 127), Limited()
    graph.inside = rounding

    def error(scale: float) -> float:
        rounded = (4 * image / scale).round().clamp(-128, 127) * scale
        return float((rounded.clamp(-1, 1) - (4 * image).clamp(-1, 1)).square().sum())

    _search([rounding], graph, Limited(), [image])
    low, high = ((level - rounding.zero_point) * rounding.scale for level in (-128, 127))
    assert -3 < low < -1
    assert 1 < high < 3
    assert error(rounding.scale) < 0.7 * error(8 / 255)


def test_a_range_of_which_the_network_needs_all_stays() -> None:
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rounding = _Rounding(2 / 255, 0, -128, 127)
    _search([rounding], rounding, nn.Identity(), [image])
    assert (rounding.scale, rounding.zero_point) == (2 / 255, 0)


@pytest.mark.slow
def test_an_int8_graph_is_nearer_to_its_network_than_by_the_least_squares_of_each_tensor(
    network: LPIENet,
) -> None:
    def error(settled: bool) -> float:
        graph = post_training_quantize(network, images(3), scheme=Scheme(settled=settled))
        with torch.no_grad():
            return sum(float((graph(image) - network(image)).square().sum()) for image in images(3))

    assert error(settled=True) < error(settled=False)
