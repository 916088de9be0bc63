"""Validation pairs: the centre of each photograph, with noise of its own whose level goes by what it shows."""

import numpy as np
import pytest
import torch

from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import Photo
from nas.task.degrade import BlendedNoise, CameraNoise, SensorNoise
from tests.numbered_photos import FAINT, Mean, as_bytes, as_pair, blurred, numbered


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


@pytest.mark.parametrize("count", [2, 3])
def test_few_photos_have_levels_from_weak_to_strong_each(count):
    photos = [grey(str(shade), shade) for shade in range(100, 100 + count)]
    pairs = validation_pairs(photos, READ_ALONE, 0, None, least=12)
    assert (len(pairs), pairs.photographs) == (12, count)
    assert [name for name, *_ in pairs[:count]] == [photo.name for photo in photos]  # once each, before any twice
    found = {photo.name: [] for photo in photos}
    for name, noisy, clean in pairs:
        found[name].append(float(((noisy - clean).std() / 0.006).log() / np.log(16)))
    assert sorted(level for of in found.values() for level in of) == pytest.approx(
        [(place + 0.5) / 12 for place in range(12)], abs=0.03
    )
    for of in found.values():
        assert min(of) < 1 / 3 < 2 / 3 < max(of)
        assert 0.25 < of[0] < 0.75  # the one that is shown


@pytest.mark.parametrize("count", [2, 3])
def test_few_photos_have_both_kinds_of_a_blend_each(count):
    photos = [grey(str(shade), shade) for shade in range(100, 100 + count)]
    asked = []

    class Listening(BlendedNoise):
        def in_turn(self, rank):
            asked.append(rank)
            return super().in_turn(rank)

    pairs = validation_pairs(photos, Listening(), 0, None, least=12)
    kinds = {photo.name: set() for photo in photos}
    for name, *_ in pairs:
        kinds[name].add(asked[-1] % 2)
    assert set(map(frozenset, kinds.values())) == {frozenset({0, 1})}


def test_enough_photos_are_degraded_as_before_photos_were_degraded_several_times():
    photos = [grey(str(shade), shade) for shade in range(100, 112)]
    once, several = (validation_pairs(photos, SensorNoise(), 0, None, least) for least in (1, 12))
    assert len(several) == 12
    assert all(torch.equal(one[1], other[1]) for one, other in zip(once, several, strict=True))


def test_pairs_are_there_once_however_few_they_are():
    pairs = validation_pairs([as_pair(numbered("a", 21, 30)), numbered("b", 21, 30)], FAINT, 0, None, least=4)
    assert [name for name, *_ in pairs] == ["a", "b", "b", "b", "b"]
