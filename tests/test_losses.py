"""Losses: each term by hand, and gradients that stay finite."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nas.task.losses import Loss, edges, spectral
from nas.task.metrics import ssim


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 16, 20, generator=generator), torch.rand(2, 3, 16, 20, generator=generator)


def test_without_weights_the_loss_is_l1(images):
    output, target = images
    assert Loss(0, 0)(output, target).item() == pytest.approx(np.abs(output.numpy() - target.numpy()).mean(), rel=1e-6)


def test_clipped_weighs_the_l1_of_the_clipped_pixels_alone(images):
    output, target = images
    degraded = torch.full((2, 3, 16, 20), 0.5)
    degraded[0, 1, 3:7] = 1.0  # white in one channel is enough
    degraded[1, :, 0, :2] = 0.999
    away = np.abs(output.numpy() - target.numpy())
    expected = 0.7 * np.concatenate([away[0, :, 3:7].reshape(3, -1), away[1, :, 0, :2]], axis=1).mean()
    added = Loss(0, 0, 0.7).of(degraded)(output, target) - Loss(0, 0)(output, target)
    assert added.item() == pytest.approx(expected, rel=1e-4)


def test_a_few_clipped_pixels_do_not_outweigh_all_others(images):
    output, target = images
    degraded = torch.full((2, 3, 16, 20), 0.5)
    degraded[0, :, 0, 0] = 1.0
    away = np.abs(output.numpy() - target.numpy())[0, :, 0, 0].mean()
    added = Loss(0, 0, 1.0).of(degraded)(output, target) - Loss(0, 0)(output, target)
    assert added.item() == pytest.approx(away / 6.4, rel=1e-3)  # one pixel of 640 weighs as one of 1 %


def test_where_nothing_is_clipped_the_loss_is_that_without_the_term(images):
    output, target = images
    grey = torch.full((2, 3, 16, 20), 0.5)
    assert torch.equal(Loss(0.1, 0.1, 1.0).of(grey)(output, target), Loss(0.1, 0.1)(output, target))


def test_alpha_weighs_the_lack_of_similarity(images):
    output, target = images
    added = Loss(0.3, 0)(output, target) - Loss(0, 0)(output, target)
    assert added.item() == pytest.approx(0.3 * (1 - ssim(output, target).mean().item()), rel=1e-4)


def test_beta_weighs_the_difference_of_the_edges(images):
    output, target = images
    added = Loss(0, 0.3)(output, target) - Loss(0, 0)(output, target)

    def magnitudes(image):
        rows, columns = np.gradient(image.numpy(), axis=(2, 3))  # halved central differences inside
        return 2 * np.hypot(rows, columns)[..., 1:-1, 1:-1]

    assert added.item() == pytest.approx(0.3 * np.abs(magnitudes(output) - magnitudes(target)).mean(), rel=1e-4)


def test_a_step_of_brightness_has_an_edge_of_its_height_on_both_of_its_sides():
    image = torch.zeros(1, 1, 5, 8)
    image[..., 4:] = 0.5
    expected = [0, 0, 0.5, 0.5, 0, 0]
    np.testing.assert_allclose(edges(image)[0, 0], [expected] * 3, atol=1.1e-3)  # 1e-3: the floor under the root


def test_a_relative_loss_counts_as_much_of_weak_noise_as_of_strong_noise(images):
    """The same tenth of the noise of two images is taken away, one of which has 16 times as much."""
    target = images[1] * 0.5 + 0.25
    noise = (images[0][:1] - 0.5) * torch.tensor([0.4, 0.025]).view(2, 1, 1, 1)
    degraded = target + noise
    better = (target + 0.9 * noise).requires_grad_()

    def pull(loss, which):
        (gradient,) = torch.autograd.grad(loss.of(degraded)(better, target), better)
        return (gradient[which] * noise[which]).sum().item()

    assert pull(Loss(0), 0) == pytest.approx(16 * pull(Loss(0), 1), rel=1e-3)
    strong, weak = (pull(Loss(0, relative=1.0), which) for which in (0, 1))
    floor = [noise[which].abs().mean().item() / (noise[which].abs().mean().item() + 0.004) for which in (0, 1)]
    assert strong / floor[0] == pytest.approx(weak / floor[1], rel=1e-3)
    alone = [Loss(0.1, relative=1.0).of(degraded[k : k + 1])(better[k : k + 1], target[k : k + 1]) for k in (0, 1)]
    both = Loss(0.1, relative=1.0).of(degraded)(better, target)
    assert both.item() == pytest.approx(sum(one.item() for one in alone) / 2, rel=1e-5)


def test_a_relative_loss_of_a_clean_image_is_finite_and_of_no_degraded_one_is_as_ever(images):
    output, target = images
    assert 0 < Loss(relative=1.0).of(target)(output, target).item() < 1e2
    assert torch.equal(Loss(relative=1.0)(output, target), Loss()(output, target))


def test_the_loss_of_an_image_with_itself_is_zero(images):
    target = images[1]
    assert Loss(0.5, 0.5)(target, target).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_flat_images_without_difference(value):
    target = torch.full((1, 3, 16, 16), value)
    output = target.clone().requires_grad_()
    Loss(0.5, 0.5)(output, target).backward()
    assert torch.isfinite(output.grad).all()


def test_gradients_are_finite_between_flat_images(images):
    output = torch.zeros(1, 3, 16, 16, requires_grad=True)
    Loss(0.5, 0.5)(output, torch.ones(1, 3, 16, 16)).backward()
    assert torch.isfinite(output.grad).all()
    assert output.grad.sum() < 0  # a brighter output is better


def test_a_sixteen_bit_output_is_compared_in_the_precision_of_the_target(images):
    output, target = images
    value = Loss(0.1, 0.1)(output.bfloat16(), target)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(Loss(0.1, 0.1)(output.bfloat16().float(), target).item())


def test_descending_the_loss_removes_noise(images):
    target = F.avg_pool2d(images[0], 5, stride=1, padding=2)
    output = images[1].clone().requires_grad_()
    optimizer = torch.optim.Adam([output], lr=0.03)
    before = ssim(output, target).mean().item()
    for _ in range(25):
        optimizer.zero_grad()
        Loss(0.2, 0.1)(output, target).backward()
        optimizer.step()
    assert ssim(output, target).mean().item() > before + 0.5


@pytest.mark.parametrize("weight", [-0.1, math.inf, math.nan])
@pytest.mark.parametrize("which", ["alpha", "beta"])
def test_a_negative_or_endless_weight_is_refused_by_name(which, weight):
    with pytest.raises(ValueError, match=which):
        Loss(**{which: weight})


def test_the_spectral_term_is_the_mean_difference_of_the_parts_of_orthonormal_spectra(images):
    output, target = images
    added = Loss(0, fft=0.3)(output, target) - Loss(0)(output, target)
    spectra = np.fft.rfft2(output.double().numpy() - target.double().numpy(), norm="ortho")
    parts = np.stack([spectra.real, spectra.imag])
    assert added.item() == pytest.approx(0.3 * np.abs(parts).mean(), rel=1e-4)


def test_a_stripe_that_is_missing_weighs_in_the_spectrum_where_it_is_one_number():
    target = torch.zeros(1, 3, 16, 16)
    wave = torch.cos(torch.arange(16) * 2 * math.pi * 3 / 16).expand(1, 3, 16, 16)
    noise = torch.randn((1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    noise *= wave.square().mean().sqrt() / noise.square().mean().sqrt()
    assert (spectral(wave, target) < 0.2 * spectral(noise, target)).all()  # as L1 of a sparse signal is
