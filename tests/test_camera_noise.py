"""Camera noise: its light, statistics, correlation and JPEG against formulas, scipy, scikit-image and Monte Carlo."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2xyz
from torch import Generator, Tensor

from nas.task.data.photos import sample_photos
from nas.task.degrade import BlendedNoise, CameraNoise, NoiseProfile, SensorNoise, make_noise
from nas.task.degrade.field import neighbour_correlation, sigma_of, unit_field
from nas.task.degrade.jpeg import recompressed
from nas.task.degrade.light import sensor_share, to_linear, to_srgb
from nas.task.degrade.profile import PROFILES

PLAIN = {"red": (1.0, 1.0), "blue": (1.0, 1.0), "gain": (1.0, 1.0), "tone": (0.0, 0.0)}
WHITE = {"correlation": (0.0, 0.0), "chroma_width": (1.0, 1.0), "chroma": (1.0, 1.0)}


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def camera(shot: float = 0.002, read: float = 0.005, jpeg: float = 0.0, **words: tuple[float, float]) -> CameraNoise:
    return CameraNoise(NoiseProfile("test", "test", (shot,), (read,), **(PLAIN | WHITE | words)), jpeg)


def flat(*values: float, side: int = 256) -> Tensor:
    return torch.stack([torch.full((3, side, side), value) for value in values])


def in_light(image: Tensor) -> np.ndarray:
    """Linear light (B, 3, H, W) of sRGB values, each channel by itself, by scikit-image: Y of a grey is its light."""
    grey = np.repeat(image.double().numpy()[..., None], 3, axis=-1)
    return rgb2xyz(grey)[..., 1] / rgb2xyz(np.ones((1, 1, 3)))[0, 0, 1]


def neighbours(field: Tensor) -> float:
    field = field - field.mean()
    across, down = (field[..., 1:] * field[..., :-1]).mean(), (field[..., 1:, :] * field[..., :-1, :]).mean()
    return float((across + down) / 2 / field.square().mean())


def parts(field: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness and colour of a field (B, 3, H, W)."""
    luma = field.mean(dim=1, keepdim=True)
    return luma, field - luma


@pytest.mark.parametrize("tone", [0.0, 0.4, 1.0])
def test_light_and_back_is_the_photograph(tone):
    photo = sample_photos().validation[0].clean[None].float() / 255
    strength = torch.tensor([tone])
    assert (to_srgb(to_linear(photo, strength), strength) - photo).abs().max() < 0.2 / 255


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_camera_without_noise_gives_the_photograph_back_highlights_too(profile):
    silent = CameraNoise(replace(profile, shot=(1e-12,), read=(1e-9,)), jpeg=0.0)
    ramp = torch.linspace(0, 1, 256)
    colours = torch.stack([ramp.repeat(64, 1), ramp.flip(0).repeat(64, 1), torch.rand(64, 256, generator=generator())])
    clean = torch.stack([ramp.repeat(3, 64, 1), colours, colours.flip(0).clamp(min=0.9)])
    assert (silent.degrade(clean, generator()) - clean).abs().max() < 1 / 255


def test_light_is_that_of_the_standard_and_the_strongest_tone_curve_the_papers():
    value = torch.linspace(0, 1, 101).repeat(1, 3, 1, 1)
    np.testing.assert_allclose(to_linear(value, torch.zeros(1)).numpy(), in_light(value), atol=3e-3)
    before_tone = (0.5 - torch.sin(torch.asin(1 - 2 * value) / 3)).clamp(0, 1)  # Brooks et al., section 3.4
    np.testing.assert_allclose(to_linear(value, torch.ones(1)).numpy(), in_light(before_tone), atol=1e-5)


