"""Display: its point spread function against the grating equation and Airy's pattern, its direction, its dimming."""

import math

import numpy as np
import pytest
import torch
from scipy.special import j1
from torch import Generator

from nas.task.data.patches import PatchSampler, Sampling
from nas.task.data.photo import Photo
from nas.task.degrade import CameraNoise, Capture, NoiseProfile, make_noise
from nas.task.degrade.diffract import Diffraction
from nas.task.degrade.display import PENTILE, Display, Lens, point_spread
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.tasks import degradation_of
from nas.task.degrade.turns import EVERY_TURN, turned, turns_that_keep

STRIPES = Display("stripes", "stripes", 0.25, (0.2, 0.2, 0.2), pitch=110.0)
OPEN = Display("glass", "stripes", 1.0, (1.0, 1.0, 1.0))
SILENT = CameraNoise(NoiseProfile("silent", "test", (1e-12,), (1e-9,), tone=(0.0, 0.0)), jpeg=0.0)
COLOURS = {0: 620.0, 1: 540.0, 2: 470.0}  # middle wavelength of red, green, blue, in nanometres


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def plain(**words: object) -> Diffraction:
    return Diffraction(**({"kept": (1.0, 1.0), "balanced": (1.0, 1.0), "highlights": (1.0, 1.0)} | words))


@pytest.mark.parametrize("display", [PENTILE, STRIPES])
def test_a_point_spread_function_has_light_1_in_each_colour_and_is_the_same_upside_down(display):
    spread = point_spread(display, Lens(), 24)
    assert spread.shape == (3, 49, 49)
    assert spread.min() >= 0
    torch.testing.assert_close(spread.sum(dim=(1, 2)), torch.ones(3))
    torch.testing.assert_close(spread, spread.flip(1, 2), atol=1e-6, rtol=0)  # of any pattern that has no phase


@pytest.mark.parametrize("colour", COLOURS)
def test_stripes_are_a_grating(colour):
    """Orders at m * wavelength * focal length / pitch, across the stripes alone."""
    lens = Lens(focal=4.0, f_number=2.0, pixel=1.0)
    spread = point_spread(STRIPES, lens, 60)[colour]
    between = COLOURS[colour] * 1e-3 * 4000 / 110  # pixels of one micrometre
    across = spread.sum(dim=0)
    for order in (1, 2):
        near = round(60 + order * between)
        window = across[near - 4 : near + 5]
        middle = float((window * torch.arange(near - 4.0, near + 5.0)).sum() / window.sum())
        assert middle - 60 == pytest.approx(order * between, abs=0.6)
    assert spread.sum(dim=1)[:57].sum() < 0.03  # next to no light above the line of orders


def test_the_orders_of_a_grating_share_the_light_as_the_width_of_its_slits_says():
    """Of slits that are open in a share D of the pitch, order m has sinc(m D)^2 of what order 0 has."""
    lens = Lens(focal=4.0, f_number=2.0, pixel=1.0)
    across = point_spread(STRIPES, lens, 75)[1].sum(dim=0)
    between, half = COLOURS[1] * 1e-3 * 4000 / 110, 9
    light = [float(across[75 + round(m * between) - half : 75 + round(m * between) + half + 1].sum()) for m in range(4)]
    for order in (1, 2, 3):
        assert light[order] / light[0] == pytest.approx(np.sinc(order * 0.25) ** 2, abs=0.04)


def test_without_pixels_before_it_a_lens_draws_airys_pattern():
    lens = Lens(focal=4.0, f_number=4.0, pixel=0.25)
    found = point_spread(OPEN, lens, 30)[1].double()
    points = torch.arange(-30, 31) * 0.25  # micrometres
    radius = (points[:, None].square() + points.square()).sqrt().clamp(min=1e-9).numpy()
    airy = 0.0
    for nanometres in (510, 525, 540, 555, 570):
        x = math.pi * radius / (nanometres * 1e-3 * 4.0)
        airy = airy + (2 * j1(x) / x) ** 2
    airy = airy / airy.sum()
    np.testing.assert_allclose(found.numpy(), airy, atol=0.01 * airy.max())


def test_red_is_spread_farther_than_blue():
    spread = point_spread(PENTILE, Lens(), 24)
    away = torch.arange(-24, 25.0)
    far = (spread * (away[:, None].square() + away.square()).sqrt()).sum(dim=(1, 2))
    assert far[0] > far[1] > far[2]


def test_the_share_of_a_display_that_is_open_is_as_said():
    for display in (PENTILE, STRIPES, OPEN):
        assert display.cell().mean() == pytest.approx(display.opening, abs=1e-3)


