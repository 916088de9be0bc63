"""Doubling in ExecuTorch: the graph says the same without nearest upsampling, and its delegate takes it whole."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

from compress.export.delegates import delegated
from compress.export.executorch_doubling import has_resizes, without_resizes
from compress.export.formats import Variant, export_network
from compress.export.parity import check
from compress.int8.quantize import post_training_quantize
from compress.runtime.runtimes import load
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (32, 40)


def image(seed: int) -> Tensor:
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def network_of(join: str) -> LPIENet:
    """As those of the published front are: with `add`, a 1x1 convolution makes what is doubled."""
    stages = (Stage(depth=1, width=4, expansion=1.0, attention="none"),) * 5
    genotype = Genotype(stages, "mobilenet", "relu", "conv3x3", join=join, upsampling="nearest")
    return build(Blueprint.from_genotype(genotype), 0).eval()


def graph_of(network: LPIENet, precision: str) -> GraphModule:
    if precision == "int8":
        return post_training_quantize(network, [image(0)])
    graph = torch.export.export(network, (image(0),)).module(check_guards=False)
    assert isinstance(graph, GraphModule)
    return graph


@pytest.mark.parametrize("precision", ["float", "int8"])
def test_a_graph_says_the_same_without_nearest_upsampling(precision: str) -> None:
    network = network_of("add")
    before, after = graph_of(network, precision), without_resizes(graph_of(network, precision))
    assert (has_resizes(before.graph), has_resizes(after.graph)) == (True, False)
    with torch.no_grad():
        given, expected = after(image(1)), before(image(1))
    assert torch.allclose(given, expected, atol=1e-6)
    assert float((expected - image(1)).abs().max()) > 1e-3


def test_what_no_convolution_makes_is_doubled_as_it_was() -> None:
    graph = graph_of(network_of("concat"), "float")
    expected = graph(image(1))
    assert has_resizes(without_resizes(graph).graph)
    assert torch.equal(graph(image(1)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float", "int8-io-int8"])
def test_executorch_takes_a_network_that_doubles_in_one_partition(precision: str, tmp_path: Path) -> None:
    network, path = network_of("add"), tmp_path / "one.pte"
    module = export_network(network, Variant("executorch", precision, SIZE), path, [image(0)])
    found = delegated(path)
    assert (found.partitions, found.outside) == (1, ())
    check(load(path), module, [image(1), image(2)])
