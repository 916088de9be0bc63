"""Memory: the peak of live activations equals hand counts and that of the exported graph, read independently."""

import random

import pytest
import torch
from torch import nn

from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.memory import peak_activation_bytes, peak_values
from search_spaces.space import REFERENCE, default_space

SAMPLES = [default_space().sample(random.Random(seed)) for seed in range(3)]
SIZE = (32, 48)


def plain(width: int) -> Blueprint:
    """No attention, one block a stage, the head of one convolution: every tensor can be listed by hand."""
    stages = tuple(Stage(depth=1, width=width, attention="none") for _ in range(5))
    return Blueprint.from_genotype(Genotype(stages, head="conv3x3"))


def peak_of_exported_graph(blueprint: Blueprint, size: tuple[int, int]) -> int:
    """Values alive at once, from torch.export's graph: at each node, its own output and all that is read later."""
    program = torch.export.export(build(blueprint, seed=0), (torch.zeros(1, 3, *size),))
    weights = set(program.graph_signature.inputs_to_parameters)
    nodes = [node for node in program.graph.nodes if node.name not in weights and node.op != "output"]
    place = {node: position for position, node in enumerate(nodes)}
    last = {node: max((place[user] for user in node.users if user in place), default=len(nodes)) for node in nodes}
    return max(
        sum(alive.meta["val"].numel() for alive in nodes[: now + 1] if last[alive] >= now or alive is nodes[now])
        for now in range(len(nodes))
    )


def on_meta(forward: nn.Module) -> int:
    return peak_values(forward.to("meta"), torch.empty(1, 3, 8, 8, device="meta"))


def test_a_plain_network_holds_what_is_counted_by_hand():
    # Worst at full size: in decoder 2's upsampled block joined to encoder 1, at the concatenation, are alive:
    # the image (3), encoder 1's output (8), the upsampled features (8) and both joined (16), each per pixel.
    assert peak_activation_bytes(plain(8), SIZE, bytes_per_value=1) == (3 + 8 + 8 + 16) * 32 * 48


@pytest.mark.parametrize("genotype", [REFERENCE, *SAMPLES])
def test_the_peak_equals_that_of_the_exported_graph(genotype):
    blueprint = Blueprint.from_genotype(genotype)
    assert peak_activation_bytes(blueprint, SIZE) == 4 * peak_of_exported_graph(blueprint, SIZE)


def test_the_peak_is_proportional_to_pixels_and_to_bytes_per_value():
    reference = Blueprint.from_genotype(REFERENCE)
    one = peak_activation_bytes(reference, (64, 64))
    assert peak_activation_bytes(reference, (1088, 1920)) * 64 * 64 == one * 1088 * 1920
    assert peak_activation_bytes(reference, (64, 64), bytes_per_value=1) * 4 == one
    assert peak_activation_bytes(reference, (61, 62)) == one  # padded


def test_a_tensor_is_alive_until_its_last_use():
    class Late(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.cat([x, x], 1)  # 6 per pixel
            z = y.mean(1, keepdim=True) + 1  # 1 and 1
            return z + y  # and 6

    class Early(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.cat([x, x], 1)
            return y.mean(1, keepdim=True) + 1  # y is still a Python variable, and yet dead

    assert on_meta(Late()) == (6 + 1 + 6) * 64
    assert on_meta(Early()) == (3 + 6) * 64


def test_a_view_and_a_write_in_place_take_no_memory():
    class Shuffle(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.view(1, 3, 4, 2, 8).transpose(2, 3)
            return x.relu().clamp_(0, 1).flatten()

    # relu keeps the strides of its input, so that flatten has to copy: never more than two tensors are alive.
    assert on_meta(Shuffle()) == 2 * 3 * 64


def test_weights_and_their_views_take_no_memory():
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.convolution.weight.transpose(0, 1))

    assert on_meta(Weighted()) == 2 * 3 * 64


def test_the_places_of_pooled_maxima_are_not_counted():
    assert on_meta(nn.MaxPool2d(2)) == (3 * 64) + (3 * 16)


def test_counting_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    peak_activation_bytes(plain(12), (8, 8))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("size", "bytes_per_value", "rule"), [((0, 8), 4, "size = 0x8"), ((8, 8), 0, "bytes_per_value = 0")]
)
def test_a_wrong_argument_is_an_error_that_names_it(size, bytes_per_value, rule):
    with pytest.raises(ValueError, match=rule):
        peak_activation_bytes(plain(8), size, bytes_per_value)
