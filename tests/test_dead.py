"""Dead: what computes nothing goes, what computes something stays, and the output is the same either way."""

from dataclasses import replace

import pytest
import torch

from nas.dead import SAME, lightened, without_dead
from nas.scoring.short import train_from
from nas.scoring.training import Training
from nas.task.training import Recipe
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype, Stage, stages_of
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import on_any_size

GENOTYPE = Genotype(
    tuple(Stage(depth=2, width=width) for width in (8, 12, 16, 12, 8)), activation="relu", head="conv3x3"
)
SIZE = (256, 256)


def network_of(**changes) -> LPIENet:
    """Random weights in which, unlike in first ones, nothing begins at zero."""
    network = build(Blueprint.from_genotype(replace(GENOTYPE, **changes)), seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


def images(seed: int, *sides: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 3, side, side + 8, generator=generator) for side in sides]


PATCHES, HELD_OUT, NEW = images(0, *[64] * 24), images(1, 45, 64), images(2, 37, 48)


def difference(one: LPIENet, other: LPIENet, photographs: list[torch.Tensor] = NEW) -> float:
    """The largest one of the outputs; on photographs that neither the search for dead channels nor its check saw."""
    with torch.inference_mode():
        return max(float((on_any_size(one, x) - on_any_size(other, x)).abs().max()) for x in photographs)


def close(network: LPIENet, stage: str) -> None:
    """The ReLU of a stage never opens again."""
    with torch.no_grad():
        getattr(network, stage)[0].bias.fill_(-100.0)


def test_a_network_in_which_everything_moves_stays_whole():
    network = network_of(activation="elu")
    left = without_dead(network, PATCHES, HELD_OUT)
    assert [one.layer for one in left.removed if not one.layer.endswith("attention.channel")] == []
    assert difference(network, left.network) <= SAME


@pytest.mark.parametrize("activation", ["elu", "relu"])
def test_hidden_channels_that_are_constant_go_and_their_constant_stays_in_the_output(activation):
    network = network_of(activation=activation)
    spatial = network.encoder2[2].residuals[1].spatial
    mixing = network.decoder1[2].residuals[0].mixing
    with torch.no_grad():
        spatial[1].weight[:3] = 0.0  # a depthwise convolution that sees nothing gives its bias
        spatial[1].bias[:3] = torch.tensor([2.0, 0.5, -0.5])
        mixing[0].weight[4:6] = 0.0
        mixing[0].bias[4:6] = 3.0
    left = without_dead(network, PATCHES, HELD_OUT)
    removed = {one.layer: one.channels for one in left.removed}
    assert removed["encoder2.2.residuals.1.spatial"] >= 3
    assert removed["decoder1.2.residuals.0.mixing"] >= 2
    counts = left.network.blueprint.stages[1].blocks[1].depthwise, left.network.blueprint.stages[3].blocks[0].pointwise
    assert counts == (12 - removed["encoder2.2.residuals.1.spatial"], 12 - removed["decoder1.2.residuals.0.mixing"])
    assert difference(network, left.network) <= SAME


def test_the_gate_loses_both_of_its_channels():
    network = network_of(activation="gate")
    spatial = network.encoder1[2].residuals[0].spatial
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.6)  # or products of products, untrained, leave the range of float32
        spatial[1].weight[2] = spatial[1].bias[2] = 0.0  # one factor is 0; the other, at 2 + 8, moves
    left = without_dead(network, PATCHES, HELD_OUT)
    assert left.network.blueprint.stages[0].blocks[0].depthwise == 7
    assert difference(network, left.network) <= SAME


def test_a_constant_before_a_kernel_of_3x3_stays_since_padding_would_change_it_at_the_border():
    network = network_of(block="plain")
    spatial = network.encoder1[2].residuals[0].spatial
    with torch.no_grad():
        spatial[0].weight[:2] = 0.0
        spatial[0].bias[:2] = torch.tensor([-1.0, 1.0])  # behind the ReLU 0 and 1
    left = without_dead(network, PATCHES, HELD_OUT)
    assert left.network.blueprint.stages[0].blocks[0].depthwise == 7
    assert difference(network, left.network) <= SAME


def test_a_branch_of_which_every_channel_is_dead_keeps_one():
    network = network_of()
    with torch.no_grad():
        network.encoder1[2].attention.channel[0].bias.fill_(-100.0)
    left = without_dead(network, PATCHES, HELD_OUT)
    assert left.network.blueprint.stages[0].attention_hidden == 1
    assert difference(network, left.network) <= SAME


