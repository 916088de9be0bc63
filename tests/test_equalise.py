"""Equalising: the same network in float, of which int8 loses less where channels of one tensor differ in range."""

import pytest
import torch
from torch import Tensor

from compress.int8.equalise import equalised
from compress.int8.quantize import post_training_quantize
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build


def network_of(activation: str = "relu", attention: str = "none", block: str = "mobilenet", **genes: str) -> LPIENet:
    first, other = (Stage(depth=1, width=4, expansion=2.0, attention=kind) for kind in (attention, "none"))
    return build(Blueprint.from_genotype(Genotype((first, *(other,) * 4), block, activation, "conv3x3", **genes)), 0)


def images(count: int) -> list[Tensor]:
    made = torch.rand(count, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    return list(torch.split(made, 1))


def uneven(network: LPIENet) -> LPIENet:
    """The same function, with one channel of what the first encoder's block expands to a hundredfold."""
    spatial = network.get_submodule("encoder1.2.residuals.0.spatial")
    with torch.no_grad():
        for parameter in spatial[0].parameters():
            parameter[0] *= 100
        spatial[1].weight[0] /= 100
    return network.eval()


def lost(network: LPIENet, float_network: LPIENet) -> float:
    graph = post_training_quantize(network, images(2))
    with torch.no_grad():
        return sum(float((graph(image) - float_network(image)).square().sum()) for image in images(2))


@pytest.mark.parametrize(
    "network",
    [
        network_of(),
        network_of(attention="both"),
        network_of("elu"),
        network_of("gate"),
        network_of(join="add", upsampling="nearest"),
        network_of(join="add", stem="space-to-depth"),
        network_of(block="released"),
    ],
)
def test_the_network_computes_what_it_did_whatever_its_channels_pass_through(network: LPIENet) -> None:
    source = uneven(network) if network.blueprint.activation == "relu" else network.eval()
    before = {name: value.clone() for name, value in source.state_dict().items()}
    made = equalised(source, images(2))
    with torch.no_grad():
        for image in images(3):
            assert torch.allclose(made(image), source(image), atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())


def test_channels_that_one_scale_cannot_hold_lose_less_afterwards() -> None:
    source = uneven(network_of())
    made = equalised(source, images(2))
    expanded = "encoder1.2.residuals.0.spatial.0.weight"
    assert not torch.equal(made.state_dict()[expanded], source.state_dict()[expanded])
    assert lost(made, source) < 0.7 * lost(source, source)


def test_without_images_there_are_no_ranges() -> None:
    with pytest.raises(ValueError, match="images is empty"):
        equalised(network_of(), [])
