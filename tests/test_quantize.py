"""Quantization: the int8 graph stays close to the float network, and fake quantization trains it."""

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

from compress.int8.quantize import FakeQuantized, post_training_quantize
from search_spaces.blueprint import BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.lpienet import LPIENet, build


def blueprint_of(
    block: str = "released", activation: str = "elu", head: str = "gated", stem: str = "full"
) -> Blueprint:
    """All attentions, and the odd widths that pruning leaves."""
    inner = (BlockBlueprint(depthwise=5, pointwise=0 if block == "mobilenet" else 11),)
    stages = (
        StageBlueprint(7, inner, "both", 3),
        StageBlueprint(6, inner, "channel", 7),
        StageBlueprint(9, inner, "spatial", 0),
        StageBlueprint(5, inner, "none", 0),
        StageBlueprint(7, inner, "none", 0),
    )
    return Blueprint(stages, block=block, activation=activation, head=head, stem=stem)


def images(count: int, height: int = 32, width: int = 40) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(1, 3, height, width, generator=generator) for _ in range(count)]


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


@pytest.fixture(scope="module")
def network() -> LPIENet:
    return build(blueprint_of(), seed=0).eval()


@pytest.fixture(scope="module")
def graph(network: LPIENet) -> GraphModule:
    return post_training_quantize(network, images(3))


