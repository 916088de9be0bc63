"""Tiles: whatever the size, the same result as the whole image at once."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.export.formats import FORMATS, Variant, export_network
from compress.runtime.runtimes import Runtime, in_pytorch, load
from compress.runtime.tiles import Rows, enhance, enhance_rows, fitted, in_tiles, tile_size
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import ALL_STAGES, Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.receptive import margin_of, receptive_radius
from search_spaces.sides import on_any_size, pad_to, padded_side
from search_spaces.space import ADDITIVE, REFERENCE


def blueprint_of(depth: int, head: str, attention: str, stem: str = "full", block: str = "released") -> Blueprint:
    widths = (4, 4, 8, 4, 4)
    stages = tuple(Stage(depth=depth, width=width, attention=attention) for width in widths)
    return Blueprint.from_genotype(Genotype(stages, block=block, activation="relu", head=head, stem=stem))


def loud(blueprint: Blueprint) -> LPIENet:
    """A network whose every pixel matters: positive weights close no ReLU and cancel nothing, values stay near 1."""
    network = build(blueprint, seed=1).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5, generator=generator)
        parameter.data *= 0.3 / parameter[0].numel()
    return network.eval()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("height", "width", "size", "stem"),
    [
        (123, 157, (120, 128), "full"),
        (120, 261, (120, 128), "full"),
        (301, 128, (120, 128), "full"),
        (229, 230, (120, 128), "full"),
        (253, 301, (240, 248), "space-to-depth"),
    ],
)
def test_tiled_result_equals_whole_image_result(height: int, width: int, size: tuple[int, int], stem: str) -> None:
    blueprint = blueprint_of(depth=1, head="conv3x3", attention="spatial", stem=stem)
    network, image = loud(blueprint), noise(height, width)
    with torch.no_grad():
        whole = on_any_size(network, image, margin_of(blueprint))
        tiled = in_tiles(network, image, size, receptive_radius(blueprint))
    assert tiled.shape == image.shape
    assert (tiled - whole).abs().max() < 1e-5
    assert (whole - image).abs().mean() > 1e-2  # the network does something


@pytest.mark.parametrize(("height", "width"), [(96, 121), (41, 48), (40, 203)])
def test_halo_of_exactly_the_radius_is_enough(height: int, width: int) -> None:
    def blur(image: Tensor) -> Tensor:  # sees 8 pixels to each side, and zeros beyond the border
        return torch.nn.functional.avg_pool2d(image, 17, stride=1, padding=8)

    image = noise(height, width)
    assert torch.allclose(in_tiles(blur, image, (40, 48), radius=8), on_any_size(blur, image, 8))


def test_halo_smaller_than_the_receptive_field_shows_seams() -> None:
    blueprint = blueprint_of(depth=1, head="conv3x3", attention="spatial")
    network, image = loud(blueprint), noise(96, 200)
    with torch.no_grad():
        difference = in_tiles(network, image, (96, 104), radius=8) - on_any_size(network, image, 56)
    assert difference.abs().max() > 1e-5


@pytest.mark.parametrize(
    ("depth", "head", "attention", "stem", "block"),
    [
        (1, "conv3x3", "none", "full", "released"),
        (2, "gated", "both", "full", "released"),
        (1, "gated", "channel", "full", "mobilenet"),
        (1, "conv3x3", "none", "space-to-depth", "released"),
        (1, "gated", "spatial", "space-to-depth", "mobilenet"),
    ],
)
def test_receptive_radius_is_what_a_block_of_output_pixels_depends_on(
    depth: int, head: str, attention: str, stem: str, block: str
) -> None:
    assert_reached(blueprint_of(depth, head, attention, stem, block))


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("join", "upsampling", "block", "kernel", "stem"),
    [
        ("concat", "bilinear", "mobilenet", 5, "full"),
        ("concat", "nearest", "plain", 3, "full"),
        ("add", "nearest", "mobilenet", 3, "full"),
        ("add", "bilinear", "released", 5, "full"),
        ("add", "nearest", "plain", 3, "space-to-depth"),
    ],
)
def test_receptive_radius_is_right_for_every_wiring(
    levels: int, join: str, upsampling: str, block: str, kernel: int, stem: str
) -> None:
    genes = {gene: value for name in ALL_STAGES for gene, value in ((f"{name}.width", 4), (f"{name}.depth", 1))}
    words = {"levels": levels, "join": join, "upsampling": upsampling, "block": block, "kernel": kernel, "stem": stem}
    plain = {f"{name}.attention": "none" for name in ALL_STAGES} | {"activation": "relu", "head": "conv3x3"}
    assert_reached(Blueprint.from_genotype(Genotype.from_flat(REFERENCE.flat() | genes | words | plain)))


def assert_reached(blueprint: Blueprint) -> None:
    """That the gradient of a block of 8x8 output pixels ends where the radius says."""
    radius = receptive_radius(blueprint)
    network = loud(blueprint)
    side = 16 * (radius // 8 + 3)
    first, last = side // 2, side // 2 + 7
    reached = 0
    for row in range(first, last + 1):
        image = noise(side, side).requires_grad_()
        network(image)[0, :, row, row].sum().backward()
        assert image.grad is not None
        rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        reached = max(reached, first - int(rows.min()), int(rows.max()) - last)
    assert reached == radius


def test_tile_that_cannot_hold_the_receptive_field_is_an_error_naming_the_smallest_usable() -> None:
    with pytest.raises(ValueError, match="at least 136"):
        in_tiles(lambda tile: tile, noise(200, 200), (128, 128), radius=61)


def test_every_pixel_is_written_once_and_progress_reaches_all_tiles() -> None:
    seen: list[tuple[int, int]] = []
    image = noise(211, 150)
    copied = in_tiles(lambda tile: tile, image, (64, 64), 13, lambda done, total: seen.append((done, total)))
    assert torch.equal(copied, image)
    assert seen == [(number, len(seen)) for number in range(1, len(seen) + 1)]


def test_tiles_start_at_multiples_of_the_stride_and_stay_inside() -> None:
    image = torch.arange(8.0 * 61 * 8 * 43).reshape(1, 1, 8 * 61, 8 * 43).expand(1, 3, -1, -1)
    starts: list[tuple[int, int]] = []

    def look(tile: Tensor) -> Tensor:
        assert tile.shape[-2:] == (64, 48)
        starts.append(divmod(int(tile[0, 0, 0, 0]), 8 * 43))
        return tile

    in_tiles(look, image, (64, 48), 9)
    assert all(row % 8 == 0 and column % 8 == 0 for row, column in starts)


def test_runtime_of_any_size_runs_once_on_the_image_with_its_reflection_around_it() -> None:
    shapes: list[torch.Size] = []

    def run(image: Tensor) -> Tensor:
        shapes.append(image.shape)
        return image

    image = noise(37, 50).float()
    halo = margin_of(Blueprint.from_genotype(ADDITIVE))
    runtime = Runtime("test", None, Blueprint.from_genotype(ADDITIVE), run)
    assert torch.equal(enhance(runtime, image), image)
    assert [tuple(shape) for shape in shapes] == [(1, 3, 40 + 2 * halo, 56 + 2 * halo)]


@pytest.mark.parametrize("tile", [None, (104, 96)])
def test_a_picture_s_border_is_enhanced_as_if_its_reflection_went_on(tile: tuple[int, int] | None) -> None:
    network = far_sighted("gated", "full")
    image = noise(61, 83).float()
    wide = np.pad(image.numpy(), ((0, 0), (0, 0), (160, 163), (160, 165)), "reflect")
    with torch.no_grad():
        expected = network(torch.from_numpy(wide))[..., 160 : 160 + 61, 160 : 160 + 83]
        runtime = replace(in_pytorch(network), size=tile)
        assert (enhance(runtime, image) - expected).abs().max() < 1e-5
        assert (network(pad_to(image, 64, 88))[..., :61, :83] - expected).abs().max() > 1e-3  # zeros outside are seen


def test_flat_grey_is_as_grey_at_the_border_as_in_the_middle() -> None:
    network = build(Blueprint.from_genotype(ADDITIVE), seed=3).eval()
    enhanced = enhance(in_pytorch(network), torch.full((1, 3, 50, 70), 0.5))
    assert (enhanced - enhanced[..., 25:26, 35:36]).abs().max() < 1e-5
    with torch.no_grad():
        bare = network(torch.full((1, 3, 56, 72), 0.5))
    assert (bare - bare[..., 28:29, 36:37]).abs().max() > 1e-3


def test_a_file_too_small_for_its_halo_takes_an_image_that_fits_with_as_much_reflection_as_there_is_room_for() -> None:
    seen: list[Tensor] = []

    def look(tile: Tensor) -> Tensor:
        seen.append(tile)
        return tile

    image = noise(20, 64)
    assert torch.equal(in_tiles(look, image, (64, 64), radius=61), image)
    assert np.array_equal(seen[0].numpy(), np.pad(image.numpy(), ((0, 0), (0, 0), (16, 28), (0, 0)), "reflect"))


def test_image_smaller_than_the_tile_is_padded_by_reflection() -> None:
    image = noise(20, 30).float()
    runtime = Runtime("test", (64, 64), None, lambda tile: tile)
    assert torch.equal(enhance(runtime, image), image)
    assert fitted(image, (64, 64)).shape == (1, 3, 64, 64)


def test_runtime_rejects_a_shape_that_its_file_does_not_take() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 64\)"):
        Runtime("test", (64, 64), None, lambda tile: tile)(noise(32, 64))


def far_sighted(head: str, stem: str) -> LPIENet:
    """A network that looks as far as it can: even channels up and left only, odd ones down and right.

    With random weights the outermost pixels of the receptive field weigh 1e-10, and a halo could lack them unseen. The
    depths are such that a halo, which is a multiple of 8, has not one pixel to spare.
    """
    stages = tuple(Stage(depth=depth, width=4, attention="none") for depth in (1, 2, 1, 1, 1))
    network = build(Blueprint.from_genotype(Genotype(stages, activation="relu", head=head, stem=stem)), seed=0)
    gains = {"spatial.1": 3.0, "mixing": 0.05, "shortcut": 0.1, "image": 0.1, "gate": 0.7}
    for name, convolution in network.named_modules():
        if not isinstance(convolution, nn.Conv2d):
            continue
        first_of_stage = name.count(".") == 1 and name.endswith(".0") and "coder" in name
        gain = 0.25 if first_of_stage else next((gains[part] for part in gains if part in name), 1.0)
        weights = convolution.weight.data.zero_()
        for channel, kernel in enumerate(weights):
            own = kernel[channel % 2 :: 2] if len(kernel) > 1 else kernel  # of the same direction, or its only one
            own[(..., 0, 0) if channel % 2 == 0 else (..., -1, -1)] = gain / len(own)
        nn.init.constant_(convolution.bias, 0.01)
    return network.eval()


FAR_SIGHTED = {  # with the size of static files
    "gated head": (far_sighted("gated", "full"), (104, 96)),
    "space-to-depth stem": (far_sighted("conv3x3", "space-to-depth"), (152, 160)),
}
ODD_SIZES = [(157, 163), (200, 177), (233, 171)]  # no side shorter than a static tile, which would be padded


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Runtime]:
    """A far-sighted network in a runtime; each file made once, when the first test asks for it."""
    folder, made = tmp_path_factory.mktemp("files"), {}

    def get(which: str, runtime: str) -> Runtime:
        network, size = FAR_SIGHTED[which]
        if runtime == "pytorch":
            return in_pytorch(network)
        if (which, runtime) not in made:
            path = folder / f"{which}{FORMATS[runtime].suffix}"
            export_network(network, Variant(runtime, "float", size), path)
            made[which, runtime] = load(path)
        return made[which, runtime]

    return get


@pytest.mark.slow
@pytest.mark.parametrize("which", FAR_SIGHTED)
@pytest.mark.parametrize(
    ("runtime", "tile"),
    [("pytorch", 144), ("pytorch", 190), ("onnx", 144), ("onnx", 190), ("litert", None), ("executorch", None)],
)
def test_every_runtime_in_tiles_says_what_the_network_says_of_the_whole_image(
    opened: Callable[[str, str], Runtime], which: str, runtime: str, tile: int | None
) -> None:
    network, size = FAR_SIGHTED[which]
    opened_file = opened(which, runtime)
    assert opened_file.size == (None if tile else size)
    for height, width in ODD_SIZES:
        image, tiles = noise(height, width).float(), []
        with torch.no_grad():
            whole = on_any_size(network, image, margin_of(network.blueprint))
        tiled = enhance(opened_file, image, lambda _, total, seen=tiles: seen.append(total), tile or 0)
        assert tiled.shape == image.shape
        assert (tiled - whole).abs().max() < 1e-5
        assert (whole - image).abs().mean() > 1e-2  # the network does something
    assert tiles[-1] > 1


@pytest.mark.parametrize("which", FAR_SIGHTED)
def test_a_halo_eight_pixels_too_narrow_would_be_seen(which: str) -> None:
    network, size = FAR_SIGHTED[which]
    image = noise(233, 171).float()
    radius = receptive_radius(network.blueprint)
    with torch.no_grad():
        difference = in_tiles(network, image, size, padded_side(radius) - 8) - on_any_size(
            network, image, padded_side(radius)
        )
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("radius", [9, 71, 157])
@pytest.mark.parametrize(("height", "width"), [(2160, 3840), (1080, 1920), (641, 3000), (37, 50)])
def test_equal_tiles_cover_the_image_with_no_more_pixels_than_square_ones(height: int, width: int, radius: int) -> None:
    def computed(size: tuple[int, int]) -> int:
        """Pixels of all tiles, by counting them."""
        seen: list[int] = []
        image = torch.zeros(1, 1, height, width)
        in_tiles(lambda tile: tile, image, size, radius, lambda _, total: seen.append(total))
        assert seen[-1] == len(seen)
        return len(seen) * prod(size)

    size = tile_size(height, width, radius, 640 * 640)
    assert prod(size) <= 640 * 640
    assert all(side % 8 == 0 for side in size)
    halo = padded_side(radius)
    assert computed(size) <= computed(
        (min(640, padded_side(height) + 2 * halo), min(640, padded_side(width) + 2 * halo))
    )


def test_tiles_too_small_for_the_receptive_field_are_as_large_as_it_needs() -> None:
    height, width = tile_size(1000, 1000, 61, 64 * 64)
    assert 2 * 64 < height < 2 * 64 + 64
    in_tiles(lambda tile: tile, torch.zeros(1, 1, 1000, 1000), (height, width), 61)


@pytest.mark.parametrize("size", [None, (104, 96)])
def test_of_an_image_that_is_read_in_parts_no_more_rows_are_asked_for_than_a_tile_has(
    size: tuple[int, int] | None,
) -> None:
    network, image, asked, given = FAR_SIGHTED["gated head"][0], noise(301, 98).float(), [], []
    runtime = replace(in_pytorch(network), size=size)

    def read(first: int, end: int) -> Tensor:
        asked.append(end - first)
        return image[..., first:end, :]

    for strip in enhance_rows(runtime, Rows(301, 98, read), tile=100):
        given.append(strip)
    assert len(given) > 3
    assert max(asked) <= (size[0] if size else 100 * 100 // 88)
    with torch.no_grad():
        whole = on_any_size(network, image, margin_of(network.blueprint))
    assert (torch.cat(given, dim=-2) - whole).abs().max() < 1e-5


def test_a_result_lies_in_memory_as_its_image_does() -> None:
    image = (255 * noise(30, 41)).to(torch.uint8).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    result = enhance(Runtime("test", None, None, lambda tile: tile), image)
    assert torch.equal(result, image)
    assert result.stride() == image.stride()
