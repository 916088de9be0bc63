"""Pairs: made when they are asked for, the same each time and in each process, at the depth of their files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.task.data.pairs import judged, validation_pairs
from nas.task.data.patches import PatchSampler, Sampling
from nas.task.data.photo import Photo
from nas.task.data.photos import read_folder
from nas.task.data.tiles import Tiles
from nas.task.data.vips import vips
from nas.task.degrade import CameraNoise, SensorNoise

pyvips = vips()


def write(path: Path, pixels: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(path)
    else:
        pyvips.Image.new_from_array(pixels, interpretation="rgb16").write_to_file(str(path))
    return pixels


def random(seed: int, kind: type = np.uint8, height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, (height, width, 3), dtype=kind)


@pytest.fixture
def photos(tmp_path):
    for number in range(4):
        write(tmp_path / "mine" / f"{number}.png", random(number))
    return read_folder(tmp_path / "mine", tiles=Tiles(tmp_path / "cache"))


def in_memory(photos):
    return [Photo(photo.name, photo.clean.clone(), None) for photo in photos]


@pytest.mark.parametrize("noise", [SensorNoise(), CameraNoise()])
def test_noise_on_stored_photographs_is_that_on_photographs_in_memory_made_or_kept(photos, noise):
    expected = list(validation_pairs(in_memory(photos), noise, 3, 32))
    for found in (validation_pairs(photos, noise, 3, 32), validation_pairs(photos, noise, 3, 32)):
        for (name, degraded, clean), (other, one, two) in zip(found, expected, strict=True):
            assert name == other
            assert torch.equal(degraded, one)
            assert torch.equal(clean, two)
            assert degraded.is_contiguous(memory_format=torch.channels_last)


def test_a_worker_gets_no_pixels_and_makes_the_same_pairs(photos):
    pairs = validation_pairs(photos, SensorNoise(), 0, None)
    expected = list(pairs)
    sent = pickle.dumps(pairs)
    assert len(sent) < 4000  # the pixels of one side are 6000
    for (_, degraded, clean), (_, one, two) in zip(pickle.loads(sent), expected, strict=True):
        assert torch.equal(degraded, one)
        assert torch.equal(clean, two)


def test_pairs_are_taken_by_place_from_either_end_and_in_slices(photos):
    pairs = validation_pairs(photos, SensorNoise(), 0, None)
    assert [name for name, *_ in pairs[1:3]] == ["1.png", "2.png"]
    assert pairs[-1][0] == "3.png"
    with pytest.raises(IndexError):
        pairs[4]


def test_what_does_not_fit_in_memory_is_made_again_and_is_the_same(photos, monkeypatch):
    expected = list(validation_pairs(photos, SensorNoise(), 0, None))
    monkeypatch.setattr("nas.task.data.pairs._IN_MEMORY", 0)
    pairs = validation_pairs(photos, SensorNoise(), 0, None)
    for _ in range(2):
        assert all(torch.equal(pair[1], other[1]) for pair, other in zip(pairs, expected, strict=True))


def test_sixteen_bit_pairs_are_judged_and_trained_on_at_sixteen_bits(tmp_path):
    clean = write(tmp_path / "clean" / "a.png", random(0, np.uint16))
    noisy = write(tmp_path / "noisy" / "a.png", random(1, np.uint16))
    photos = read_folder(tmp_path, tiles=Tiles(tmp_path / "cache"))
    ((_, degraded, target),) = validation_pairs(photos, SensorNoise(), 0, None)
    for image, pixels in ((degraded, noisy), (target, clean)):
        np.testing.assert_allclose(image[0].permute(1, 2, 0), pixels / 65535, rtol=0, atol=1e-7)
    sampler = PatchSampler(photos, Sampling(8, 4), SensorNoise(), 0)
    values = (sampler.batch(0)[1] * 65535).round().to(torch.int64)
    assert set(values.flatten().tolist()) <= set(clean.flatten().tolist())
    assert len(set((values % 257).flatten().tolist())) > 1  # no multiples of 8 bits


def test_a_batch_of_both_depths_has_the_values_of_each(tmp_path):
    deep = np.full((16, 16, 3), 40000, np.uint16)
    photos = [
        Photo("deep", torch.from_numpy(deep).permute(2, 0, 1), None),
        Photo("plain", torch.full((3, 16, 16), 100, dtype=torch.uint8), None),
    ]
    sampler = PatchSampler(photos, Sampling(8, 16), SensorNoise(), 0)
    values = {round(value, 6) for value in sampler.batch(0)[1].flatten().tolist()}
    assert values == {round(40000 / 65535, 6), round(100 / 255, 6)}


def test_at_most_so_many_are_judged_the_same_ones_whatever_is_added():
    photos = [Photo(f"p{number}", torch.zeros(3, 1, 1, dtype=torch.uint8), None) for number in range(200)]
    chosen = [photo.name for photo in judged(photos[:150], 40)]
    assert len(chosen) == 40
    assert chosen == sorted(chosen, key=lambda name: int(name[1:]))
    after = {photo.name for photo in judged(photos, 40)}
    assert len(set(chosen) & after) > 20  # of 40, about 30
    assert judged(photos, 0) == photos
    assert judged(photos[:5], 40) == photos[:5]


def test_pairs_that_were_first_asked_for_while_judging_can_be_trained_on(photos):
    pairs = validation_pairs(photos, SensorNoise(), 3, 32)
    with torch.inference_mode():
        assert len(list(pairs)) == 4
    weight = torch.ones(1, requires_grad=True)
    (weight * pairs[0][1]).mean().backward()
    assert weight.grad is not None
