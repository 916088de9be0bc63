"""Equalising: the same network in float, of which int8 loses less where channels of one tensor differ in range."""

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

from compress.int8.equalise import best_matrix, equalised
from compress.int8.felt import Felt, felt
from compress.int8.quantize import captured, post_training_quantize
from compress.int8.rounded import rounded
from compress.int8.tied import Tied, is_exact, tied
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

CONVOLUTION, NEAREST = torch.ops.aten.conv2d.default, torch.ops.aten.upsample_nearest2d.vec


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


def alike_channels() -> LPIENet:
    """A network that adds, whose channels of full resolution all hold nearly the same, as trained ones do."""
    network = network_of(join="add", upsampling="nearest", opening="none")
    with torch.no_grad():
        first = network.get_submodule("encoder1.0")
        first.weight[1:] = first.weight[:1] + 0.05 * first.weight[1:]
    return network.eval()


def lost(network: LPIENet, float_network: LPIENet) -> float:
    graph = post_training_quantize(rounded(network, images(2)), images(2))
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
        alike_channels(),
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


def first_tied(network: LPIENet) -> tuple[GraphModule, Tied]:
    """What the first convolution writes."""
    graph = captured(network)
    (one,) = (tensors for tensors in tied(graph) if any(node.name == "conv2d" for node in tensors.written_by))
    return graph, one


def test_channels_between_which_nothing_but_sums_stands_are_mixed_and_lose_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = alike_channels()
    assert first_tied(network)[1].mixes
    made = equalised(network, images(2))
    with torch.no_grad():
        assert all(torch.allclose(made(image), network(image), atol=1e-5) for image in images(3))
    monkeypatch.setattr(
        "compress.int8.equalise.best_matrix", lambda scales, mixing: torch.eye(len(scales[0][0].values))
    )
    assert lost(made, network) < 0.9 * lost(equalised(network, images(2)), network)


def test_channels_with_a_relu_between_are_not_mixed() -> None:
    assert not first_tied(network_of(join="add", upsampling="nearest"))[1].mixes


def test_what_channels_have_in_common_is_kept_by_all_of_them() -> None:
    """Two numbers that are equal but for a little can be kept about twice as well; factors alone cannot do it."""
    drawn = torch.randn(4, 2000, generator=torch.Generator().manual_seed(1)).clamp(-2, 2)
    values = drawn[:1] + 0.05 * drawn
    matrix = best_matrix([[Felt(values, torch.full((2000,), 1 / 2000), torch.eye(4))]])
    assert rounding_error(values, matrix) < 0.6 * rounding_error(values, torch.eye(4))


def rounding_error(values: Tensor, matrix: Tensor) -> float:
    """Mean square of the error of `values` when `matrix` times these have 256 levels from the least to the largest."""
    mixed = matrix @ values
    scale = (mixed.max() - mixed.min()) / 255
    back = torch.linalg.solve(matrix, (mixed / scale).round() * scale)
    return float((back - values).square().mean())


def test_the_gain_of_a_tensor_says_what_noise_in_it_does_to_the_output() -> None:
    network = network_of(join="add", upsampling="nearest").eval()
    graph, one = first_tied(network)
    whole = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).repeat(16, 1, 1, 1)
    (first,) = (tensor for tensor in one.tensors if tensor.name == "conv2d")
    gain = felt(graph, [first], [whole])[first].gain
    noise = 1e-3 * torch.randn(16, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(whole)
        network.get_submodule("encoder1.0").register_forward_hook(lambda *given: given[2] + noise)
        error = float((network(whole) - before).square().mean())
    assert error == pytest.approx(1e-6 * float(gain.trace()), rel=0.1)


def test_what_is_moved_has_the_scale_of_what_it_is_moved_from_and_rounds_nothing() -> None:
    _, one = first_tied(network_of(join="add", upsampling="nearest", opening="none"))
    (scale,) = (scale for scale in one.scales if any(is_exact(node) for node in scale))
    moved, source = scale
    assert (moved.target, source.target) == (NEAREST, CONVOLUTION)
    assert moved.all_input_nodes == [source]
    assert not is_exact(source)


def test_before_a_relu_each_convolution_that_writes_has_no_scale_of_its_own() -> None:
    _, one = first_tied(network_of(join="add", upsampling="nearest"))
    assert "conv2d" not in {node.name for scale in one.scales for node in scale}


def test_without_mixing_factors_make_ranges_equal_where_nothing_is_cut_off() -> None:
    drawn = torch.rand(3, 2000, generator=torch.Generator().manual_seed(1)) * torch.tensor([[1.0], [4.0], [0.1]])
    matrix = best_matrix([[Felt(drawn, torch.full((2000,), 1 / 2000), torch.eye(3))]], mixing=False)
    assert torch.equal(matrix, torch.diag(matrix.diagonal()))
    reach = (matrix @ drawn).amax(dim=1)
    assert float(reach.max() / reach.min()) < 1.1
