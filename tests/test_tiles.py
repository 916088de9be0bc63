"""Tiles: whatever the size, the same result as the whole image at once."""

import pytest
import torch
from torch import Tensor

from compress.runtimes import Runtime
from compress.tiles import enhance, fitted, in_tiles, receptive_radius
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.sides import on_any_size


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
        whole = on_any_size(network, image)
        tiled = in_tiles(network, image, size, receptive_radius(blueprint))
    assert tiled.shape == image.shape
    assert (tiled - whole).abs().max() < 1e-5
    assert (whole - image).abs().mean() > 1e-2  # the network does something


@pytest.mark.parametrize(("height", "width"), [(96, 121), (41, 48), (40, 203)])
def test_halo_of_exactly_the_radius_is_enough(height: int, width: int) -> None:
    def blur(image: Tensor) -> Tensor:  # sees 8 pixels to each side, and zeros beyond the border
        return torch.nn.functional.avg_pool2d(image, 17, stride=1, padding=8)

    image = noise(height, width)
    assert torch.allclose(in_tiles(blur, image, (40, 48), radius=8), on_any_size(blur, image))


def test_halo_smaller_than_the_receptive_field_shows_seams() -> None:
    blueprint = blueprint_of(depth=1, head="conv3x3", attention="spatial")
    network, image = loud(blueprint), noise(96, 200)
    with torch.no_grad():
        difference = in_tiles(network, image, (96, 104), radius=8) - network(image)
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
def test_receptive_radius_bounds_what_an_output_pixel_depends_on(
    depth: int, head: str, attention: str, stem: str, block: str
) -> None:
    blueprint = blueprint_of(depth, head, attention, stem, block)
    radius = receptive_radius(blueprint)
    network = loud(blueprint)
    side = (2 * radius + 40) // 16 * 16
    stride = 4 * blueprint.cell
    reached = 0
    for row in range(side // 2, side // 2 + stride):  # every position relative to poolings and cells
        image = noise(side, side).requires_grad_()
        network(image)[0, :, row, row].sum().backward()
        assert image.grad is not None
        rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        reached = max(reached, int((rows - row).abs().max()))
    assert radius - 2 * stride <= reached <= radius


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


def test_runtime_of_any_size_runs_once_on_the_padded_image() -> None:
    shapes: list[torch.Size] = []

    def run(image: Tensor) -> Tensor:
        shapes.append(image.shape)
        return image

    image = noise(37, 50).float()
    assert torch.equal(enhance(Runtime("test", None, None, run), image), image)
    assert [tuple(shape) for shape in shapes] == [(1, 3, 40, 56)]


def test_image_smaller_than_the_tile_is_padded_by_reflection() -> None:
    image = noise(20, 30).float()
    runtime = Runtime("test", (64, 64), None, lambda tile: tile)
    assert torch.equal(enhance(runtime, image), image)
    assert fitted(image, (64, 64)).shape == (1, 3, 64, 64)


def test_runtime_rejects_a_shape_that_its_file_does_not_take() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 64, 64\)"):
        Runtime("test", (64, 64), None, lambda tile: tile)(noise(32, 64))