def test_the_sensor_saw_the_light_without_gains_but_white_was_saturated():
    gains = torch.tensor([[2.5, 1.25, 2.0]])
    light = torch.tensor([0.2, 0.89, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    share = sensor_share(light, gains)[0, :, 0]
    np.testing.assert_allclose(share[:, :2], [[0.4, 0.4], [0.8, 0.8], [0.5, 0.5]], rtol=1e-5)
    np.testing.assert_allclose(share[:, 2], 1, rtol=1e-5)


def test_variance_in_light_is_shot_times_signal_plus_read_squared():
    clean = flat(0.3, 0.5, 0.7)
    noisy = in_light(camera(0.002, 0.01).degrade(clean, generator()))
    for light, signal in zip(noisy, in_light(clean)[:, 0, 0, 0], strict=True):
        assert light.var() == pytest.approx(0.002 * signal + 0.01**2, rel=0.03)


def test_gains_raise_the_noise_of_what_the_sensor_saw_channel_by_channel():
    clean = flat(0.5)
    gained = camera(0.001, 0.01, red=(2.0, 2.0), blue=(1.5, 1.5), gain=(1.25, 1.25))
    light, signal = in_light(gained.degrade(clean, generator()))[0], in_light(clean)[0, 0, 0, 0]
    for channel, gain in zip(light, (2.5, 1.25, 1.875), strict=True):
        assert channel.var() == pytest.approx(gain**2 * (0.001 * signal / gain + 0.01**2), rel=0.03)


@pytest.mark.parametrize("sigma", [0.75, 1.0, 2.0])  # below, sampling a Gaussian and its spectrum are two things
def test_a_field_is_correlated_as_scipys_gaussian_blur_leaves_white_noise(sigma):
    blurred = gaussian_filter(np.random.default_rng(0).normal(size=(1024, 1024)), sigma, mode="wrap", truncate=8)
    size = torch.tensor([sigma])
    field = unit_field((1, 1024, 1024), size, size, torch.ones(1), generator())
    assert neighbours(field) == pytest.approx(neighbours(torch.from_numpy(blurred)), abs=0.02)
    assert neighbour_correlation(sigma) == pytest.approx(math.exp(-1 / (4 * sigma**2)), abs=0.01)


@pytest.mark.parametrize("sigma", [0.0, 0.2, 0.4, 0.6, 1.5])
def test_a_fields_blur_is_known_from_its_neighbours(sigma):
    size = torch.tensor([sigma])
    field = unit_field((1, 1024, 1024), size, size, torch.ones(1), generator())
    assert neighbour_correlation(sigma) == pytest.approx(neighbours(field), abs=0.003)
    assert sigma_of(neighbour_correlation(sigma)) == pytest.approx(sigma, abs=1e-3)


def test_correlation_rises_with_the_setting_and_reaches_further_in_colour():
    clean, before = flat(0.5), -0.02
    for pixels in (0.0, 0.3, 0.6, 1.0):
        noise = camera(correlation=(pixels, pixels), chroma_width=(1.8, 1.8))
        luma, colour = (neighbours(part) for part in parts(noise.degrade(clean, generator()) - clean))
        assert luma > before
        assert colour > luma + 0.05 if pixels else abs(colour) < 0.02
        before = luma + 0.02


def test_correlation_and_strength_of_colour_leave_the_variance_of_every_channel():
    count = 64
    sizes = torch.linspace(0, 1, count)
    field = unit_field((count, 128, 96), sizes, 2 * sizes, torch.linspace(0, 1, count), generator())
    assert field.shape == (count, 3, 128, 96)
    np.testing.assert_allclose(field.var(dim=(2, 3)).mean(dim=1), 1, atol=0.12)
    assert field.var().item() == pytest.approx(1, abs=0.01)


def test_strength_of_colour_is_that_against_independent_channels():
    ones = torch.full((1,), 0.5)
    luma, colour = parts(unit_field((1, 512, 512), ones, ones, torch.tensor([0.4]), generator()))
    # independent channels: their mean has a third of the variance, what remains of each two thirds
    assert math.sqrt(float(colour.var() * 3 / 2 / (luma.var() * 3))) == pytest.approx(0.4, rel=0.02)


def test_a_level_is_the_same_for_all_images_and_a_higher_one_is_noisier():
    profile = NoiseProfile("test", "test", (1e-4, 1e-2), (1e-3, 1e-2), **(PLAIN | WHITE))
    clean, noise = flat(0.5, 0.5), CameraNoise(profile, jpeg=0.0)
    spreads = [
        (noise.degrade_at(clean, level, generator()) - clean).std(dim=(1, 2, 3)).tolist() for level in (0, 0.5, 1)
    ]
    for one, other in spreads:
        assert one == pytest.approx(other, rel=0.02)
    assert spreads[0][0] < spreads[1][0] / 2 < spreads[2][0] / 4
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="level"):
            noise.degrade_at(clean, wrong, generator())


@pytest.mark.parametrize("weak", [0.0, 0.5, 1.0])
def test_drawn_levels_are_every_images_own_and_uniform_but_for_the_share_of_weak_ones(weak):
    profile = NoiseProfile("test", "test", (1e-5, 1e-2), (1e-8, 1e-8), **(PLAIN | WHITE))
    clean = torch.full((2000, 3, 16, 16), 0.5)
    noise = CameraNoise(profile, jpeg=0.0, weak=weak)
    spread = (noise.degrade(clean, generator()) - clean).std(dim=(1, 2, 3))
    most = (noise.degrade_at(clean, 1.0, generator()) - clean).std()
    levels = ((spread / most).log() / math.log(1000) * 2 + 1).sort().values.clamp(0, 1)  # deviation: the root of shot
    expected = (1 - weak) * levels + weak * levels ** (1 / 3)  # how many are weaker
    # Kolmogorov-Smirnov distance; 0.06 leaves room for the spread's own estimate. Where that is all, nothing is told.
    assert (torch.linspace(0, 1, 2000) - expected)[levels > 0.02].abs().max() < 0.06


def test_between_measured_gains_shot_and_read_are_those_of_the_profile():
    profile = replace(PROFILES["oppo-reno"], **(PLAIN | WHITE))
    clean = flat(0.6)
    signal = in_light(clean)[0, 0, 0, 0]
    for level in (0.0, 0.3, 0.7, 1.0):
        shot, read = profile.at(level)
        light = in_light(CameraNoise(profile, jpeg=0.0).degrade_at(clean, level, generator()))
        assert light.var() == pytest.approx(shot * signal + read**2, rel=0.04)


def test_read_noise_scatters_about_its_line():
    clean = torch.full((1000, 3, 16, 16), 0.5)
    noise = camera(1e-12, 0.002)
    scattered = CameraNoise(replace(noise.profile, scatter=0.5), jpeg=0.0)
    logs = (scattered.degrade(clean, generator()) - clean).var(dim=(1, 2, 3)).log()
    assert logs.std().item() == pytest.approx(0.5, abs=0.05)
    assert (noise.degrade(clean, generator()) - clean).var(dim=(1, 2, 3)).log().std() < 0.1


def test_a_grey_patch_stays_grey_on_average():
    clean = flat(*[0.5] * 16, side=128)
    noise = CameraNoise(replace(PROFILES["darmstadt"], shot=(1e-3,), read=(3e-3,)), jpeg=0.5)
    means = noise.degrade(clean, generator()).mean(dim=(2, 3))
    assert (means - 0.5).abs().max() < 1.5 / 255


def test_black_and_white_pictures_stay_pictures():
    for value in (0.0, 1.0):
        noisy = CameraNoise(jpeg=0.5).degrade(flat(*[value] * 32, side=32), generator())
        assert torch.isfinite(noisy).all()
        assert noisy.min() >= 0
        assert noisy.max() <= 1
        assert (noisy - value).abs().mean() < 0.1


@pytest.mark.parametrize("noise", [CameraNoise(), BlendedNoise()], ids=["camera", "blend"])
def test_the_generator_decides_all_and_the_clean_side_is_left_as_it_was(noise):
    clean = torch.rand(6, 3, 40, 56, generator=generator(9))
    kept = clean.clone()
    torch.manual_seed(1)
    first = noise.degrade(clean, generator(3))
    torch.manual_seed(2)
    second, other = noise.degrade(clean, generator(3)), noise.degrade(clean, generator(4))
    assert torch.equal(clean, kept)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.shape == clean.shape
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_a_share_of_the_images_is_compressed():
    clean = torch.rand(400, 3, 16, 16, generator=generator(5))
    silent = camera(1e-12, 1e-9, jpeg=0.3)
    changed = (silent.degrade(clean, generator()) - clean).abs().amax(dim=(1, 2, 3)) > 1 / 255
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.07)  # three standard deviations