@pytest.fixture(scope="module")
def plain() -> tuple[LPIENet, GraphModule]:
    """The other block, activation and head."""
    network = build(blueprint_of("paper", "relu", "conv3x3"), seed=0).eval()
    return network, post_training_quantize(network, images(1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["released", "paper"])
def test_int8_graph_is_close_to_the_float_network(
    kind: str, network: LPIENet, graph: GraphModule, plain: tuple[LPIENet, GraphModule]
) -> None:
    source, quantized = (network, graph) if kind == "released" else plain
    image = images(1)[0]
    with torch.no_grad():
        update, int8_update = source(image) - image, quantized(image) - image
    assert not torch.equal(update, int8_update)
    assert psnr(int8_update, update) > psnr(torch.zeros_like(update), update) + 15  # 0 would be no network at all


def test_every_convolution_has_integer_weights(graph: GraphModule, network: LPIENet) -> None:
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    integers = [value for value in graph.state_dict().values() if value.dtype == torch.int8]
    assert len(integers) == len(convolutions)


def test_int8_graph_takes_any_batch_and_sides(graph: GraphModule) -> None:
    for shape in [(1, 3, 8, 16), (5, 3, 48, 40)]:
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            whole = graph(image)
            alone = graph(image[:1])
        assert whole.shape == shape
        assert (whole[:1] - alone).abs().max() < 1e-5


@pytest.mark.slow
def test_mobilenet_blocks_and_cells_are_quantized_too_for_any_batch_and_sides() -> None:
    network = build(blueprint_of("mobilenet", "relu", "conv3x3", "space-to-depth"), seed=0).eval()
    quantized = post_training_quantize(network, images(2))
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    integers = [value for value in quantized.state_dict().values() if value.dtype == torch.int8]
    assert len(integers) == len(convolutions)
    image = torch.rand(2, 3, 48, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        update, int8_update = network(image) - image, quantized(image) - image
    assert psnr(int8_update, update) > psnr(torch.zeros_like(update), update) + 15


@pytest.mark.slow
def test_quantizing_again_gives_the_same_graph_whether_weights_are_folded_or_not(
    network: LPIENet, graph: GraphModule
) -> None:
    again = post_training_quantize(network, images(3), fold_weights=False)
    image = images(1)[0]
    with torch.no_grad():
        assert torch.equal(graph(image), again(image))


def test_networks_of_one_blueprint_are_quantized_each_with_its_own_weights(
    network: LPIENet, graph: GraphModule
) -> None:
    """Their operators are traced once, see `captured`."""
    other, image = build(blueprint_of(), seed=1).eval(), images(1)[0]
    before = graph(image)
    fake, quantized = FakeQuantized(other, images(1)), post_training_quantize(other, images(3))
    for name, value in other.state_dict().items():
        assert torch.equal(fake.float_network().state_dict()[name], value)
    with torch.no_grad():
        update, int8_update = other(image) - image, quantized(image) - image
    assert psnr(int8_update, update) > psnr(torch.zeros_like(update), update) + 15
    assert torch.equal(graph(image), before)


def test_maximum_and_its_input_share_one_scale(graph: GraphModule) -> None:
    maxima = [node for node in graph.graph.nodes if node.target == torch.ops.aten.amax.default]
    assert len(maxima) == 2  # one for "both", one for "spatial"
    for node in maxima:
        into, (out,) = node.args[0], list(node.users)
        assert into.args[1:3] == out.args[1:3]  # scale and zero point of dequantize before, quantize after


@pytest.mark.parametrize("dark", [1, 0.5])
def test_the_levels_of_a_picture_are_never_rounded_whatever_was_calibrated_on(network: LPIENet, dark: float) -> None:
    graph = post_training_quantize(network, [dark * image for image in images(1)])
    (image,) = (node for node in graph.graph.nodes if node.op == "placeholder")
    scales = {user.args[1:3] for user in image.users if user.target != torch.ops.aten.add.Tensor}
    ((scale, zero_point),) = scales
    assert (scale, zero_point) == (pytest.approx(1 / 255, rel=1e-6), -128)


def test_quantizing_leaves_the_network_as_it_was(network: LPIENet, graph: GraphModule) -> None:
    untouched = build(blueprint_of(), seed=0).state_dict()
    assert all(torch.equal(value, untouched[name]) for name, value in network.state_dict().items())


def test_no_calibration_image_is_an_error(network: LPIENet) -> None:
    with pytest.raises(ValueError, match="calibration"):
        post_training_quantize(network, [])
    with pytest.raises(ValueError, match="calibration"):
        FakeQuantized(network, [])


def test_float_network_is_the_source_before_training_and_carries_each_step(network: LPIENet) -> None:
    quantized = FakeQuantized(network, images(1))
    before = quantized.float_network()
    assert before.blueprint == network.blueprint
    for name, value in network.state_dict().items():
        assert torch.equal(before.state_dict()[name], value)

    optimizer = torch.optim.SGD(quantized.parameters(), lr=1.0)
    batch = torch.rand(4, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    quantized(batch).square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in quantized.graph.named_parameters()}
    optimizer.step()
    assert set(gradients) == set(network.state_dict())
    moved = 0
    for name, value in quantized.float_network().state_dict().items():
        gradient = gradients[name]
        assert gradient is not None
        assert torch.allclose(value, network.state_dict()[name] - gradient)
        moved += int(gradient.abs().max() > 0)
    assert moved > 0.9 * len(gradients)


def test_fake_quantization_computes_in_float32_where_training_is_in_bfloat16(network: LPIENet) -> None:
    """bfloat16 has 8 bits, which is about what int8 rounds to; and torch's fused fake quantization refuses it."""
    plain, brief = FakeQuantized(network, images(1)), FakeQuantized(network, images(1))
    image = images(1)[0]
    with torch.autocast("cpu", torch.bfloat16):
        output = brief(image)
    assert torch.equal(output, plain(image))
    output.sum().backward()


def rounded(quantized: FakeQuantized, image: Tensor) -> Tensor:
    with torch.no_grad():
        output: Tensor = quantized(image)
    return output


def test_fake_quantization_computes_what_the_int8_graph_will(network: LPIENet, graph: GraphModule) -> None:
    image = images(1)[0]
    with torch.no_grad():
        int8, source = graph(image), network(image)
    fake = rounded(FakeQuantized(network, images(3)), image)
    assert psnr(fake, int8) > psnr(source, int8) + 10  # a rounding here and there falls to the other side


def test_ranges_are_those_of_the_calibration_and_never_follow_the_batches(network: LPIENet) -> None:
    quantized = FakeQuantized(network, images(1))
    image = images(2)[1]
    before = rounded(quantized, image)
    rounded(quantized, 3 * image)
    assert torch.equal(rounded(quantized, image), before)
    assert torch.equal(rounded(quantized.eval(), image), before)
    quantized.take_ranges([3 * image])
    assert not torch.equal(rounded(quantized.train(), image), before)


def test_ranges_are_taken_with_the_weights_as_trained_so_far(network: LPIENet) -> None:
    quantized = FakeQuantized(network, images(3))
    with torch.no_grad():
        for parameter in quantized.graph.parameters():
            parameter.mul_(1.3)
    image = images(1)[0]
    quantized.take_ranges(images(3))
    with torch.no_grad():
        int8 = post_training_quantize(quantized.float_network(), images(3))(image)
        source = quantized.float_network()(image)
    assert psnr(rounded(quantized, image), int8) > psnr(source, int8) + 10
