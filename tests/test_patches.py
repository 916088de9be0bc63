"""Patches: cut from the photos and nowhere else, the same for the same step, both sides turned alike."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from nas.task.data.pairs import validation_pairs
from nas.task.data.patches import PatchSampler, with_margin
from nas.task.data.photos import Photo
from nas.task.degrade import BlendedNoise, CameraNoise, Degradation, SensorNoise
from nas.task.degrade.turns import EVERY_TURN, Turn

FAINT = SensorNoise(shot=(1e-12, 1e-12), read=(1e-9, 1e-9))


def numbered(name: str, height: int, width: int, blue: int = 0) -> Photo:
    """Red is the row and green the column of each pixel; blue says which photo."""
    rows = torch.arange(height, dtype=torch.uint8)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=torch.uint8)[None, :].expand(height, width)
    return Photo(name, torch.stack([rows, columns, torch.full((height, width), blue, dtype=torch.uint8)]), None)


def as_pair(photo: Photo) -> Photo:
    return Photo(photo.name, photo.clean, 255 - photo.clean)


def as_bytes(images: torch.Tensor) -> np.ndarray:
    return (images * 255).round().to(torch.uint8).numpy()


def sampler(
    *photos: Photo, noise: Degradation = FAINT, patch: int = 8, batch: int = 16, seed: int = 0, synthetic: float = 0.0
) -> PatchSampler:
    return PatchSampler(photos, patch, batch, noise, seed, synthetic=synthetic)


class Mean:
    """Each pixel is the mean of 5 x 5: a blur that reads 2 pixels around an image."""

    margin = 2

    def __init__(self, turns: tuple[Turn, ...] = EVERY_TURN) -> None:
        self.turns = turns

    def degrade(self, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(clean, 5, stride=1)

    def degrade_at(self, clean: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        return self.degrade(clean, generator)

    def in_turn(self, rank: int) -> "Mean":
        return self

    def describe(self) -> str:
        return "means"


def blurred(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W), by scipy, what lies outside being the reflection."""
    return np.stack([uniform_filter(one.astype(float), 5, mode="mirror") for one in pixels])


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


@pytest.mark.parametrize("side", [10, None])
def test_blurred_validation_photographs_are_pieces_of_the_blurred_photograph(side):
    photo = numbered("a", 21, 30)
    ((_, degraded, clean),) = validation_pairs([photo], Mean(), seed=0, side=side)
    place = np.s_[:, 5:15, 10:20] if side else np.s_[:]
    np.testing.assert_array_equal(as_bytes(clean)[0], photo.clean.numpy()[place])
    np.testing.assert_allclose(as_bytes(degraded)[0], blurred(photo.clean.numpy())[place], atol=0.51)


def test_validation_takes_the_centre():
    ((name, degraded, clean),) = validation_pairs([numbered("a", 21, 30)], FAINT, seed=0, side=10)
    assert name == "a"
    assert degraded.shape == clean.shape == (1, 3, 10, 10)
    assert (as_bytes(clean)[0, 0].min(), as_bytes(clean)[0, 1].min()) == (5, 10)


@pytest.mark.parametrize("side", [None, 100])
def test_validation_takes_the_whole_photo_where_it_is_small_enough(side):
    ((_, _, clean),) = validation_pairs([numbered("a", 21, 30)], FAINT, seed=0, side=side)
    np.testing.assert_array_equal(as_bytes(clean)[0], numbered("a", 21, 30).clean)


def test_validation_crops_only_the_sides_that_are_too_long():
    ((_, _, clean),) = validation_pairs([numbered("a", 21, 30)], FAINT, seed=0, side=26)
    np.testing.assert_array_equal(as_bytes(clean)[0], numbered("a", 21, 30).clean[..., 2:28])


def test_validation_noise_is_fixed_by_the_seed():
    photos = [numbered("a", 20, 30), numbered("b", 20, 30)]
    first, second, other = (validation_pairs(photos, SensorNoise(), seed, None) for seed in (0, 0, 1))
    assert all(torch.equal(one[1], two[1]) for one, two in zip(first, second, strict=True))
    assert not any(torch.equal(one[1], two[1]) for one, two in zip(first, other, strict=True))


def grey(name: str, shade: int) -> Photo:
    """One grey value; shot noise of a level does not depend on it where there is read noise alone."""
    return Photo(name, torch.full((3, 64, 64), shade, dtype=torch.uint8), None)


