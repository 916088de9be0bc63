"""Baselines: each mends what it is for, by what it may know, and no more."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage.data import astronaut

from nas.task.baselines import BASELINES, estimated_noise, restore, true_noise
from nas.task.metrics import psnr

CLEAN = torch.from_numpy(astronaut()[40:168, 180:308].transpose(2, 0, 1).copy()).float()[None] / 255
KERNEL = torch.zeros(7, 7)
KERNEL[3, :] = 1 / 7  # a shake from left to right


def noisy(deviation):
    return (CLEAN + deviation * torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def blurred(kernel=KERNEL):
    channels = [convolve(channel.double().numpy(), kernel.numpy(), mode="mirror") for channel in CLEAN[0]]
    return torch.from_numpy(np.stack(channels)).float()[None]


def gain(name, degraded, kernel=None):
    return (psnr(restore(name, degraded, CLEAN, kernel), CLEAN) - psnr(degraded, CLEAN)).item()


@pytest.mark.parametrize(("name", "least"), [("nlm", 2.0), ("bm3d", 4.0)])
def test_a_denoiser_removes_noise(name, least):
    if name == "bm3d":
        pytest.importorskip("bm3d")
    assert gain(name, noisy(0.08)) > least


@pytest.mark.parametrize(("name", "least"), [("wiener", 3.0), ("richardson-lucy", 2.0)])
def test_a_method_that_is_told_the_kernel_removes_its_blur(name, least):
    assert gain(name, blurred(), KERNEL) > least
    assert gain(name, blurred(), torch.stack([KERNEL] * 3)) == pytest.approx(gain(name, blurred(), KERNEL))


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_the_wrong_kernel_is_worse_and_none_is_refused(name):
    assert gain(name, blurred(), KERNEL.T) < gain(name, blurred(), KERNEL) - 1
    with pytest.raises(ValueError, match="needs the kernel that blurred the photographs"):
        restore(name, blurred(), CLEAN)


def test_the_input_is_as_it_is():
    assert torch.equal(restore("input", noisy(0.05), CLEAN), noisy(0.05))


def test_blind_methods_do_not_see_the_clean_side():
    for name in ("input", "nlm"):
        assert not BASELINES[name].told
        assert torch.equal(restore(name, noisy(0.05), CLEAN), restore(name, noisy(0.05), torch.zeros_like(CLEAN)))


def test_the_noise_that_a_method_is_told_is_the_one_that_was_added():
    clean = torch.full((1, 3, 200, 200), 0.5)
    degraded = clean + 0.03 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    assert true_noise(degraded, clean) == pytest.approx(0.03, rel=0.02)


@pytest.mark.parametrize("deviation", [0.02, 0.1])
def test_the_deviation_of_white_noise_is_estimated_without_the_clean_side(deviation):
    degraded = CLEAN[0].permute(1, 2, 0).double().numpy()
    degraded = degraded + np.random.default_rng(0).normal(0, deviation, degraded.shape)
    assert estimated_noise(degraded) == pytest.approx(deviation, rel=0.35)


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="baseline 'magic': must be one of input, nlm, bm3d, wiener, richardson-lucy"):
        restore("magic", CLEAN, CLEAN)
