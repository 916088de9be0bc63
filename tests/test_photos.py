"""Photos: the packaged samples, and a user's folder with everything that can be wrong in it."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from nas.task.data.photos import DataError, Photo, Photos, load_folder, read_folder, sample_photos


def colours(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def pixels_of(photo: Photo) -> np.ndarray:
    return photo.clean.permute(1, 2, 0).numpy()


def problems_of(folder: Path, patch: int = 0) -> list[str]:
    with pytest.raises(DataError) as error:
        read_folder(folder, patch)
    return [line.strip() for line in str(error.value).splitlines() if line.startswith("  ")]


def test_samples_are_split_by_scene():
    photos = sample_photos()
    assert [photo.name for photo in photos.training] == [
        "astronaut",
        "china",
        "motorcycle_left",
        "motorcycle_right",
        "rocket",
    ]
    assert [photo.name for photo in photos.validation] == ["chelsea", "coffee"]
    assert [photo.name for photo in photos.test] == ["flower", "grace_hopper", "ihc"]


def test_a_sample_has_the_pixels_that_scikit_image_reads():
    (chelsea, coffee) = sample_photos().validation
    np.testing.assert_array_equal(pixels_of(chelsea), data.chelsea())
    np.testing.assert_array_equal(pixels_of(coffee), data.coffee())


def test_samples_need_no_network(monkeypatch):
    def refuse(*arguments):
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(sample_photos().training) == 5


def test_pairs_in_two_folders_are_joined_by_name(tmp_path):
    for index, name in enumerate(("b.png", "a.png")):
        save(tmp_path / "clean" / name, colours(index))
        save(tmp_path / "noisy" / name, colours(index + 10))
    first, second = read_folder(tmp_path)
    assert (first.name, second.name) == ("a", "b")
    np.testing.assert_array_equal(first.clean.permute(1, 2, 0), colours(1))
    np.testing.assert_array_equal(first.degraded.permute(1, 2, 0), colours(11))


@pytest.mark.parametrize("side", ["noisy", "blurred", "degraded"])
def test_pairs_in_one_folder_are_joined_by_the_side_behind_the_name(tmp_path, side):
    save(tmp_path / "my_cat_clean.png", colours(0))
    save(tmp_path / f"my_cat_{side}.bmp", colours(1))
    (photo,) = read_folder(tmp_path)
    assert photo.name == "my_cat"
    np.testing.assert_array_equal(photo.degraded.permute(1, 2, 0), colours(1))


@pytest.mark.parametrize("side", ["noisy", "blurred", "degraded"])
def test_the_degraded_folder_may_have_three_names(tmp_path, side):
    save(tmp_path / "clean" / "a.png", colours(0))
    save(tmp_path / side / "a.bmp", colours(1))
    (photo,) = read_folder(tmp_path)
    np.testing.assert_array_equal(photo.degraded.permute(1, 2, 0), colours(1))


@pytest.mark.parametrize("place", ["", "clean"])
def test_pictures_without_a_degraded_side_are_clean_ones(tmp_path, place):
    save(tmp_path / place / "a.png", colours(0))
    save(tmp_path / place / "b.TIFF", colours(1))
    photos = read_folder(tmp_path)
    assert [photo.degraded for photo in photos] == [None, None]


def test_the_exif_orientation_turns_the_picture(tmp_path):
    image = Image.fromarray(colours(0))
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    (photo,) = read_folder(tmp_path)
    np.testing.assert_array_equal(pixels_of(photo), np.rot90(colours(0), -1))


def test_grey_is_repeated_on_three_channels(tmp_path):
    grey = save(tmp_path / "a.png", colours(0)[..., 0])
    (photo,) = read_folder(tmp_path)
    np.testing.assert_array_equal(pixels_of(photo), np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_all_kept(tmp_path, name):
    grey = save(tmp_path / name, colours(0)[..., 0].astype(np.uint16) * 256 + 77)
    (photo,) = read_folder(tmp_path)
    np.testing.assert_array_equal(pixels_of(photo), np.stack([grey] * 3, axis=-1))


def test_transparent_parts_become_white_and_opaque_ones_stay(tmp_path):
    alpha = np.zeros((20, 30, 1), dtype=np.uint8)
    alpha[:10] = 255
    save(tmp_path / "a.png", np.concatenate([colours(0), alpha], axis=-1))
    (photo,) = read_folder(tmp_path)
    np.testing.assert_array_equal(pixels_of(photo)[:10], colours(0)[:10])
    assert (pixels_of(photo)[10:] == 255).all()


def test_floating_point_pictures_are_refused(tmp_path):
    save(tmp_path / "a.tif", colours(0)[..., 0].astype(np.float32))
    assert "floating-point" in problems_of(tmp_path)[0]


def test_all_unusable_files_are_named_in_one_error(tmp_path):
    for name in ("good", "unequal", "broken", "lonely_clean", "truncated"):
        save(tmp_path / "clean" / f"{name}.png", colours(0, 40, 40))
    for name in ("good", "lonely", "truncated"):
        save(tmp_path / "noisy" / f"{name}.png", colours(1, 40, 40))
    for side in ("clean", "noisy"):
        save(tmp_path / side / "small.png", colours(2, 40, 31))
    save(tmp_path / "noisy" / "unequal.png", colours(1, 40, 41))
    (tmp_path / "clean" / "lonely_clean.png").rename(tmp_path / "clean" / "alone.png")
    (tmp_path / "noisy" / "broken.png").write_bytes(b"not a picture")
    truncated = tmp_path / "noisy" / "truncated.png"
    truncated.write_bytes(truncated.read_bytes()[:2000])
    save(tmp_path / "beside.png", colours(3, 40, 40))
    (tmp_path / "noisy" / "camera.DNG").write_bytes(b"")
    assert {line.split(": ")[0]: line.split(": ")[1].split()[:3] for line in problems_of(tmp_path, patch=32)} == {
        "beside.png": ["lies", "beside", "the"],
        "clean/alone.png": ["has", "no", "degraded"],
        "clean/small.png": ["is", "40x31", "(height"],
        "noisy/broken.png": ["cannot", "be", "read"],
        "noisy/camera.DNG": [".DNG", "is", "not"],
        "noisy/lonely.png": ["has", "no", "clean"],
        "noisy/small.png": ["is", "40x31", "(height"],
        "noisy/truncated.png": ["cannot", "be", "read"],
        "noisy/unequal.png": ["is", "40x41", "(height"],
    }


def test_a_file_without_a_side_among_pairs_is_an_error(tmp_path):
    for name in ("a_clean.png", "a_noisy.png", "b.png"):
        save(tmp_path / name, colours(0))
    assert [line.split(":")[0] for line in problems_of(tmp_path)] == ["b.png"]


def test_two_files_for_one_side_of_a_pair_are_an_error(tmp_path):
    for name in ("clean/a.png", "noisy/a.png", "noisy/a.bmp"):
        save(tmp_path / name, colours(0))
    assert [line.split(":")[0] for line in problems_of(tmp_path)] == ["clean/a.png", "noisy/a.bmp", "noisy/a.png"]


def test_a_degraded_folder_without_a_clean_one_is_an_error(tmp_path):
    save(tmp_path / "noisy" / "a.png", colours(0))
    assert problems_of(tmp_path) == ["noisy/a.png: has no clean partner"]


def test_hidden_files_and_texts_are_passed_over(tmp_path):
    save(tmp_path / "a.png", colours(0))
    (tmp_path / "._a.png").write_bytes(b"a Mac's leftover")
    (tmp_path / "notes.txt").write_text("notes")
    assert [photo.name for photo in read_folder(tmp_path)] == ["a.png"]


def test_a_picture_as_small_as_the_patch_is_accepted(tmp_path):
    save(tmp_path / "a.png", colours(0, 20, 30))
    assert len(read_folder(tmp_path, patch=20)) == 1


@pytest.mark.parametrize(
    ("place", "advice"), [("", "put .png"), ("missing", "name a folder"), ("notes.txt", "name a folder")]
)
def test_a_folder_that_is_empty_missing_or_a_file_is_an_error_that_says_what_to_do(tmp_path, place, advice):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=advice):
        load_folder(tmp_path / place, patch=8)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_photos_cannot_be_split(tmp_path, count):
    with pytest.raises(DataError, match=r"00\.png.*: at least three are needed"):
        load_folder(folder_of(tmp_path, count), patch=8)


def folder_of(tmp_path: Path, count: int) -> Path:
    for index in range(count):
        save(tmp_path / f"{index:02}.png", colours(index))
    return tmp_path


def names(photos: tuple[Photo, ...]) -> set[str]:
    return {photo.name for photo in photos}


def test_every_photo_is_in_exactly_one_part_of_the_split(tmp_path):
    photos = load_folder(folder_of(tmp_path, 10), patch=8)
    parts = [names(part) for part in (photos.training, photos.validation, photos.test)]
    assert all(parts)
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == 10


def test_the_split_depends_on_the_seed_alone(tmp_path):
    folder = folder_of(tmp_path, 10)
    splits = [frozenset(names(load_folder(folder, patch=8, seed=seed).validation)) for seed in (0, 0, 1, 2, 3)]
    assert splits[0] == splits[1]
    assert len(set(splits)) > 1


def test_photos_of_one_scene_are_in_one_part_and_the_source_says_how_many_scenes_there_are(tmp_path):
    for scene in range(6):
        for shot in range(2):
            save(tmp_path / "clean" / f"scene{scene}_{shot}.png", colours(scene))
            save(tmp_path / "noisy" / f"scene{scene}_{shot}.png", colours(shot))
    photos = load_folder(tmp_path, patch=8)
    told = [{name.split("_")[0] for name in names(part)} for part in (photos.training, photos.validation, photos.test)]
    assert sum(len(scenes) for scenes in told) == 6
    assert "12 pairs of photos, split by scene, of which their names tell 6, with seed 0" in photos.source


def test_the_source_says_where_the_photos_come_from(tmp_path):
    source = load_folder(folder_of(tmp_path, 3), patch=8, seed=5).source
    assert str(tmp_path) in source
    assert "3 clean photos" in source
    assert "split by photo" in source
    assert "seed 5" in source
    assert "1 for training, 1 for validation, 1 for the test" in source


@pytest.mark.parametrize(
    ("clean", "degraded"),
    [
        (torch.zeros(3, 4, 4), None),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), None),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(3, 4, 5, dtype=torch.uint8)),
    ],
)
def test_a_photo_of_another_type_or_shape_is_refused(clean, degraded):
    with pytest.raises(ValueError, match="photo a"):
        Photo("a", clean, degraded)


@pytest.mark.parametrize("missing", range(3))
def test_photos_without_one_of_the_parts_are_refused(missing):
    one = (Photo("a", torch.zeros(3, 4, 4, dtype=torch.uint8), None),)
    parts = [() if place == missing else one for place in range(3)]
    with pytest.raises(ValueError, match=f"got .*0 for {('training', 'validation', 'test')[missing]}"):
        Photos(*parts, "nowhere")
