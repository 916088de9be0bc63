"""Prune: whole channels go, in the stages too, until the cost is met; what is left is a network like any other."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from compress.prune.channels import _differentiate, _first, blueprint_of, prune
from results.files import load_network, save_network
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import on_any_size

SMALL = Genotype(tuple(Stage(depth=1, width=width) for width in (16, 16, 24, 16, 16)), activation="relu")


def network_of(genotype: Genotype) -> LPIENet:
    return build(Blueprint.from_genotype(genotype), seed=0)


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def losses(network: nn.Module) -> Iterator[Tensor]:
    """Each depends on every weight."""
    for image in noise(3, 3, 16, 16).split(1):
        yield (network(image) - image.flip(1)).square().mean()


def gradients(network: nn.Module) -> None:
    network.zero_grad()
    next(losses(network)).backward()


@pytest.fixture(scope="module")
def network():
    return network_of(SMALL)


@pytest.fixture(scope="module")
def before(network):
    """The weights before pruning."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture(scope="module")
def pruned(network, before):
    return prune(network, keep=0.7)


def test_the_target_is_reached_and_not_missed_by_much(network, pruned):
    whole = cost_of(network.blueprint).macs
    assert pruned.cost == cost_of(pruned.network.blueprint).macs
    assert 0.62 * whole < pruned.cost <= 0.7 * whole
    assert pruned.kept == pruned.cost / whole


@pytest.mark.parametrize("enough", [0, 1, 2, 3, 4, 7, 8, 9, 31, 50, 98, 99])
def test_the_first_group_that_is_enough_is_found_with_few_questions(enough):
    asked = []

    def is_enough(number: int) -> bool:
        asked.append(number)
        return number >= enough

    assert _first(((number, {}) for number in range(100)), is_enough) == (enough, {})
    assert len(asked) <= 2 * math.log2(enough + 1) + 2


def test_where_no_group_is_enough_the_last_one_is_told():
    assert _first(((number, {}) for number in range(100)), lambda number: False) == (99, {})


def test_no_cost_is_asked_for_twice(network):
    asked = []

    def cost(blueprint: Blueprint) -> float:
        asked.append(blueprint)
        return cost_of(blueprint).macs

    prune(network, 0.5, cost=cost)
    assert 5 < len(asked) == len(set(asked))


def test_a_small_share_takes_one_group_and_not_one_of_every_stage(network):
    smaller = prune(network, keep=0.9)
    assert 0.78 < smaller.kept <= 0.9
    widths = [
        (stage.width, before.width)
        for stage, before in zip(smaller.network.blueprint.stages, network.blueprint.stages, strict=True)
    ]
    assert sum(width < before for width, before in widths) < 5


def test_stages_lose_width(network, pruned):
    widths = [stage.width for stage in pruned.network.blueprint.stages]
    assert all(width <= stage.width for width, stage in zip(widths, network.blueprint.stages, strict=True))
    assert sum(width < stage.width for width, stage in zip(widths, network.blueprint.stages, strict=True)) >= 3


@pytest.mark.parametrize("round_to", [2, 4, 8])
def test_every_channel_count_stays_a_multiple(network, round_to):
    rounded = prune(network, keep=0.7, round_to=round_to).network.blueprint
    counts = [
        count
        for stage in rounded.stages
        for count in (stage.width, *(each for block in stage.blocks for each in (block.depthwise, block.pointwise)))
    ]
    assert all(count % round_to == 0 for count in counts)
    assert round_to == 8 or any(count % 8 for count in counts)


def test_the_modules_are_as_wide_as_the_blueprint_says(pruned):
    assert blueprint_of(pruned.network) == pruned.network.blueprint


def test_the_network_that_was_given_stays_as_it_was(network, before, pruned):
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert network.blueprint == Blueprint.from_genotype(SMALL)
    assert blueprint_of(network) == network.blueprint
    assert network.training
    assert not any(module._forward_hooks for module in [*network.modules(), *pruned.network.modules()])


def test_the_weights_that_are_left_are_weights_that_were_there(network, pruned):
    known = {value for tensor in network.state_dict().values() for value in tensor.flatten().tolist()}
    left = {value for tensor in pruned.network.state_dict().values() for value in tensor.flatten().tolist()}
    assert left <= known


def test_the_pruned_network_is_rebuilt_from_its_files_with_the_same_output(tmp_path, pruned):
    save_network(tmp_path / "pruned", pruned.network)
    image = noise(1, 3, 24, 24)
    with torch.no_grad():
        assert (load_network(tmp_path / "pruned")(image) - pruned.network(image)).abs().max() == 0


