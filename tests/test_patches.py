"""Patches: cut from the photos and nowhere else, the same for the same step, both sides turned alike."""

from collections import Counter

import numpy as np
import pytest
import torch

from nas.task.data.patches import PatchSampler, Sampling, with_margin
from nas.task.data.photos import Photo
from nas.task.degrade import BlendedNoise, CameraNoise, Degradation, SensorNoise
from tests.numbered_photos import FAINT, Mean, as_bytes, as_pair, blurred, numbered


def sampler(
    *photos: Photo, noise: Degradation = FAINT, patch: int = 8, batch: int = 16, seed: int = 0, synthetic: float = 0.0
) -> PatchSampler:
    return PatchSampler(photos, Sampling(patch, batch, synthetic=synthetic), noise, seed)


def test_a_batch_is_float32_in_channels_last_order_and_in_range():
    for images in sampler(numbered("a", 20, 30), noise=SensorNoise()).batch(0):
        assert images.shape == (16, 3, 8, 8)
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert images.min() >= 0
        assert images.max() <= 1


def test_every_patch_is_one_of_the_eight_turns_of_a_crop():
    photo = numbered("a", 20, 30)
    pixels = photo.clean.numpy()
    for patch in as_bytes(sampler(photo).batch(0)[1]):
        top, left = patch[0].min(), patch[1].min()
        crop = pixels[:, top : top + 8, left : left + 8]
        turned = [np.rot90(image, turn, (1, 2)) for image in (crop, crop[..., ::-1]) for turn in range(4)]
        assert sum(np.array_equal(patch, candidate) for candidate in turned) == 1


def test_all_eight_turns_and_all_corners_of_the_photo_occur():
    patches = np.concatenate([as_bytes(sampler(numbered("a", 10, 11)).batch(step)[1]) for step in range(40)])
    corners = Counter((int(patch[0].min()), int(patch[1].min())) for patch in patches)
    assert set(corners) == {(top, left) for top in range(3) for left in range(4)}
    relative = {(patch - patch.min(axis=(1, 2), keepdims=True)).tobytes() for patch in patches}
    assert len(relative) == 8


def test_photos_are_drawn_in_proportion_to_their_area():
    photos = (numbered("a", 10, 10, blue=0), numbered("b", 30, 30, blue=1))
    source = sampler(*photos, batch=200)
    large = np.concatenate([as_bytes(source.batch(step)[1])[:, 2, 0, 0] for step in range(10)]).mean()
    assert large == pytest.approx(0.9, abs=0.03)  # 4.5 standard deviations of 2000 draws


def test_a_step_gives_the_same_batch_whatever_came_before():
    first, resumed = (sampler(numbered("a", 20, 30), noise=SensorNoise()) for _ in range(2))
    for step in range(3):
        first.batch(step)
    for one, other in zip(first.batch(7), resumed.batch(7), strict=True):
        assert torch.equal(one, other)


def test_steps_and_seeds_give_different_batches():
    photo = numbered("a", 20, 30)
    drawn = [sampler(photo, seed=seed).batch(step)[1] for seed, step in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2**32))]
    for index, one in enumerate(drawn):
        assert not any(torch.equal(one, other) for other in drawn[index + 1 :])


