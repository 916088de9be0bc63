"""Twice: channels in two copies, half a step of int8 apart, of which int8 loses less."""

import pytest
import torch
from torch import Tensor
from torch.fx import Interpreter, Node

from compress.int8.quantize import captured, post_training_quantize, steps_of
from compress.int8.rounded import rounded
from compress.int8.twice import twice
from compress.settings import CompressSettings, Fast
from lpienas.fields import levels_or_auto
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build


def images(count: int) -> list[Tensor]:
    drawn = torch.rand(count, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    return list(torch.split(drawn, 1))


def network_of(activation="relu", attention="none", block="mobilenet", head="conv3x3", **genes) -> LPIENet:
    first, other = (Stage(depth=2, width=4, expansion=2.0, attention=kind) for kind in (attention, "none"))
    genotype = Genotype((first, *(other,) * 4), block, activation, head, **genes)
    return build(Blueprint.from_genotype(genotype), 0).eval()


def adding() -> LPIENet:
    """As the networks of the published front are."""
    return network_of(join="add", upsampling="nearest", opening="none")


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize(
    "network",
    [
        adding(),
        network_of(),
        network_of(attention="both"),
        network_of(attention="spatial", head="gated", stem="space-to-depth"),
        network_of("elu", attention="channel", join="add"),
        network_of("gate"),
        network_of(block="released", opening="leaky"),
        network_of(block="plain"),
    ],
)
def test_the_network_computes_what_it_did_whatever_its_channels_pass_through(network: LPIENet, levels: int):
    made = twice(network, images(2), levels)
    widths = [stage.width for stage in made.blueprint.stages]
    assert widths == [4 * (2 if place < levels or place >= 5 - levels else 1) for place in range(5)]
    with torch.no_grad():
        for image in images(3):
            apart = float((made(image) - network(image)).abs().max())
            assert apart < 5e-4  # what a ReLU does to a quarter of a step


def test_nothing_else_than_a_relu_tells_the_copies_from_their_channel():
    network = adding()
    with torch.no_grad():
        apart = max(float((twice(network, images(2), 2)(image) - network(image)).abs().max()) for image in images(3))
    assert apart < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_int8_of_the_copies_loses_less(seed: int):
    network = build(adding().blueprint, seed).eval()

    def lost(candidate: LPIENet) -> float:
        graph = post_training_quantize(rounded(candidate, images(8)), images(8))
        with torch.no_grad():
            return sum(float((graph(image) - network(image)).square().mean()) for image in images(16)[8:])

    assert lost(twice(network, images(8), 3)) < 0.8 * lost(network)


def test_the_copies_are_half_a_step_apart():
    network = adding()
    made = twice(network, images(2), 1)
    step = steps_of(made, images(2))["conv2d"]
    first, second = made.state_dict()["encoder1.0.bias"].chunk(2)
    torch.testing.assert_close(first - second, torch.full((4,), step / 2), rtol=0.05, atol=0)
    torch.testing.assert_close((first + second) / 2, network.state_dict()["encoder1.0.bias"])


def test_the_copies_of_sums_are_about_half_of_their_own_step_apart_whole_ones_left_aside():
    made = twice(adding(), images(2), 1)
    steps = steps_of(made, images(2))
    sums: dict[str, Tensor] = {}

    class Watched(Interpreter):
        def run_node(self, n: Node) -> Tensor:
            value = super().run_node(n)
            if n.name in steps and n.target == torch.ops.aten.add.Tensor and value.shape[1] == 8:
                sums[n.name] = value
            return value

    with torch.no_grad():
        Watched(captured(made)).run(images(1)[0])
    assert len(sums) == 5  # two in the encoder's blocks, the skip, two in the decoder's
    for name, value in sums.items():
        first, second = value.chunk(2, dim=1)
        assert abs(float((first - second).mean()) / steps[name] % 1 - 0.5) < 0.2


def test_no_level_is_a_copy_of_the_network():
    network = adding()
    made = twice(network, images(1), 0)
    assert made is not network
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in network.state_dict().items())


def test_levels_that_the_network_does_not_have_are_refused():
    with pytest.raises(ValueError, match="levels = 4: must be from 0 to 3, which this network has"):
        twice(adding(), images(1), 4)


@pytest.mark.parametrize("text", ["one", "-1", "1.5", ""])
def test_what_is_no_number_of_levels_is_refused(text: str):
    with pytest.raises(ValueError, match="write a number of levels, like 1, or auto"):
        levels_or_auto(text)


def test_levels_are_a_number_or_auto():
    assert (levels_or_auto("2"), levels_or_auto("auto")) == (2, "auto")


def test_a_latency_in_int8_is_not_of_channels_that_are_held_twice():
    settings = CompressSettings.of_steps(2)
    fields = {name: getattr(settings, name) for name in ("training", "fine_tuning", "quantization")}
    with pytest.raises(ValueError, match="twice = auto with a latency in int8"):
        CompressSettings(**fields, prune=Fast(20), twice="auto")
    with pytest.raises(ValueError, match="twice = 'all': must be a number of levels, or auto"):
        CompressSettings(**fields, twice="all")
    CompressSettings(**fields, prune=Fast(20, precision="float"), twice=1)