def test_the_pruned_network_takes_an_image_of_odd_sides(pruned):
    with torch.no_grad():
        assert on_any_size(pruned.network, noise(1, 3, 37, 51)).shape == (1, 3, 37, 51)


def test_the_pruned_network_can_be_trained_on(pruned):
    trained = build(pruned.network.blueprint, seed=0)
    trained.load_state_dict(pruned.network.state_dict())
    gradients(trained)
    for name, parameter in trained.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_the_same_network_is_pruned_to_the_same_network(network, pruned):
    again = prune(network, keep=0.7).network.state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in pruned.network.state_dict().items())


@pytest.mark.parametrize(
    ("attention", "block", "activation", "head", "stem"),
    [
        ("none", "released", "elu", "conv3x3", "full"),
        ("channel", "paper", "relu", "gated", "full"),
        ("spatial", "released", "relu", "gated", "full"),
        ("both", "paper", "elu", "conv3x3", "full"),
        ("both", "mobilenet", "relu", "conv3x3", "space-to-depth"),
        ("channel", "mobilenet", "elu", "gated", "space-to-depth"),
    ],
)
def test_every_kind_of_network_can_be_pruned_run_and_trained(attention, block, activation, head, stem):
    stages = tuple(replace(stage, attention=attention) for stage in SMALL.stages)
    network = network_of(Genotype(stages, block, activation, head, stem))
    small = prune(network, keep=0.8)
    assert small.kept <= 0.8
    assert blueprint_of(small.network) == small.network.blueprint
    assert any(
        after.width < stage.width
        for after, stage in zip(small.network.blueprint.stages, network.blueprint.stages, strict=True)
    )
    gradients(small.network)
    assert all(parameter.grad.isfinite().all() for parameter in small.network.parameters())


def test_losses_decide_which_channels_go(network, pruned):
    by_losses = [prune(network, 0.7, losses, importance) for importance in ("taylor", "hessian")]
    assert all(smaller.kept <= 0.7 for smaller in by_losses)
    found = [pruned, *by_losses]
    weights = [smaller.network.state_dict()["encoder1.0.weight"] for smaller in found]
    assert not any(torch.equal(one, other) for one, other in pairwise(weights) if one.shape == other.shape)


@pytest.mark.parametrize("squared", [False, True])
def test_every_loss_counts_for_the_importance(network, squared):
    """torch-pruning's own accumulate_grad keeps the last one only."""
    copy = network_of(SMALL)
    expected = []
    for loss in losses(copy):
        gradient = torch.autograd.grad(loss, list(copy.parameters()))
        expected.append([g.square() if squared else g for g in gradient])
    _differentiate(copy, losses, squared)
    for parameter, *each in zip(copy.parameters(), *expected, strict=True):
        assert torch.allclose(parameter.grad, sum(each), rtol=1e-5)


def test_any_cost_can_be_what_is_pruned_to(network):
    widest = prune(network, 0.6, cost=lambda blueprint: max(stage.width for stage in blueprint.stages))
    assert widest.cost == max(stage.width for stage in widest.network.blueprint.stages)
    assert 0.4 * 24 < widest.cost <= 0.6 * 24  # and it stops there


def test_importance_by_losses_needs_some(network):
    with pytest.raises(ValueError, match="importance = 'taylor' needs losses"):
        prune(network, 0.7, importance="taylor")
    with pytest.raises(ValueError, match="must be one of magnitude, taylor, hessian"):
        prune(network, 0.7, importance="age")


def test_channels_of_zeros_go_first():
    network = network_of(SMALL)
    useless = network.encoder3[2].residuals[0].mixing[0]
    with torch.no_grad():
        useless.weight[::2] = 0
        network.encoder3[2].residuals[0].mixing[2].weight[:, ::2] = 0
    half = prune(network, keep=0.5, cost=lambda blueprint: blueprint.stages[2].blocks[0].pointwise)
    mixing = half.network.encoder3[2].residuals[0].mixing[0]
    whole = useless.weight.abs().sum(dim=(1, 2, 3))
    left = mixing.weight.abs().sum(dim=(1, 2, 3))
    assert mixing.out_channels < useless.out_channels
    assert (left > 0).sum() == (whole > 0).sum()


@pytest.mark.parametrize("keep", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused_by_name_and_value(network, keep):
    with pytest.raises(ValueError, match=f"keep = {keep}: must be a share between 0 and 1 of the cost"):
        prune(network, keep)


def test_a_share_out_of_reach_says_how_far_pruning_got(network, monkeypatch):
    monkeypatch.setattr("compress.prune.channels._ROUNDS", 4)  # the same limit in larger steps
    with pytest.raises(ValueError, match=r"pruning reached \d+% of the cost and no less; ask to remove less than 99%"):
        prune(network, keep=0.01)