def test_stages_that_only_a_closed_decoder_reads_shrink_to_one_channel():
    network = network_of()
    close(network, "decoder2")
    left = without_dead(network, PATCHES, HELD_OUT)
    widths = {name: stage.width for name, stage in left.network.blueprint.named()}
    assert widths == {"encoder1": 8, "encoder2": 1, "encoder3": 1, "decoder1": 1, "decoder2": 8}
    assert difference(network, left.network) <= SAME
    assert macs_of(left.network.blueprint, SIZE) < 0.6 * macs_of(network.blueprint, SIZE)


def test_an_encoder_that_the_head_reads_too_is_kept_when_the_next_one_is_closed():
    network = network_of()
    close(network, "encoder2")
    left = without_dead(network, PATCHES, HELD_OUT)
    assert [stage.width for stage in left.network.blueprint.stages] == [8, 12, 16, 12, 8]
    assert difference(network, left.network) <= SAME


def test_a_closed_stage_with_another_opening_than_relu_is_not_called_closed():
    network = network_of(opening="leaky")
    close(network, "decoder2")
    left = without_dead(network, PATCHES, HELD_OUT)
    assert [stage.width for stage in left.network.blueprint.stages] == [8, 12, 16, 12, 8]


@pytest.mark.parametrize("head", ["conv3x3", "gated"])
@pytest.mark.parametrize(("decoder", "levels"), [("decoder2", 1), ("decoder1", 2), ("decoder0", 3)])
def test_a_decoder_that_gives_nothing_goes_with_all_levels_below(decoder, levels, head):
    deep = tuple(Stage(1, width, attention="none") for width in (8, 12, 16, 20, 16, 12, 8))
    network = network_of(stages=deep, levels=4, head=head)
    with torch.no_grad():
        for parameter in getattr(network, decoder).parameters():
            parameter.zero_()
    left = without_dead(network, PATCHES, HELD_OUT)
    assert left.network.blueprint.names == stages_of(levels)
    assert {one.layer for one in left.removed} >= set(stages_of(4)) - set(stages_of(levels))
    assert difference(network, left.network) <= SAME


def test_a_constant_of_a_decoder_goes_into_the_biases_of_a_head_that_has_no_border():
    deep = tuple(Stage(1, width, attention="none") for width in (8, 12, 8))
    network = network_of(stages=deep, levels=2, head="gated")
    with torch.no_grad():
        for parameter in network.decoder2.parameters():
            parameter.zero_()
        network.decoder2[2].residuals[0].spatial[3].bias.fill_(0.7)
    left = without_dead(network, PATCHES, HELD_OUT)
    assert left.network.blueprint.levels == 1
    assert difference(network, left.network) <= SAME


def test_what_is_silent_on_the_patches_only_stays():
    """A channel that opens for light that no patch has is found by the held-out photographs."""
    network = network_of()
    residual = network.encoder1[2].residuals[0]
    with torch.no_grad():
        network.encoder1[0].weight.abs_()  # so that light patches give more than dark ones
        residual.spatial[1].weight.zero_()
        residual.spatial[1].bias.fill_(0.5)
        residual.mixing[0].weight[0] = 0.01
        residual.mixing[0].bias[0] = 0.0
    dark, light = [torch.zeros(1, 3, 32, 32)], HELD_OUT
    found = {one.layer for one in without_dead(network, dark, light).removed}
    assert "encoder1.2.residuals.0.mixing" not in found
    assert difference(network, without_dead(network, dark, light).network, light) <= SAME


def test_the_network_that_was_given_is_left_as_it_was():
    network = network_of()
    close(network, "decoder2")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    without_dead(network, PATCHES, HELD_OUT)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_trained_network_gives_the_same_without_its_dead_channels(task, tmp_path):
    blueprint = Blueprint.from_genotype(replace(GENOTYPE, stages=(Stage(1, 8), *GENOTYPE.stages[1:])))
    network, _ = train_from(None, Training.on(task, blueprint, Recipe(60), 0), task, tmp_path)
    left = lightened(network, task)
    assert left.removed  # ReLUs close at this recipe's rate
    assert macs_of(left.network.blueprint, SIZE) < macs_of(blueprint, SIZE)
    # Photographs of the test split: on white noise, of which it saw none, a channel that is dead here may open.
    assert difference(network, left.network, [degraded for _, degraded, _ in task.test]) <= SAME