def lamp(height: int, width: int) -> Photo:
    """A white point in the middle of black."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[:, height // 2, width // 2] = 255
    return Photo("lamp", image, None)


def test_light_spreads_in_the_same_direction_however_a_patch_is_turned():
    """Clean photographs are turned first: the display stays where it is before the camera."""
    behind = Capture((plain(display=STRIPES),), SILENT, noise=(0.0, 0.0), bits=16)
    degraded, clean = PatchSampler([lamp(33, 33)], Sampling(33, 64), behind, seed=0).batch(0)
    assert clean.sum() == 64 * 3
    across, down = degraded.sum(dim=(1, 2)), degraded.sum(dim=(1, 3))
    for one, other in zip(across, down, strict=True):
        assert (one > 0.05).sum() > 2 * (other > 0.05).sum()


def test_captured_pairs_are_turned_only_in_ways_that_keep_the_measured_direction(tmp_path):
    kernel = np.zeros((5, 5))
    kernel[2] = 1  # the same after half a turn and after both flips, not after a quarter turn
    np.save(tmp_path / "psf.npy", kernel)
    random = torch.randint(0, 256, (3, 9, 9), dtype=torch.uint8, generator=generator())
    pair = Photo("pair", random, 255 - random)
    kept = {"measured": (KernelFile.of(tmp_path / "psf.npy"), 4), "unknown": (None, 1)}
    for file, count in kept.values():
        sampler = PatchSampler([pair], Sampling(9, 200), degradation_of("udc", make_noise("camera"), 0, file), seed=0)
        degraded, clean = sampler.batch(0)
        assert (degraded + clean - 1).abs().max() < 1e-6
        turns = {(255 * patch).round().to(torch.uint8).contiguous().numpy().tobytes() for patch in clean}
        assert len(turns) == count
        assert random.contiguous().numpy().tobytes() in turns


def test_the_turns_that_keep_a_kernel_are_found():
    corner = torch.zeros(1, 5, 5)
    corner[0, 1:4, 1] = corner[0, 3, 2] = 0.25
    line, tilted = torch.zeros(1, 5, 5), torch.eye(5)[None] / 5
    line[0, 2] = 0.2
    assert turns_that_keep(corner) == ((0, False),)
    assert len(turns_that_keep(line)) == len(turns_that_keep(tilted)) == 4
    assert turns_that_keep(torch.ones(1, 5, 5) / 25) == EVERY_TURN
    image = torch.rand((5, 5, 3), generator=generator()).numpy()
    for turn in turns_that_keep(line):
        kernel = line.permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(turned(kernel, turn), kernel)
    assert len({turned(image, turn).tobytes() for turn in EVERY_TURN}) == 8


def test_a_display_dims_and_tints_what_white_balance_leaves():
    grey = torch.full((1, 3, 60, 60), 0.4)
    display = Display("tinted", "pentile", 0.25, (0.2, 0.1, 0.05))
    untouched = plain(display=display, kept=(0.5, 0.8), balanced=(0.0, 0.0))
    torch.testing.assert_close(
        untouched.apply(grey, torch.ones(1), generator())[0, :, 0, 0], torch.tensor([2, 1, 0.5]) * 0.5 * 0.4
    )
    balanced = plain(display=display, kept=(0.5, 0.8), balanced=(1.0, 1.0))
    torch.testing.assert_close(
        balanced.apply(grey, torch.zeros(1), generator())[0, :, 0, 0], torch.full((3,), 0.8 * 0.4)
    )


def test_there_is_more_noise_behind_a_display_than_the_camera_has_at_low_gain():
    grey = torch.full((64, 3, 32, 32), 0.5)
    behind, camera = degradation_of("udc", make_noise("camera"), 0), make_noise("camera")
    wide = torch.full((64, 3, 32 + 2 * behind.margin, 32 + 2 * behind.margin), 0.5)
    without = camera.degrade_at(grey, 0.0, generator()).var(dim=(2, 3)).median()
    assert behind.degrade(wide, generator()).var(dim=(2, 3)).median() > 3 * without


def test_a_file_of_several_kernels_is_no_point_spread_function(tmp_path):
    np.save(tmp_path / "two.npy", np.ones((2, 5, 5)))
    with pytest.raises(ValueError, match="one point spread function: choose one"):
        Diffraction(file=KernelFile.of(tmp_path / "two.npy"))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Display("a", "hexagons", 0.2, (1, 1, 1)), "pattern"),
        (lambda: Display("a", "pentile", 0.6, (1, 1, 1)), "opening"),
        (lambda: Display("a", "stripes", 0.6, (1, 0, 1)), "transmission"),
        (lambda: Display("a", "stripes", 0.6, (1, 1, 1), pitch=0.0), "pitch"),
        (lambda: Lens(focal=0.0), "focal"),
        (lambda: Diffraction(kept=(0.5, 1.2)), "kept"),
    ],
)
def test_a_display_that_cannot_be_is_refused_by_name(make, named):
    with pytest.raises(ValueError, match=named):
        make()
