"""LPIENet: the released network recomputed by hand, every variant alive, and a start from which it can learn."""

import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.blocks import Gate, Pointwise
from search_spaces.genotype import ACTIVATIONS, ALL_STAGES, ATTENTIONS, BLOCKS, HEADS, STEMS, Genotype
from search_spaces.lpienet import parameters
from search_spaces.space import PAPER, REFERENCE
from tests.released import SMALL, network_of, noise


def released_parameters() -> int:
    """Weights and biases, written out from the description of the released network."""

    def convolution(inputs: int, outputs: int, side: int) -> int:
        return inputs * outputs * side**2 + outputs

    def stage(inputs: int, width: int) -> int:
        base = 4 * convolution(width, width, 1) + convolution(1, width, 3)  # a depthwise filter has one input
        spatial, channel = convolution(2, width, 3), convolution(1, width, 1) + convolution(width, width, 1)
        return convolution(inputs, width, 3) + 2 * base + spatial + channel + convolution(2 * width, width, 1)

    stages = stage(3, 16) + stage(16, 32) + stage(32, 64) + stage(64, 32) + stage(32 + 32, 16)
    projection = convolution(16 + 16, 3, 1) + convolution(1, 3, 3) + convolution(3, 3, 1)
    shortcut = convolution(16 + 16, 3, 1)
    gate = convolution(3, 3, 7) + convolution(3, 3, 5) + convolution(3, 3, 3)
    return stages + projection + shortcut + gate


