"""Groups: what goes from a network goes everywhere, and what stays computes what it did."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from compress.prune.groups import Group, blueprint_of, groups_of, shapes_of, shapes_without, without
from compress.prune.read import Read, Reading
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

PLAIN = Genotype(
    tuple(Stage(depth=1, width=width, attention="none") for width in (8, 12, 16, 12, 8)),
    activation="relu",
    head="conv3x3",
)
ADDING = replace(PLAIN, join="add", stages=PLAIN.stages)
KINDS = {
    "concatenating": PLAIN,
    "adding": ADDING,
    "mobilenet": replace(PLAIN, block="mobilenet"),
    "plain": replace(PLAIN, block="plain"),
    "cells": replace(PLAIN, stem="space-to-depth"),
    "gated head": replace(PLAIN, head="gated"),
}


def network_of(genotype: Genotype, seed: int = 0) -> LPIENet:
    """With biases, as a trained one has."""
    network = build(Blueprint.from_genotype(genotype), seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.bias += 0.1 * torch.randn(module.bias.shape, generator=generator)
    return network


def image(seed: int = 0, side: int = 32) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def output(network: nn.Module, of: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        return network(image() if of is None else of)


def untold(network: LPIENet) -> dict[str, Read]:
    """As if no input of a layer said anything of another, and all were 0 on the mean."""
    return {
        name: Read(torch.zeros(inputs).double(), torch.eye(inputs).double())
        for name, (_, inputs) in shapes_of(network).items()
    }


def read_by(network: LPIENet, layer: str) -> Read:
    reading = Reading()
    hook = network.get_submodule(layer).register_forward_pre_hook(lambda module, inputs: reading.look(inputs[0]))
    output(network)
    hook.remove()
    return reading.read()


def group_named(network: LPIENet, name: str) -> Group:
    return next(group for group in groups_of(network) if group.name == name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_without_channels_computes_what_it_does_with_zeros_in_their_place(kind):
    whole = network_of(KINDS[kind])
    for group in groups_of(whole):
        zeroed = build(whole.blueprint, seed=0).eval()
        state = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
        for layer, places in group.outputs:
            for channel in (0, 2):
                for place in places[channel]:
                    state[f"{layer}.weight"][place] = 0
                    state[f"{layer}.bias"][place] = 0
        zeroed.load_state_dict(state)
        smaller = without(whole, group, (0, 2), untold(whole))
        assert output(smaller).shape == image().shape
        assert torch.allclose(output(smaller), output(zeroed), atol=1e-5), group.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_width_and_every_hidden_count_is_in_a_group(kind):
    """But those of the head, and widths that are added are one."""
    whole = network_of(KINDS[kind])
    hidden = 1 if KINDS[kind].block in ("mobilenet", "plain") else 2
    stages = whole.blueprint.names
    widths = sum(name.startswith("encoder") for name in stages) if kind == "adding" else len(stages)
    assert len(groups_of(whole)) == hidden * len(stages) + widths


def test_a_group_is_named_by_the_module_or_by_the_stages_that_it_is_of():
    names = {group.name for group in groups_of(network_of(KINDS["adding"]))}
    assert {"width of encoder1, decoder3", "width of encoder3", "encoder2.2.residuals.0.mixing"} <= names


def test_a_channel_that_another_one_tells_goes_without_a_trace():
    whole = network_of(PLAIN)
    first, _, _, last = whole.encoder2[2].residuals[0].spatial
    with torch.no_grad():  # channel 3 becomes twice channel 1, which a ReLU leaves so
        for layer in (first, whole.encoder2[2].residuals[0].spatial[1]):
            layer.weight[3], layer.bias[3] = layer.weight[1], layer.bias[1]
        whole.encoder2[2].residuals[0].spatial[1].weight[3] *= 2
        whole.encoder2[2].residuals[0].spatial[1].bias[3] *= 2
    group = group_named(whole, "encoder2.2.residuals.0.spatial")
    layer = "encoder2.2.residuals.0.spatial.3"
    smaller = without(whole, group, (3,), {layer: read_by(whole, layer)})
    plain = without(whole, group, (3,), untold(whole))
    assert (output(smaller, image(1)) - output(whole, image(1))).abs().max() < 1e-4
    assert (output(plain, image(1)) - output(whole, image(1))).abs().max() > 1e-3
    assert last.in_channels == 12


def test_what_is_told_of_a_channel_is_the_least_squares_fit_of_it():
    values = torch.randn(1, 5, 20, 20, generator=torch.Generator().manual_seed(0))
    values[:, 4] += 2 * values[:, 0] - values[:, 1] + 3
    reading = Reading()
    for part in values.split(10, dim=2):
        reading.look(part)
    told, constant = reading.read().told(torch.tensor([4]), torch.tensor([0, 1, 2, 3]))
    channels = values[0].flatten(1).T
    rows = torch.cat([channels[:, :4], torch.ones(400, 1)], dim=1)
    fitted = torch.linalg.lstsq(rows, channels[:, 4:]).solution.flatten()
    assert torch.allclose(torch.cat([told.flatten(), constant]), fitted, atol=5e-3)


def test_what_all_others_tell_of_each_is_what_they_tell_of_it_alone():
    reading = Reading()
    reading.look(torch.randn(1, 6, 8, 8, generator=torch.Generator().manual_seed(0)))
    read = reading.read()
    told, constants = read.told_by_all()
    for channel in range(6):
        others = torch.tensor([other for other in range(6) if other != channel])
        alone, constant = read.told(torch.tensor([channel]), others)
        assert torch.allclose(told[channel][others], alone[0], atol=1e-2)
        assert torch.allclose(constants[channel], constant[0], atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_blueprint_of_what_is_left_is_known_before_it_is_made(kind):
    whole = network_of(KINDS[kind])
    assert blueprint_of(shapes_of(whole), whole.blueprint) == whole.blueprint
    for group in groups_of(whole):
        foretold = blueprint_of(shapes_without(shapes_of(whole), group, 1), whole.blueprint)
        smaller = without(whole, group, (1,), untold(whole))
        assert blueprint_of(shapes_of(smaller), whole.blueprint) == foretold == smaller.blueprint


def test_before_a_gate_no_channel_goes():
    gated = replace(PLAIN, block="mobilenet", activation="gate")
    assert all(group.name.startswith("width of") for group in groups_of(network_of(gated)))
