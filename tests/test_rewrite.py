"""Rewrites: the same function in other operators, of float networks and in their int8 graphs."""

import pytest
import torch
from torch import Tensor

from compress.export.rewrite import REWRITES, rewritten
from compress.int8.quantize import post_training_quantize
from search_spaces.blueprint import BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.lpienet import LPIENet, build

# rewrite -> the operator that it takes out of the graph
REPLACED = {
    "mean-as-convolution": "aten.mean.dim",
    "max-as-pooling": "aten.amax.default",
    "elu-as-exp": "aten.elu.default",
    "cells-as-strides": "aten.pixel_unshuffle.default",
}


def network_of(head: str, stem: str = "space-to-depth", block: str = "released") -> LPIENet:
    """Odd widths, all attentions, and weights as far from their initialisation as training takes them."""
    inner = (BlockBlueprint(depthwise=5, pointwise=11),)
    attentions = ("both", "channel", "spatial", "none", "both")
    stages = tuple(
        StageBlueprint(width, inner, attention, 3 if attention in ("channel", "both") else 0)
        for width, attention in zip((7, 6, 9, 5, 7), attentions, strict=True)
    )
    network = build(Blueprint(stages, block=block, activation="elu", head=head, stem=stem), seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
    return network


def images(height: int, width: int, batch: int = 1, seed: int = 3) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def operators(module: torch.nn.Module) -> set[str]:
    graph = torch.export.export(module, (images(32, 40),)).graph
    return {str(node.target) for node in graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize("head", ["conv3x3", "gated"])
@pytest.mark.parametrize("name", REWRITES)
def test_a_rewrite_keeps_what_the_network_says_on_images_of_any_shape(name: str, head: str) -> None:
    network = network_of(head)
    other = rewritten(network, [name])
    for height, width, batch in ((8, 8, 1), (72, 104, 2), (24, 136, 3)):
        image = images(height, width, batch)
        with torch.no_grad():
            expected = network(image)
            assert float((other(image) - expected).abs().max()) <= 1e-5
            assert float((expected - image).abs().max()) > 0.05  # the network does something


def test_all_rewrites_together_keep_it_too() -> None:
    for block in ("released", "paper"):
        network = network_of("conv3x3", block=block)
        image = images(40, 88)
        with torch.no_grad():
            assert float((rewritten(network, tuple(REWRITES))(image) - network(image)).abs().max()) <= 1e-5


@pytest.mark.parametrize("name", REWRITES)
def test_a_rewrite_takes_its_operator_out_of_the_graph(name: str) -> None:
    network = network_of("conv3x3")
    assert REPLACED[name] in operators(network)
    assert REPLACED[name] not in operators(rewritten(network, [name]))


def test_the_network_itself_is_left_as_it_was() -> None:
    network = network_of("conv3x3")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = operators(network)
    rewritten(network, tuple(REWRITES))
    assert operators(network) == found
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_rewrite_changes_nothing_where_it_has_nothing_to_do() -> None:
    network = network_of("conv3x3", stem="full")
    assert list(rewritten(network, ["cells-as-strides"]).state_dict()) == list(network.state_dict())


def test_an_unknown_rewrite_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'faster' must be one of mean-as-convolution"):
        rewritten(network_of("gated"), ["faster"])


def test_an_int8_graph_of_a_rewritten_network_serves_other_sizes_and_is_as_close_to_the_float_network() -> None:
    network = network_of("conv3x3", stem="full")
    calibration = [images(32, 40, seed=seed) for seed in range(4)]
    plain = post_training_quantize(network, calibration)
    other = post_training_quantize(rewritten(network, ["mean-as-convolution", "max-as-pooling"]), calibration)
    assert not {"aten.mean.dim", "aten.amax.default"} & {str(node.target) for node in other.graph.nodes}
    image = images(24, 56, batch=2, seed=9)
    with torch.no_grad():
        expected = network(image)
        error, before = ((graph(image) - expected).square().mean() for graph in (other, plain))
    assert float(error) < 1.3 * float(before)


def test_the_pooled_maximum_of_an_int8_graph_keeps_the_scale_of_its_input() -> None:
    network = rewritten(network_of("conv3x3", stem="full"), ["max-as-pooling"])
    graph = post_training_quantize(network, [images(32, 40)])
    pools = [node for node in graph.graph.nodes if str(node.target) == "aten.max_pool2d.default"]
    assert len(pools) == 5  # two of the U-Net, three of attentions with a maximum
    for pool in pools:
        (after,) = pool.users
        assert pool.args[0].args[1:3] == after.args[1:3]  # scale and zero point
