import random

import pytest
import torch

from search_spaces.blueprint import Blueprint
from search_spaces.elastic import sliced
from search_spaces.genotype import ALL_STAGES, ATTENTIONS, BLOCKS, HEADS, STAGES, STEMS, Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import REFERENCE


def drawn(seed: int, stem: str, block: str, head: str) -> Genotype:
    generator = random.Random(seed)
    stages = tuple(
        Stage(
            generator.choice((1, 2)),
            generator.choice((4, 8, 12)),
            generator.choice((0.5, 1.0, 1.5)),
            generator.choice(ATTENTIONS),
        )
        for _ in STAGES
    )
    return Genotype(stages, block, generator.choice(("elu", "relu")), head, stem)


def largest(stem: str, block: str, head: str) -> Blueprint:
    return Blueprint.from_genotype(Genotype((Stage(3, 16, 2.0, "both"),) * len(STAGES), block, "elu", head, stem))


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_slice_is_the_whole_state_of_the_smaller_network(stem, block, head, seed):
    small, large = Blueprint.from_genotype(drawn(seed, stem, block, head)), largest(stem, block, head)
    network = build(small, seed=1)
    state = sliced(build(large, seed=2).state_dict(), small, large)
    assert {name: tensor.shape for name, tensor in state.items()} == {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }


def test_a_network_is_its_own_slice():
    plan = largest("full", "released", "gated")
    weights = build(plan, seed=0).state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in sliced(weights, plan, plan).items())


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("head", HEADS)
def test_a_large_network_whose_other_channels_are_silent_computes_what_its_slice_does(stem, head):
    """The oracle of the places: where a slice took a wrong column, the two would differ."""
    small = Blueprint.from_genotype(
        Genotype(tuple(Stage(1, width, 1.0, "none") for width in (4, 8, 12, 8, 4)), "released", "elu", head, stem)
    )
    large = Blueprint.from_genotype(
        Genotype(tuple(Stage(1, width, 2.0, "none") for width in (8, 12, 16, 12, 8)), "released", "elu", head, stem)
    )
    require_silent_channels_to_change_nothing(small, large)


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("join", ["concat", "add"])
@pytest.mark.parametrize(
    ("block", "activation", "kernel"), [("released", "gate", 5), ("mobilenet", "gate", 3), ("plain", "relu", 3)]
)
def test_a_slice_of_any_wiring_computes_what_the_large_network_does_with_its_other_channels_silent(
    levels, join, block, activation, kernel
):
    words = {"levels": levels, "join": join, "block": block, "activation": activation, "kernel": kernel}

    def plan(width: int, expansion: float) -> Blueprint:
        stage = {"attention": "none", "depth": 1, "width": width, "expansion": expansion}
        genes = {f"{name}.{gene}": value for name in ALL_STAGES for gene, value in stage.items()}
        return Blueprint.from_genotype(Genotype.from_flat(REFERENCE.flat() | genes | words | {"head": "conv3x3"}))

    require_silent_channels_to_change_nothing(plan(4, 1.0), plan(12, 2.0))


def require_silent_channels_to_change_nothing(small: Blueprint, large: Blueprint) -> None:
    """That a network of `large`, silent outside of the slice of `small`, computes what that slice does."""
    wide = build(large, seed=3)
    with torch.no_grad():
        kept = {name: torch.zeros_like(weight, requires_grad=True) for name, weight in wide.named_parameters()}
    sum(tensor.sum() for tensor in sliced(kept, small, large).values()).backward()
    with torch.no_grad():
        for name, weight in wide.named_parameters():
            weight.mul_(kept[name].grad)  # 1 inside the slice, 0 outside
    narrow = build(small, seed=0)
    narrow.load_state_dict(sliced(wide.state_dict(), small, large))
    image = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(wide(image), narrow(image), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["spatial", "channel"])
def test_one_branch_of_an_attention_takes_its_own_columns_of_the_join(kind):
    def plan(attention: str) -> Blueprint:
        return Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, attention),) * len(STAGES)))

    large = plan("both")
    weights = build(large, seed=0).state_dict()
    join = sliced(weights, plan(kind), large)["encoder1.2.attention.join.weight"]
    whole = weights["encoder1.2.attention.join.weight"]
    assert torch.equal(join, whole[:, :4] if kind == "spatial" else whole[:, 4:])


def test_a_slice_passes_gradients_to_the_large_weights():
    small, large = (
        Blueprint.from_genotype(drawn(0, "full", "released", "conv3x3")),
        largest("full", "released", "conv3x3"),
    )
    weights = dict(build(large, seed=0).named_parameters())
    sliced(weights, small, large)["encoder1.0.weight"].sum().backward()
    gradient = weights["encoder1.0.weight"].grad
    width = small.stages[0].width
    assert gradient[:width].eq(1).all()
    assert gradient[width:].eq(0).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"head": "gated"}, "head"),
        ({"stages": (Stage(3, 20, 1.0),) * 5}, "20 channels is no slice of one of 16"),
        ({"stages": (Stage(4, 8, 1.0),) * 5}, "encoder1 has 4 blocks"),
    ],
)
def test_a_network_that_is_no_slice_is_refused(change, says):
    values = {"stages": (Stage(1, 8, 1.0),) * 5, "head": "conv3x3"} | change
    small, large = Blueprint.from_genotype(Genotype(**values)), largest("full", "released", "conv3x3")
    with pytest.raises(ValueError, match=says):
        sliced(build(large, seed=0).state_dict(), small, large)
