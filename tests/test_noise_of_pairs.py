"""Noise of pairs: what was put into synthetic pairs is found in them, and what cannot be told is said."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

from nas.task.data.photos import Photo, sample_photos
from nas.task.degrade import CameraNoise, NoiseProfile
from nas.task.degrade.field import neighbour_correlation
from nas.task.noise_of_pairs import noise_of, profile_of

PROFILE = NoiseProfile(
    "known",
    "test",
    (0.003,),
    (0.012,),
    red=(2.0, 2.0),
    blue=(1.5, 1.5),
    gain=(1.0, 1.0),
    tone=(0.0, 0.0),
    correlation=(0.5, 0.5),
    chroma_width=(1.6, 1.6),
    chroma=(0.6, 0.6),
)


def tiles(seed: int = 0) -> torch.Tensor:
    """uint8 (3, 512, 512): coloured tiles of all brightnesses, each of 32 pixels, and a quarter of them textured."""
    drawn = np.random.default_rng(seed)
    grey = drawn.uniform(40, 215, (16, 16))[None] + drawn.uniform(-15, 15, (3, 16, 16))
    image = grey.repeat(32, 1).repeat(32, 2)
    image[:, :, :128] += drawn.uniform(-20, 20, (1, 512, 128))
    return torch.from_numpy(image.round().astype(np.uint8))


def pair(profile: NoiseProfile, level: float = 0.5, seed: int = 0, jpeg: float = 0.0) -> Photo:
    clean = tiles(seed)
    noisy = CameraNoise(profile, jpeg).degrade_at(clean[None] / 255, level, Generator().manual_seed(seed))
    return Photo(f"tiles {seed}", clean, (noisy[0] * 255).round().to(torch.uint8))


def test_shot_and_read_noise_of_a_pair_are_those_that_were_put_in():
    found = noise_of(pair(PROFILE))
    assert found.shot[1] == pytest.approx(0.003, rel=0.15)
    assert found.read[1] == pytest.approx(0.012, rel=0.15)
    for channel, gain in ((0, 2.0), (2, 1.5)):  # a gain raises shot noise and read noise's deviation
        assert found.shot[channel] == pytest.approx(0.003 * gain, rel=0.2)
        assert found.read[channel] == pytest.approx(0.012 * gain, rel=0.2)


def test_correlation_of_neighbours_in_brightness_and_colour_is_found():
    found = noise_of(pair(PROFILE))
    assert found.luma_correlation == pytest.approx(neighbour_correlation(0.5), abs=0.04)
    assert found.chroma_correlation == pytest.approx(neighbour_correlation(0.8), abs=0.04)
    assert found.chroma == pytest.approx(0.6, abs=0.04)


def test_the_quality_of_the_degraded_side_stands_beside():
    photo = pair(PROFILE)
    error = ((photo.degraded.double() - photo.clean.double()) / 255).square().mean()
    assert noise_of(photo).psnr == pytest.approx(-10 * math.log10(error))
    assert noise_of(photo).level == pytest.approx(255 * math.sqrt(error))
    assert noise_of(photo).to_json()["level"] == noise_of(photo).level


def test_another_exposure_of_one_side_is_no_noise():
    photo = pair(PROFILE)
    darker = replace(photo, clean=(photo.clean.float() * 0.98).to(torch.uint8))
    first, second = noise_of(photo), noise_of(darker)
    for one, other in zip(first.shot, second.shot, strict=True):
        assert one == pytest.approx(other, rel=0.1)
    assert first.luma_correlation == pytest.approx(second.luma_correlation, abs=0.02)


def test_the_profile_of_photographs_at_several_gains_is_the_cameras():
    line = replace(PROFILE, shot=(1e-3, 1e-2), read=(0.006, 0.04))
    found = [noise_of(pair(line, level, seed)) for seed, level in enumerate((0, 0.2, 0.4, 0.6, 0.8, 1))]
    profile = profile_of(found, "camera", "test")
    for share in (0.1, 0.5, 0.9):
        shot = profile.shot[0] * (profile.shot[-1] / profile.shot[0]) ** share
        true_read = 0.006 * (0.04 / 0.006) ** (math.log(shot / 1e-3) / math.log(10))
        assert profile.at(share)[1] == pytest.approx(true_read, rel=0.25)
    assert profile.shot == pytest.approx((1e-3 * 10**0.05, 1e-3 * 10**0.95), rel=0.25)
    assert profile.scatter < 0.5
    assert profile.red == pytest.approx((2, 2), rel=0.2)
    assert profile.blue == pytest.approx((1.5, 1.5), rel=0.2)
    assert profile.correlation == pytest.approx((0.5, 0.5), abs=0.04)
    assert profile.chroma_width == pytest.approx((1.6, 1.6), abs=0.25)
    assert profile.chroma == pytest.approx((0.6, 0.6), abs=0.05)


def test_synthetic_pairs_of_an_estimated_profile_have_the_noise_that_it_was_estimated_from():
    first = noise_of(pair(PROFILE))
    again = noise_of(pair(profile_of([first], "camera", "test"), seed=3))
    for one, other in zip(first.shot, again.shot, strict=True):
        assert one == pytest.approx(other, rel=0.25)
    assert first.luma_correlation == pytest.approx(again.luma_correlation, abs=0.05)
    assert first.chroma_correlation == pytest.approx(again.chroma_correlation, abs=0.05)


def test_a_photograph_with_one_noise_alone_says_that_the_other_does_not_show():
    found = noise_of(pair(replace(PROFILE, shot=(1e-9,))))
    assert found.read[1] == pytest.approx(0.012, rel=0.1)
    assert found.shot[1] < 1e-4


def test_a_pair_that_is_all_clipped_is_left_out():
    black = torch.zeros(3, 128, 128, dtype=torch.uint8)
    assert noise_of(Photo("black", black, black)) is None


def test_equal_sides_have_no_noise():
    found = noise_of(Photo("same", tiles(), tiles()))
    assert found.shot == found.read == (0.0, 0.0, 0.0)


def test_photographs_without_a_degraded_side_are_refused():
    with pytest.raises(ValueError, match="no degraded side"):
        noise_of(sample_photos().training[0])


def test_no_usable_pair_is_an_error_that_says_what_to_give():
    with pytest.raises(ValueError, match="quiet scenes"):
        profile_of([], "camera", "test")
