"""Metrics: equal to scikit-image's on photos, and exact where a value is known."""

import numpy as np
import pytest
import pytorch_msssim
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import sample_photos
from nas.task.degrade import SensorNoise
from nas.task.metrics import SSIM_DEFINITION, psnr, ssim


def array(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).numpy()


def oracle(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(
        structural_similarity(
            array(image),
            array(clean),
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
        )
    )


@pytest.fixture(scope="module")
def pairs():
    return validation_pairs(sample_photos().validation, SensorNoise(), seed=0, side=None)


def test_ssim_equals_that_of_scikit_image_on_noisy_photos(pairs):
    for _, noisy, clean in pairs:
        assert ssim(noisy, clean).item() == pytest.approx(oracle(noisy, clean), abs=1e-5)


@pytest.mark.parametrize(("height", "width"), [(11, 11), (11, 40), (33, 12), (57, 91)])
def test_ssim_equals_that_of_scikit_image_on_odd_sizes(pairs, height, width):
    _, noisy, clean = pairs[0]
    noisy, clean = noisy[..., 100 : 100 + height, 200 : 200 + width], clean[..., 100 : 100 + height, 200 : 200 + width]
    assert ssim(noisy, clean).item() == pytest.approx(oracle(noisy, clean), abs=1e-5)


def test_psnr_equals_that_of_scikit_image(pairs):
    for _, noisy, clean in pairs:
        expected = peak_signal_noise_ratio(array(clean), array(noisy), data_range=1)
        assert psnr(noisy, clean).item() == pytest.approx(expected, abs=1e-3)


def test_both_metrics_are_given_per_image():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(3, 3, 32, 32, generator=generator)
    other = torch.rand(3, 3, 32, 32, generator=generator)
    for metric in (psnr, ssim):
        alone = torch.cat([metric(other[index : index + 1], clean[index : index + 1]) for index in range(3)])
        torch.testing.assert_close(metric(other, clean), alone)
        assert alone.unique().numel() == 3


def test_an_image_is_equal_to_itself():
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert ssim(image, image).item() == pytest.approx(1)
    assert psnr(image, image).item() == float("inf")


def test_psnr_of_a_tenth_of_difference_is_twenty_decibels():
    image = torch.full((1, 3, 8, 8), 0.5)
    assert psnr(image + 0.1, image).item() == pytest.approx(20, abs=1e-4)


def test_ssim_has_the_gradient_of_its_finite_differences():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 3, 12, 12, dtype=torch.float64, generator=generator)
    image = torch.rand(1, 3, 12, 12, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda image: ssim(image, clean), image, fast_mode=True)


PATCHES = [(11, 11), (11, 40), (64, 64), (57, 91), (128, 128)]  # blurred by matrices
PHOTOS = [(129, 128), (200, 150)]  # blurred by convolutions, with a window of single precision


@pytest.mark.parametrize(("height", "width"), PATCHES)
def test_ssim_of_patches_in_double_precision_equals_that_of_scikit_image_to_nine_digits(pairs, height, width):
    noisy, clean = (image[..., :height, :width].double() for image in pairs[0][1:])
    assert ssim(noisy, clean).item() == pytest.approx(oracle(noisy, clean), abs=1e-9)


@pytest.mark.parametrize(("height", "width"), PATCHES + PHOTOS)
def test_ssim_and_its_gradient_equal_those_of_pytorch_msssim(height, width):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, height, width, generator=generator)
    images = [(clean + 0.1).to(memory_format=torch.channels_last).requires_grad_() for _ in range(2)]
    with torch.no_grad():
        for image in images:
            image += 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    ours, theirs = ssim(images[0], clean), pytorch_msssim.ssim(images[1], clean, data_range=1.0, size_average=False)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    upstream = torch.tensor([1.0, -3.0])  # every image has a derivative of its own
    ours.backward(upstream)
    theirs.backward(upstream)
    torch.testing.assert_close(images[0].grad, images[1].grad, rtol=0, atol=1e-5 * images[1].grad.abs().max().item())


def test_the_clean_side_may_need_a_gradient_too():
    generator = torch.Generator().manual_seed(0)
    one = torch.rand(1, 3, 16, 16, generator=generator)
    other = torch.rand(1, 3, 16, 16, generator=generator).requires_grad_()
    (of_clean,) = torch.autograd.grad(ssim(one, other).sum(), other)
    (of_image,) = torch.autograd.grad(ssim(other, one).sum(), other)
    torch.testing.assert_close(of_clean, of_image)


def test_an_evaluation_before_does_not_hinder_training():
    image = torch.rand(
        1, 3, 17, 19, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()  # sides of no other test
    with torch.inference_mode():
        ssim(image, image.detach())
    ssim(image, image.detach().flip(0, 2)).sum().backward()
    assert image.grad is not None


def test_autocast_does_not_lower_the_precision_of_ssim(pairs):
    _, noisy, clean = pairs[0]
    with torch.autocast("cpu", torch.bfloat16):
        inside = ssim(noisy, clean).item()
    assert inside == ssim(noisy, clean).item()


def test_ssim_refuses_sides_below_its_window():
    with pytest.raises(ValueError, match="at least 11"):
        ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


def test_ssim_refuses_sixteen_bit_floats():
    with pytest.raises(ValueError, match="float32"):
        ssim(torch.zeros(1, 3, 16, 16).bfloat16(), torch.zeros(1, 3, 16, 16).bfloat16())


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_unequal_shapes_are_refused(metric):
    with pytest.raises(ValueError, match=r"\(1, 3, 16, 16\) and \(3, 16, 16\)"):
        metric(torch.zeros(1, 3, 16, 16), torch.zeros(3, 16, 16))


def test_the_definition_names_window_range_and_border():
    for word in ("11", "1.5", "data range 1", "border", "scikit-image"):
        assert word in SSIM_DEFINITION
