"""Sensor noise: its statistics against the formula, its levels, its randomness."""

import math

import pytest
import torch
from torch import Generator

from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import sample_photos
from nas.task.degrade import SensorNoise, add_sensor_noise
from nas.task.metrics import psnr, ssim


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def flat(*values: float, side: int = 256) -> torch.Tensor:
    return torch.stack([torch.full((3, side, side), value) for value in values])


def test_variance_is_shot_times_signal_plus_read_squared():
    clean = flat(0.2, 0.4, 0.6)
    noise = add_sensor_noise(clean, 0.004, 0.03, generator()) - clean
    expected = torch.tensor([0.004 * value + 0.03**2 for value in (0.2, 0.4, 0.6)])
    torch.testing.assert_close(noise.var(dim=(1, 2, 3)), expected, rtol=0.02, atol=0)


def test_noise_has_no_mean_and_no_correlation_with_the_neighbour():
    noise = add_sensor_noise(flat(0.5), 0.001, 0.01, generator()) - 0.5
    assert abs(noise.mean()) < 3 * noise.std() / math.sqrt(noise.numel())
    for shift in ((1, 2), (1, 3), (1, 1)):  # down, across, between the colours
        moved = torch.roll(noise, shift[0], shift[1])
        assert abs((noise * moved).mean() / noise.var()) < 0.02


def test_each_image_of_a_batch_has_its_own_level():
    clean = flat(0.5, 0.5)
    noise = add_sensor_noise(clean, torch.tensor([0.0, 0.001]), torch.tensor([0.01, 0.02]), generator()) - clean
    expected = torch.tensor([0.01**2, 0.001 * 0.5 + 0.02**2])
    torch.testing.assert_close(noise.var(dim=(1, 2, 3)), expected, rtol=0.02, atol=0)


def test_noise_is_clipped_to_the_range_of_images():
    noisy = add_sensor_noise(flat(0.0, 1.0), 0.01, 0.1, generator())
    assert noisy.min() == 0
    assert noisy.max() == 1


def test_the_clean_image_is_left_as_it_was():
    clean = flat(0.3, side=8)
    add_sensor_noise(clean, 0.01, 0.1, generator())
    assert torch.equal(clean, flat(0.3, side=8))


def test_the_same_generator_state_gives_the_same_noise():
    noise = SensorNoise()
    first, second, other = (noise.degrade(flat(0.5, side=16), generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_levels_run_geometrically_from_low_to_high():
    noise = SensorNoise(shot=(0.001, 0.1), read=(0.01, 0.04))
    assert [noise.at(level) for level in (0, 0.5, 1)] == [
        pytest.approx((0.001, 0.01)),
        pytest.approx((0.01, 0.02)),
        pytest.approx((0.1, 0.04)),
    ]


def test_drawn_levels_are_log_uniform_over_the_range():
    noise = SensorNoise(shot=(1e-6, 1e-6), read=(0.001, 0.1))
    clean = torch.full((2000, 3, 16, 16), 0.5)
    spread = (noise.degrade(clean, generator()) - clean).std(dim=(1, 2, 3))
    shares = ((spread.log() - math.log(0.001)) / math.log(100)).sort().values
    # Kolmogorov-Smirnov distance to the uniform distribution; 0.05 leaves room for the spread's own estimate.
    assert (shares - torch.linspace(0, 1, 2000)).abs().max() < 0.05


@pytest.mark.parametrize("ends", [(0.0, 0.1), (0.2, 0.1), (0.1, 1.5), (-0.1, 0.1), (0.1, float("nan"))])
@pytest.mark.parametrize("which", ["shot", "read"])
def test_a_range_out_of_order_is_refused_by_name(which, ends):
    with pytest.raises(ValueError, match=which):
        SensorNoise(**{which: ends})


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_a_level_outside_of_0_and_1_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        SensorNoise().at(level)


def test_the_default_is_strong_night_noise():
    samples = sample_photos()
    photos = (*samples.validation, *samples.test[:1])  # chelsea, coffee, flower
    pairs = validation_pairs(photos, SensorNoise(), seed=0, side=None)
    mean_ssim = sum(ssim(noisy, clean).item() for _, noisy, clean in pairs) / len(pairs)
    mean_psnr = sum(psnr(noisy, clean).item() for _, noisy, clean in pairs) / len(pairs)
    assert mean_ssim == pytest.approx(0.502, abs=0.01)
    assert mean_psnr == pytest.approx(24.6, abs=0.2)