def test_steps_and_seeds_give_different_noise():
    photo = Photo("flat", torch.full((3, 8, 8), 128, dtype=torch.uint8), None)
    drawn = [
        sampler(photo, noise=SensorNoise(), seed=seed).batch(step)[0] for seed, step in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    for index, one in enumerate(drawn):
        assert not any(torch.equal(one, other) for other in drawn[index + 1 :])


def test_the_global_random_states_are_neither_used_nor_changed():
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    sampler(numbered("a", 20, 30), noise=SensorNoise()).batch(0)
    assert (torch.rand(1), np.random.rand()) == expected


def test_both_sides_of_a_pair_are_cut_and_turned_alike():
    degraded, clean = sampler(as_pair(numbered("a", 20, 30))).batch(0)
    np.testing.assert_array_equal(as_bytes(degraded), 255 - as_bytes(clean))


def test_noise_is_added_on_the_fly_to_the_degraded_side_alone():
    photo = numbered("a", 20, 30)
    noisy, clean = sampler(photo, noise=SensorNoise((0.01, 0.01), (0.05, 0.05))).batch(0)
    faint, same = sampler(photo).batch(0)
    assert torch.equal(clean, same)
    assert (noisy - clean).std() > 0.02
    torch.testing.assert_close(faint, same)


@pytest.mark.parametrize("synthetic", [0.25, 0.3, 1.0])
def test_a_share_of_the_patches_of_pairs_is_degraded_synthetically(synthetic):
    """The degraded side of the pairs is the negative, the noise is faint: each patch shows which it is."""
    source, shares = sampler(as_pair(numbered("a", 20, 30)), synthetic=synthetic), []
    for step in range(60):
        degraded, clean = source.batch(step)
        faint = (degraded - clean).abs().amax(dim=(1, 2, 3)) < 1e-3
        negative = (degraded + clean - 1).abs().amax(dim=(1, 2, 3)) < 1e-3
        assert torch.equal(faint, ~negative)
        assert abs(faint.sum().item() - synthetic * 16) < 1
        shares.append(faint.float().mean().item())
    assert np.mean(shares) == pytest.approx(synthetic, abs=0.012)  # three standard deviations, of 0.3


@pytest.mark.parametrize("noise", [CameraNoise(), BlendedNoise(share=0.3)], ids=["camera", "blend"])
@pytest.mark.parametrize("photo", [numbered("a", 20, 30), as_pair(numbered("a", 20, 30))], ids=["clean", "pair"])
def test_camera_noise_and_mixtures_depend_on_seed_and_step_alone(photo, noise):
    synthetic = 0.0 if photo.degraded is None else 0.4
    first, resumed, other = (sampler(photo, noise=noise, seed=seed, synthetic=synthetic) for seed in (0, 0, 1))
    for step in range(3):
        first.batch(step)
    for one, two in zip(first.batch(7), resumed.batch(7), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.batch(7)[0], other.batch(7)[0])
    assert not torch.equal(first.batch(7)[0], first.batch(8)[0])


def test_mixing_leaves_the_clean_side_and_the_real_patches_as_they_were():
    photo = as_pair(numbered("a", 20, 30))
    mixed, plain = sampler(photo, synthetic=0.5).batch(3), sampler(photo).batch(3)
    assert torch.equal(mixed[1], plain[1])
    assert torch.equal(mixed[0][8:], plain[0][8:])


@pytest.mark.parametrize(
    ("photo", "share", "message"),
    [(numbered("a", 20, 30), 0.5, "bring pairs"), (as_pair(numbered("a", 20, 30)), 1.5, "synthetic = 1.5")],
)
def test_a_mixture_that_cannot_be_is_refused(photo, share, message):
    with pytest.raises(ValueError, match=message):
        sampler(photo, synthetic=share)


@pytest.mark.parametrize(
    ("photos", "patch", "message"),
    [
        ((), 8, "at least one photo"),
        ((numbered("tiny", 7, 30),), 8, "tiny"),
        ((numbered("a", 20, 30), as_pair(numbered("b", 20, 30))), 8, "degraded side"),
        ((numbered("a", 20, 30),), 0, "patch = 0"),
    ],
)
def test_photos_that_cannot_be_sampled_are_refused(photos, patch, message):
    with pytest.raises(ValueError, match=message):
        sampler(*photos, patch=patch)


def test_a_blurred_patch_is_a_piece_of_the_blurred_photograph_up_to_its_edge():
    photo = Photo("a", torch.randint(0, 256, (3, 13, 12), dtype=torch.uint8), None)
    whole = blurred(photo.clean.numpy()) / 255
    degraded, clean = sampler(photo, noise=Mean(), batch=64).batch(0)
    pieces = [
        [np.rot90(image[:, top : top + 8, left : left + 8], turn, (1, 2))[:, :: -1 if flip else 1] for image in sides]
        for sides in [(photo.clean.numpy() / 255, whole)]
        for top in range(6)
        for left in range(5)
        for turn in range(4)
        for flip in (False, True)
    ]
    for one, other in zip(clean.numpy(), degraded.numpy(), strict=True):
        (found,) = [piece for sharp, piece in pieces if np.allclose(sharp, one, atol=1e-6)]
        np.testing.assert_allclose(other, found, atol=1e-5)


def test_patches_lie_where_they_lie_whatever_a_degradation_reads_around_them():
    photo = numbered("a", 20, 30)
    assert torch.equal(sampler(photo, noise=Mean()).batch(3)[1], sampler(photo).batch(3)[1])


def test_a_share_of_blurred_patches_of_pairs_leaves_the_others_as_they_were_captured():
    photo = as_pair(numbered("a", 20, 30))
    mixed, plain = sampler(photo, noise=Mean(), synthetic=0.25).batch(3), sampler(photo).batch(3)
    assert torch.equal(mixed[1], plain[1])
    assert torch.equal(mixed[0][4:], plain[0][4:])
    alone = sampler(Photo("a", photo.clean, None), noise=Mean()).batch(3)
    assert torch.equal(mixed[0][:4], alone[0][:4])


def test_pairs_are_turned_only_as_their_degradation_allows():
    photo = numbered("a", 8, 8)
    half = ((0, False), (2, False))
    turned = {patch.tobytes() for patch in as_bytes(sampler(as_pair(photo), noise=Mean(half), batch=60).batch(0)[1])}
    pixels = photo.clean.numpy()
    assert turned == {pixels.tobytes(), np.rot90(pixels, 2, (1, 2)).tobytes()}
    clean = {patch.tobytes() for patch in as_bytes(sampler(photo, noise=Mean(half), batch=60).batch(0)[1])}
    assert len(clean) == 8  # clean photographs are degraded after they were turned


def test_what_lies_around_a_place_is_the_photographs_and_then_its_reflection():
    photo = as_pair(numbered("a", 6, 7))
    for side, pixels in zip(with_margin(photo, (1, 2, 5, 4), 9), (photo.clean, photo.degraded), strict=True):
        whole = np.pad(pixels.numpy(), ((0, 0), (20, 20), (20, 20)), mode="reflect")
        np.testing.assert_array_equal(side, whole[:, 12:35, 13:35].transpose(1, 2, 0))
