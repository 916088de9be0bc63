"""Parts: a network without a block, a pair, a branch or a level computes what it does where that gives its mean."""

from dataclasses import replace
from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from compress.prune.groups import groups_of, shapes_of, without
from compress.prune.parts import parts_of
from compress.prune.read import Read, Reading
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

PLAIN = Genotype(
    tuple(Stage(depth=1, width=width, attention="none") for width in (8, 12, 16, 12, 8)),
    activation="relu",
    head="conv3x3",
)
DEEP = replace(PLAIN, stages=tuple(replace(stage, depth=3, attention="both") for stage in PLAIN.stages))
ADDING = replace(PLAIN, join="add", block="mobilenet", stages=tuple(replace(stage, depth=2) for stage in PLAIN.stages))


def network_of(genotype: Genotype) -> LPIENet:
    """With biases, as a trained one has."""
    network = build(Blueprint.from_genotype(genotype), seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.bias += 0.1 * torch.randn(module.bias.shape, generator=generator)
    return network


IMAGE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def output(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(IMAGE)


def reads_of(network: LPIENet) -> dict[str, Read]:
    """What every layer reads, looked at with the image."""
    layers = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    reading = {name: Reading() for name in layers}
    hooks = [
        layer.register_forward_pre_hook(lambda module, inputs, one=reading[name]: one.look(inputs[0]))
        for name, layer in layers.items()
    ]
    output(network)
    for hook in hooks:
        hook.remove()
    return {name: one.read() for name, one in reading.items()}


def untold(network: LPIENet) -> dict[str, Read]:
    """As if no input of a layer said anything of another, and all were 0 on the mean."""
    return {
        name: Read(torch.zeros(inputs).double(), torch.eye(inputs).double())
        for name, (_, inputs) in shapes_of(network).items()
    }


def without_part(network: LPIENet, name: str, reads: dict[str, Read] | None = None) -> LPIENet:
    part = next(part for part in parts_of(network.blueprint) if part.name == name)
    return part.without(network, untold(network) if reads is None else reads)


def zeroed(network: LPIENet, *layers: str) -> LPIENet:
    """A copy in which these layers give nothing."""
    state = {
        name: torch.zeros_like(tensor) if name.startswith(layers) else tensor.clone()
        for name, tensor in network.state_dict().items()
    }
    copy = build(network.blueprint, seed=0).eval()
    copy.load_state_dict(state)
    return copy


def with_mean_of(network: LPIENet, layer: str) -> Tensor:
    """The output of `network` where the mean of what `layer` gives, channel by channel, stands in its place."""
    hook = network.get_submodule(layer).register_forward_hook(
        lambda module, inputs, given: given.mean(dim=(0, 2, 3), keepdim=True).expand_as(given)
    )
    found = output(network)
    hook.remove()
    return found


@pytest.mark.parametrize("block", [0, 1, 2])
def test_without_a_block_a_network_computes_what_it_does_where_the_block_adds_nothing(block):
    whole = network_of(DEEP)
    within = f"encoder2.2.residuals.{block}"
    silent = zeroed(whole, f"{within}.spatial.3", f"{within}.mixing.2")
    smaller = without_part(whole, f"block {block} of encoder2")
    assert len(smaller.blueprint.stages[1].blocks) == 2
    assert torch.allclose(output(smaller), output(silent), atol=1e-6)


def test_without_a_second_pair_a_network_computes_what_it_does_where_the_pair_adds_its_mean():
    whole = network_of(DEEP)
    smaller = without_part(whole, "second pair of block 1 of encoder2", reads_of(whole))
    assert [block.pointwise for block in smaller.blueprint.stages[1].blocks] == [12, 0, 12]
    assert torch.allclose(output(smaller), with_mean_of(whole, "encoder2.2.residuals.1.mixing"), atol=1e-5)
    assert not torch.allclose(output(smaller), output(whole), atol=1e-4)


def test_without_attention_a_network_computes_what_it_does_where_attention_adds_nothing():
    whole = network_of(DEEP)
    silent = zeroed(whole, "decoder1.2.attention.join")
    assert torch.allclose(output(without_part(whole, "attention of decoder1")), output(silent), atol=1e-6)


@pytest.mark.parametrize(("stays", "gone"), [("spatial", slice(8, 16)), ("channel", slice(0, 8))])
def test_without_a_branch_a_network_computes_what_it_does_where_the_branch_is_not_read(stays, gone):
    whole = network_of(DEEP)
    silent = zeroed(whole)
    with torch.no_grad():
        silent.encoder1[2].attention.join.weight[:, gone] = 0
    smaller = without_part(whole, f"attention of encoder1 but its {stays} branch")
    assert torch.allclose(output(smaller), output(silent), atol=1e-6)


def test_without_a_level_a_network_that_adds_computes_what_it_does_where_the_mean_is_added():
    whole = network_of(ADDING)
    smaller = without_part(whole, "level 3", reads_of(whole))
    assert smaller.blueprint.names == ("encoder1", "encoder2", "decoder3")
    assert [len(stage.blocks) for stage in smaller.blueprint.stages] == [2, 4, 2]  # with the blocks of decoder2
    assert torch.allclose(output(smaller), with_mean_of(whole, "laterals.decoder2"), atol=1e-5)
    assert not torch.allclose(output(smaller), output(whole), atol=1e-4)


@pytest.mark.parametrize("head", ["conv3x3", "gated"])
@pytest.mark.parametrize(("levels", "readers"), [(3, ("decoder2.0",)), (2, ("head.project", "head.shortcut"))])
def test_without_a_level_a_network_that_concatenates_computes_what_it_does_where_that_is_not_read(
    head, levels, readers
):
    stages = PLAIN.stages if levels == 3 else (*PLAIN.stages[:2], PLAIN.stages[3])
    whole = network_of(replace(PLAIN, head=head, levels=levels, stages=stages))
    unread, width = zeroed(whole), whole.blueprint.stages[levels].width
    with torch.no_grad():
        for name, module in unread.named_modules():
            wide = isinstance(module, nn.Conv2d) and module.in_channels > 3 and module.groups == 1
            if wide and name.startswith(readers):
                module.weight[:, :width] = 0
    smaller = without_part(whole, f"level {levels}")
    assert smaller.blueprint.levels == levels - 1
    assert torch.allclose(output(smaller), output(unread), atol=1e-5)
    assert not torch.allclose(output(smaller), output(whole), atol=1e-4)


def test_in_the_place_of_a_level_stands_what_the_encoder_beside_it_tells_of_it():
    whole = network_of(PLAIN)
    told, plain = (without_part(whole, "level 3", reads) for reads in (reads_of(whole), untold(whole)))
    far, further = ((output(one) - output(whole)).square().mean() for one in (told, plain))
    assert far < 0.5 * further


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"levels": 1, "stages": PLAIN.stages[:1]}, "one level"), ({"block": "paper"}, "a skip around the blocks")],
)
def test_where_nothing_sensible_is_left_no_level_is_a_part(changed, why):
    names = [part.name for part in parts_of(Blueprint.from_genotype(replace(ADDING, **changed)))]
    assert not any(name.startswith("level") for name in names), why


