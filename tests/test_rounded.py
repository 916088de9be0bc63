"""Rounded: weights on int8's grid that err together less than each rounded to the nearest."""

import pytest
import torch
from torch import Tensor

from compress.int8.quantize import post_training_quantize
from compress.int8.rounded import nearest_together, rounded
from compress.int8.scheme import SMALLEST_SCALE
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build


def images(count: int) -> list[Tensor]:
    drawn = torch.rand(count, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    return list(torch.split(drawn, 1))


@pytest.fixture(scope="module")
def network() -> LPIENet:
    stage = Stage(depth=1, width=4, expansion=2.0, attention="none")
    genotype = Genotype((stage,) * 5, "mobilenet", "relu", "conv3x3", join="add", upsampling="nearest")
    return build(Blueprint.from_genotype(genotype), 0).eval()


def weights(rows: int, inputs: int) -> Tensor:
    return torch.randn(rows, inputs, generator=torch.Generator().manual_seed(1))


def squares_of(read: Tensor) -> Tensor:
    return (read @ read.T).double()


def test_inputs_that_are_alike_err_by_far_less_than_with_each_weight_to_the_nearest():
    generator = torch.Generator().manual_seed(2)
    read = torch.rand(1, 4000, generator=generator) + 0.02 * torch.randn(24, 4000, generator=generator)
    given = weights(16, 24)
    scale = given.abs().amax(dim=1, keepdim=True) / 127
    nearest = (given / scale).round() * scale
    made = nearest_together(given, squares_of(read))
    together, alone = (float(((one - given) @ read).square().mean()) for one in (made, nearest))
    assert together < 0.1 * alone


def test_of_independent_inputs_each_weight_is_the_nearest():
    given = weights(8, 12)
    scale = given.abs().amax(dim=1, keepdim=True) / 127
    torch.testing.assert_close(nearest_together(given, torch.eye(12).double()), (given / scale).round() * scale)


def test_every_weight_is_a_whole_number_of_steps_of_its_row_whose_largest_stays():
    given = weights(8, 12)
    read = torch.rand(12, 500, generator=torch.Generator().manual_seed(3))
    made = nearest_together(given, squares_of(read))
    steps = made / (given.abs().amax(dim=1, keepdim=True) / 127)
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert steps.abs().max() <= 127 + 1e-3
    place = given.abs().argmax(dim=1, keepdim=True)
    torch.testing.assert_close(made.gather(1, place), given.gather(1, place))


def test_rows_with_inputs_of_their_own_are_as_each_by_itself():
    given = weights(3, 9)
    squares = torch.stack([squares_of(weights(9, 40) * scale + shift) for scale, shift in ((1, 0), (2, 1), (0.5, 3))])
    alone = torch.cat([nearest_together(given[row : row + 1], squares[row]) for row in range(3)])
    torch.testing.assert_close(nearest_together(given, squares), alone)


def test_a_channel_that_reads_nothing_is_no_error():
    made = nearest_together(weights(2, 4), torch.zeros(4, 4).double())
    assert made.isfinite().all()


def test_int8_stores_a_rounded_network_as_it_is(network: LPIENet):
    made = rounded(network, images(4))
    graph = post_training_quantize(made, images(4), fold_weights=False)
    stored = dict(graph.named_parameters())
    for name, weight in made.named_parameters():
        if name.endswith("weight"):
            rows = weight.detach().flatten(1)
            scale = (rows.abs().amax(dim=1, keepdim=True) / 127).clamp(min=SMALLEST_SCALE)
            torch.testing.assert_close((rows / scale).round() * scale, rows, atol=1e-6, rtol=1e-5)
            assert torch.equal(stored[name], weight)


def test_a_whole_network_loses_less_by_its_weights(network: LPIENet):
    nearest = LPIENet(network.blueprint)
    nearest.load_state_dict(network.state_dict())
    with torch.no_grad():
        for name, weight in nearest.named_parameters():
            if name.endswith("weight"):
                scale = (weight.flatten(1).abs().amax(dim=1) / 127).view(-1, 1, 1, 1)
                weight.copy_((weight / scale).round() * scale)

    def lost(candidate: LPIENet) -> float:
        with torch.no_grad():
            return sum(float((candidate(image) - network(image)).square().mean()) for image in images(8)[4:])

    assert lost(rounded(network, images(4))) < 0.5 * lost(nearest.eval())


def test_the_network_that_was_given_stays(network: LPIENet):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rounded(network, images(1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_without_images_nothing_says_which_inputs_go_together(network: LPIENet):
    with pytest.raises(ValueError, match="images is empty"):
        rounded(network, [])