READ_ALONE = SensorNoise(shot=(1e-12, 1e-12), read=(0.006, 0.096))


def levels(photos: list[Photo], seed: int = 0) -> list[float]:
    """Of every photo, found by its noise."""
    pairs = validation_pairs(photos, READ_ALONE, seed, side=None)
    return [float(((noisy - clean).std() / 0.006).log() / np.log(16)) for _, noisy, clean in pairs]


def test_validation_levels_are_spread_geometrically_over_the_photos():
    found = sorted(levels([grey(str(shade), shade) for shade in range(100, 141)]))
    assert found == pytest.approx([(place + 0.5) / 41 for place in range(41)], abs=0.03)


def test_two_validation_photos_have_neither_the_least_nor_the_most_noise():
    assert sorted(levels([grey("a", 100), grey("b", 140)])) == pytest.approx([0.25, 0.75], abs=0.03)


def test_validation_levels_do_not_go_by_name_or_order():
    shades = list(range(100, 141))
    first = levels([grey(f"{shade:03d}", shade) for shade in shades])
    renamed = levels([grey(f"{999 - shade:03d}", shade) for shade in shades])
    turned = levels([grey(f"{shade:03d}", shade) for shade in reversed(shades)])
    assert renamed == first
    assert turned == first[::-1]
    assert abs(np.corrcoef(first, shades)[0, 1]) < 0.4
    assert not np.allclose(levels([grey(str(shade), shade) for shade in shades], seed=1), first, atol=0.1)


def test_the_first_photos_of_a_set_have_low_and_high_levels():
    some = levels([grey(str(shade), shade) for shade in range(80, 170)])[:12]
    assert min(some) < 0.25
    assert max(some) > 0.75
    assert np.mean(some) == pytest.approx(0.5, abs=0.25)


def test_the_noise_of_a_photo_stays_its_own_when_others_come():
    few, more = ([grey(str(shade), shade) for shade in shades] for shades in ((100, 110), (90, 100, 110)))
    fixed = SensorNoise(shot=(1e-12, 1e-12), read=(0.02, 0.02))
    for one, other in zip(
        validation_pairs(few, fixed, 0, None), validation_pairs(more, fixed, 0, None)[1:], strict=True
    ):
        assert torch.equal(one[1], other[1])


def test_a_blend_validates_on_both_kinds_of_noise_over_all_levels():
    blend = BlendedNoise(CameraNoise(jpeg=0.0), SensorNoise((1e-12, 1e-12), (0.3, 0.3)), share=0.5)
    photos = [grey(str(shade), shade) for shade in range(100, 140)]
    pairs = validation_pairs(photos, blend, 0, None)
    white = [float((noisy - clean).std()) > 0.25 for _, noisy, clean in pairs]
    assert sum(white) == 20
    of_white = [level for level, is_white in zip(levels(photos), white, strict=True) if is_white]
    assert sorted(of_white) == pytest.approx([(place + 0.5) / 20 for place in range(20)], abs=0.06)
    again = validation_pairs(photos, blend, 0, None)
    assert all(torch.equal(one[1], other[1]) for one, other in zip(pairs, again, strict=True))


def test_one_validation_photo_has_the_middle_level():
    flat = torch.full((3, 100, 100), 128, dtype=torch.uint8)
    noise = SensorNoise(shot=(1e-12, 1e-12), read=(0.01, 0.16))
    ((_, noisy, clean),) = validation_pairs([Photo("a", flat, None)], noise, seed=0, side=None)
    assert (noisy - clean).std().item() == pytest.approx(0.04, rel=0.03)


def test_validation_noise_is_rounded_to_the_eight_bits_of_a_file():
    ((_, noisy, clean),) = validation_pairs([numbered("a", 20, 30)], SensorNoise(), seed=0, side=None)
    assert not torch.equal(noisy, clean)
    torch.testing.assert_close(noisy * 255, (noisy * 255).round(), atol=1e-4, rtol=0)


def test_a_pair_is_validated_on_its_own_degraded_side():
    photo = as_pair(numbered("a", 21, 30))
    ((_, degraded, clean),) = validation_pairs([photo], SensorNoise(), seed=0, side=10)
    np.testing.assert_array_equal(as_bytes(degraded), 255 - as_bytes(clean))