def test_two_stages_with_attention_between_them_do_not_become_one():
    stages = list(ADDING.stages)
    stages[1] = replace(stages[1], attention="spatial")
    names = [part.name for part in parts_of(Blueprint.from_genotype(replace(ADDING, stages=tuple(stages))))]
    assert not any(name.startswith("level") for name in names)


def test_the_only_block_of_a_stage_is_no_part_and_a_block_of_one_pair_has_no_second_one():
    names = [part.name for part in parts_of(Blueprint.from_genotype(replace(PLAIN, block="mobilenet")))]
    assert names == ["level 3"]


@pytest.mark.parametrize("genotype", [DEEP, ADDING, replace(DEEP, block="plain")])
def test_every_part_leaves_the_blueprint_that_it_says_and_the_whole_as_it_was(genotype):
    whole = network_of(genotype)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    reads = reads_of(whole)
    for part in parts_of(whole.blueprint):
        smaller = part.without(whole, reads)
        assert smaller.blueprint == part.blueprint(whole.blueprint)
        assert output(smaller).shape == IMAGE.shape
    for group in groups_of(whole):
        without(whole, group, (0,), reads)
    assert all(torch.equal(before[name], tensor) for name, tensor in whole.state_dict().items())
    assert not any(chain.from_iterable(module._forward_hooks for module in whole.modules()))