def test_the_grid_of_a_jpeg_begins_at_the_corner_that_was_asked_for():
    """Flat blocks of 16 pixels are kept where the grid lies on them, and ring where it does not."""
    grey = torch.rand(5, 5, generator=generator(2)).mul_(0.5).add_(0.25)
    blocks = grey.repeat_interleave(16, 0).repeat_interleave(16, 1).expand(3, 80, 80)
    cut = blocks[:, 5:69, 3:67]  # begins five pixels down and three across in a block
    right, wrong = (recompressed(cut, 50, corner) for corner in ((5, 3), (9, 12)))
    assert (right - cut).abs().mean() < 0.3 * (wrong - cut).abs().mean()
    assert right.shape == cut.shape


def test_a_jpeg_of_lower_quality_is_further_from_the_photograph():
    photo = sample_photos().validation[0].clean.float()[:, :128, :128] / 255
    errors = [float((recompressed(photo, quality, (0, 0)) - photo).square().mean()) for quality in (95, 80, 60)]
    assert errors == sorted(errors)
    assert errors[0] < errors[2] / 2


def test_a_blend_degrades_its_share_of_a_batch_with_white_noise():
    blend = BlendedNoise(camera(1e-12, 1e-9), SensorNoise((0.01, 0.01), (0.05, 0.05)), 0.25)
    clean = flat(*[0.5] * 8, side=16)
    assert ((blend.degrade(clean, generator()) - clean).std(dim=(1, 2, 3)) > 0.02).sum() == 2
    single = flat(0.5, side=8)
    white = [bool((blend.degrade(single, generator(seed)) - single).std() > 0.02) for seed in range(400)]
    assert sum(white) / 400 == pytest.approx(0.25, abs=0.065)  # three standard deviations


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.8, 1.0])
def test_a_blend_takes_turns_so_that_every_stretch_has_its_share(share):
    blend = BlendedNoise(share=share)
    white = [blend.in_turn(rank) == blend.white for rank in range(40)]
    for begin in range(0, 40, 5):
        assert abs(sum(white[begin : begin + 20]) - share * len(white[begin : begin + 20])) <= 1


def test_noise_by_its_name():
    assert make_noise("white") == SensorNoise()
    assert make_noise("camera", PROFILES["pixel"]) == CameraNoise(PROFILES["pixel"])
    assert make_noise("blend", PROFILES["pixel"], 0.2) == BlendedNoise(CameraNoise(PROFILES["pixel"]), share=0.2)
    with pytest.raises(ValueError, match="pink"):
        make_noise("pink")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CameraNoise(jpeg=1.5), "jpeg = 1.5"),
        (lambda: CameraNoise(quality=(90.0, 20.0)), "quality"),
        (lambda: CameraNoise(quality=(0.0, 20.0)), "quality"),
        (lambda: CameraNoise(weak=-0.1), "weak = -0.1"),
        (lambda: BlendedNoise(share=-0.1), "blend = -0.1"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