def released_forward(image: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The released network as plain calls, written from its description; `weights` by name as in LPIENet."""

    def convolution(x: Tensor, name: str) -> Tensor:
        weight = weights[f"{name}.weight"]
        return F.conv2d(
            x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2, groups=x.shape[1] // weight.shape[1]
        )

    def base(x: Tensor, name: str) -> Tensor:
        m = convolution(convolution(x, f"{name}.spatial.0"), f"{name}.spatial.1")
        y = x + convolution(F.elu(m), f"{name}.spatial.3")
        return y + convolution(F.elu(convolution(y, f"{name}.mixing.0")), f"{name}.mixing.2")

    def attention(x: Tensor, name: str) -> Tensor:
        mean, maximum = x.mean(1, keepdim=True), x.max(1, keepdim=True).values
        spatial = convolution(torch.cat([mean, maximum], 1), f"{name}.spatial").sigmoid() * x
        hidden = convolution(mean, f"{name}.channel.0").relu()
        channel = convolution(hidden, f"{name}.channel.2").sigmoid() * x
        return x + convolution(torch.cat([spatial, channel], 1), f"{name}.join")

    def stage(x: Tensor, name: str) -> Tensor:
        x = convolution(x, f"{name}.0").relu()
        return attention(base(base(x, f"{name}.2.residuals.0"), f"{name}.2.residuals.1"), f"{name}.2.attention")

    def double(x: Tensor) -> Tensor:
        return F.interpolate(x, size=(2 * x.shape[-2], 2 * x.shape[-1]), mode="bilinear")

    def head(z: Tensor) -> Tensor:
        m = convolution(convolution(z, "head.project.0"), "head.project.1")
        u = convolution(F.elu(m), "head.project.3") + convolution(z, "head.shortcut").relu()
        gate = convolution(convolution(u, "head.gate.0").relu(), "head.gate.2").relu()
        return u * convolution(gate, "head.gate.4").sigmoid()

    full = stage(image, "encoder1")
    half = stage(F.max_pool2d(full, 2, 2), "encoder2")
    quarter = stage(F.max_pool2d(half, 2, 2), "encoder3")
    up = double(stage(quarter, "decoder1"))
    up = double(stage(torch.cat([up, half], 1), "decoder2"))
    return image + head(torch.cat([up, full], 1))


def test_the_reference_has_the_number_of_parameters_of_the_released_network():
    assert parameters(network_of(REFERENCE)) == released_parameters() == 133_652


def test_the_reference_computes_what_the_description_of_the_released_network_says():
    network = network_of(REFERENCE).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():  # biases start at zero, which would hide one in the wrong place
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    image = noise(2, 3, 24, 40).double()
    with torch.no_grad():
        found, expected = network(image), released_forward(image, network.state_dict())
    assert (found - image).abs().mean() > 1e-2  # the network does something
    assert (found - expected).abs().max() < 1e-12


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_matrix_products_train_a_network_as_its_convolutions_do(one_thread, monkeypatch, attention):
    """Both ways to compute a 1x1 convolution, see blocks.Pointwise: values and gradients, and that both are taken."""
    genotype = replace(SMALL, stages=tuple(replace(stage, attention=attention) for stage in SMALL.stages))
    image = noise(2, 3, 16, 24).to(memory_format=torch.channels_last)
    found = []
    products = []
    product = Pointwise._product
    monkeypatch.setattr(Pointwise, "_product", lambda self, *parts: products.append(self) or product(self, *parts))
    for fast in (True, False):
        network = network_of(genotype).to(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(1)
        for parameter in network.parameters():  # biases start at zero, which would hide one in the wrong place
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
        if not fast:
            assert {type(module) for module in products} == {Pointwise}
            products.clear()
            monkeypatch.setattr("search_spaces.blocks._leaves_onednn", lambda x: False)
        output = network(image)
        output.square().mean().backward()
        found.append([output.detach(), *(parameter.grad for parameter in network.parameters())])
    assert not products
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * other.abs().max().item())


def test_outside_training_a_1x1_convolution_is_one(one_thread, monkeypatch):
    monkeypatch.setattr(Pointwise, "_product", lambda self, *parts: pytest.fail("a matrix product"))
    network, image = network_of(SMALL), noise(1, 3, 16, 16)
    network(image)  # contiguous, as tracers and exports give it
    network.eval()(image.to(memory_format=torch.channels_last))


def test_the_paper_preset_skips_around_the_whole_block():
    network = network_of(replace(SMALL, block="paper"))
    block, x = network.encoder1[2], noise(1, 4, 8, 8)
    with torch.no_grad():
        y = block.residuals(x)
        expected = x + y * torch.sigmoid(block.attention(y))
        assert torch.equal(block(x), expected)


def test_a_mobilenet_block_is_the_released_one_without_its_second_pair():
    released, mobilenet = (network_of(replace(SMALL, block=block)) for block in ("released", "mobilenet"))
    weights = released.state_dict()
    assert set(weights) - set(mobilenet.state_dict()) == {name for name in weights if ".mixing." in name}
    mobilenet.load_state_dict({name: value for name, value in weights.items() if ".mixing." not in name})
    for name, parameter in released.named_parameters():
        if ".mixing.2." in name:
            parameter.data.zero_()  # the second pair adds nothing
    image = noise(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(mobilenet(image), released(image))


def cells_by_hand(image: Tensor) -> Tensor:
    """The pixels of every 2x2 square side by side: of each colour top left, top right, bottom left, bottom right."""
    corners = [image[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return torch.stack(corners, dim=2).flatten(1, 2)


@pytest.mark.parametrize("head", HEADS)
def test_a_space_to_depth_network_is_a_u_net_on_cells_of_four_pixels(head):
    network, image = network_of(replace(SMALL, head=head, stem="space-to-depth")), noise(2, 3, 16, 24)
    cells, seen = cells_by_hand(image), {}
    network.encoder1.register_forward_hook(lambda module, inputs, output: seen.update(stem=inputs[0], full=output))
    network.decoder2.register_forward_hook(lambda module, inputs, output: seen.update(x=output))
    network.head.register_forward_hook(lambda module, inputs, output: seen.update(z=inputs[0], update=output))
    with torch.no_grad():
        output = network(image)
        up = F.interpolate(seen["x"], size=(8, 12), mode="bilinear")
        assert torch.equal(seen["stem"], cells)
        assert torch.equal(seen["z"], torch.cat([up, seen["full"]], dim=1))
        assert torch.equal(output, image + seen["update"])
        part = network.head
        if head == "conv3x3":  # two convolutions that are one over features and cells side by side
            weight = torch.cat([part.project.weight, part.image.weight], dim=1)
            both = F.conv2d(
                torch.cat([seen["z"], cells], dim=1), weight, part.project.bias + part.image.bias, padding=1
            )
            torch.testing.assert_close(cells_by_hand(seen["update"]), both)
        else:
            u = F.pixel_shuffle(part.project(seen["z"]) + part.shortcut(seen["z"]).relu(), 2)
            assert u.shape == image.shape
            torch.testing.assert_close(seen["update"], u * part.gate(u).sigmoid())


@pytest.mark.parametrize("genotype", [REFERENCE, PAPER], ids=["reference", "paper"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 32), (32, 16)])
def test_the_output_has_the_shape_of_the_input(genotype, height, width):
    with torch.no_grad():
        assert network_of(genotype)(noise(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize(
    ("block", "activation", "head", "stem", "attention"),
    (
        words
        for words in itertools.product(BLOCKS, ACTIVATIONS, HEADS, STEMS, ATTENTIONS)
        if words[:2] != ("plain", "gate")
    ),
)
def test_every_variant_gives_every_parameter_a_finite_gradient(block, activation, head, stem, attention):
    # Twice as wide: of four ReLUs without a bias, all may be closed at the start.
    stages = tuple(replace(stage, width=2 * stage.width, attention=attention) for stage in SMALL.stages)
    network = network_of(Genotype(stages, block, activation, head, stem))
    image = noise(2, 3, 32, 32)
    (network(image) - image.flip(1)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    silent = [name for name, parameter in network.named_parameters() if not parameter.grad.any()]
    assert silent == []


def test_attention_may_differ_from_stage_to_stage():
    attentions = ("none", "channel", "spatial", "both", "none")
    stages = tuple(
        replace(stage, attention=attention) for stage, attention in zip(SMALL.stages, attentions, strict=True)
    )
    network = network_of(Genotype(stages))
    assert [getattr(network, f"encoder{n}")[2].attention is None for n in (1, 2, 3)] == [True, False, False]
    assert network(noise(1, 3, 8, 8)).shape == (1, 3, 8, 8)


def test_images_of_a_batch_do_not_see_each_other():
    network, images = network_of(SMALL), noise(3, 3, 16, 16)
    with torch.no_grad():
        alone = torch.cat([network(images[index : index + 1]) for index in range(3)])
        torch.testing.assert_close(network(images), alone)


@pytest.mark.parametrize(("height", "width"), [(12, 8), (8, 12), (5, 5)])
def test_sides_not_divisible_by_eight_are_refused_with_the_way_out(height, width):
    with pytest.raises(ValueError, match=rf"divisible by 8, got {height}x{width}; sides\.on_any_size"):
        network_of(SMALL)(noise(1, 3, height, width))


@pytest.mark.parametrize("opening", ["leaky", "none"])
@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize(("join", "upsampling"), [("add", "nearest"), ("concat", "nearest"), ("add", "bilinear")])
def test_every_wiring_gives_every_parameter_a_gradient(opening, levels, join, upsampling):
    flat = REFERENCE.flat() | {"levels": levels, "opening": opening, "join": join, "upsampling": upsampling}
    network = network_of(Genotype.from_flat(flat | {"kernel": 5, "activation": "gate"}))
    image = noise(2, 3, 32, 40)
    (network(image) - image.flip(1)).square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


def test_a_network_of_four_levels_that_adds_computes_what_its_description_says():
    flat = REFERENCE.flat() | {f"{name}.attention": "none" for name in ALL_STAGES} | {"encoder4.width": 24}
    words = {"levels": 4, "join": "add", "upsampling": "nearest", "opening": "leaky", "block": "plain"}
    network = network_of(Genotype.from_flat(flat | words | {"activation": "relu", "head": "conv3x3"})).double()
    weights = network.state_dict()

    def convolution(x: Tensor, name: str) -> Tensor:
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def blocks(x: Tensor, name: str) -> Tensor:
        for block in (f"{name}.2.residuals.0.spatial", f"{name}.2.residuals.1.spatial"):
            x = x + convolution(convolution(x, f"{block}.0").relu(), f"{block}.2")
        return x

    def up(below: Tensor, name: str) -> Tensor:
        return convolution(below, f"laterals.{name}").repeat_interleave(2, 2).repeat_interleave(2, 3)

    def down(x: Tensor, name: str) -> Tensor:
        return F.leaky_relu(F.conv2d(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], stride=2), 0.1)

    image = noise(1, 3, 16, 24).double()
    with torch.no_grad():
        maps = [blocks(F.leaky_relu(convolution(image, "encoder1.0"), 0.1), "encoder1")]
        for level in (2, 3, 4):
            maps.append(blocks(down(maps[-1], f"encoder{level}"), f"encoder{level}"))
        x = maps[3]
        for skip, name in ((maps[2], "decoder1"), (maps[1], "decoder2"), (maps[0], "decoder3")):
            x = blocks(skip + up(x, name), name)
        expected = image + convolution(x, "head.project")
        torch.testing.assert_close(network(image), expected, atol=1e-12, rtol=0)


def test_a_gate_multiplies_both_halves_of_its_channels():
    x = noise(1, 6, 2, 2)
    assert torch.equal(Gate()(x), x[:, :3] * x[:, 3:])


def test_the_gate_of_a_new_network_is_open():
    opening = []
    for seed in range(5):
        network = network_of(REFERENCE, seed)
        network.head.gate.register_forward_hook(lambda module, inputs, output: opening.append(output.sigmoid().mean()))
        with torch.no_grad():
            network(noise(1, 3, 32, 32))
    assert len(opening) == 5
    assert all(0.3 < mean < 0.7 for mean in opening)
