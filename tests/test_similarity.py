"""Similarity: each definition is what the software of that name computes, and they differ."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity

from nas.task.similarity import DEFINITIONS

CLEAN = torch.rand((2, 3, 24, 28), generator=torch.Generator().manual_seed(0))
IMAGE = (CLEAN + 0.1 * torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


def as_arrays(images):
    return images.permute(0, 2, 3, 1).double().numpy()


def by_hand_in_three_dimensions(image, clean):
    """Every window of 11x11x11 by itself, the border repeated, as MATLAB's ssim reads a colour picture."""
    line = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    window = line[:, None, None] * line[:, None] * line
    window /= window.sum()
    one, other = (np.pad(array, 5, mode="edge") for array in (image, clean))
    found = []
    for place in np.ndindex(image.shape):
        part = tuple(slice(at, at + 11) for at in place)
        x, y = one[part], other[part]
        mean_x, mean_y = (window * x).sum(), (window * y).sum()
        var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
        both = (window * (x - mean_x) * (y - mean_y)).sum()
        above = (2 * mean_x * mean_y + 1e-4) * (2 * both + 9e-4)
        found.append(above / ((mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4)))
    return np.mean(found)


def test_the_uniform_window_is_scikit_images_default():
    expected = [
        structural_similarity(one, two, data_range=1, channel_axis=2)
        for one, two in zip(as_arrays(IMAGE), as_arrays(CLEAN), strict=True)
    ]
    assert DEFINITIONS["uniform"].of(IMAGE, CLEAN).tolist() == pytest.approx(expected)


def test_the_volume_takes_colour_for_a_third_dimension_whose_border_is_repeated():
    image, clean = as_arrays(IMAGE)[0, :12, :9], as_arrays(CLEAN)[0, :12, :9]
    found = DEFINITIONS["volume"].of(IMAGE[:1, :, :12, :9], CLEAN[:1, :, :12, :9])
    assert found.item() == pytest.approx(by_hand_in_three_dimensions(image, clean), abs=1e-9)


def test_the_luma_is_that_of_broadcast_television():
    def luma(picture):
        return rgb2ycbcr(picture)[..., 0] / 255

    expected = structural_similarity(
        *(luma(as_arrays(images)[1]) for images in (IMAGE, CLEAN)),
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert DEFINITIONS["luma"].of(IMAGE, CLEAN)[1].item() == pytest.approx(expected, abs=1e-6)


def test_no_two_definitions_agree_and_each_says_what_it_is():
    found = [one.of(IMAGE, CLEAN)[0].item() for one in DEFINITIONS.values()]
    assert min(abs(a - b) for n, a in enumerate(found) for b in found[:n]) > 1e-4
    assert len({one.says for one in DEFINITIONS.values()}) == len(DEFINITIONS)
    assert all(one.of(CLEAN, CLEAN).tolist() == pytest.approx([1, 1], abs=1e-6) for one in DEFINITIONS.values())
