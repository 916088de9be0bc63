"""Tile cache: crops are those of the picture, whatever is kept, cleared or damaged, and the limit holds."""

import pickle
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.task.data import tiles as module
from nas.task.data.facts import looked_at
from nas.task.data.photos import DataError, load_folder, read_folder
from nas.task.data.reading import Unreadable
from nas.task.data.source import SIDE, Source
from nas.task.data.tiles import Tiles

CROPS = ((0, 0, 8, 8), (250, 250, 16, 16), (100, 5, 300, 500), (0, 0, 401, 523), (392, 512, 9, 11))


def picture(path: Path, seed: int, height: int = 401, width: int = 523) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def source(path: Path) -> Source:
    facts = looked_at(path)
    return Source(path.parent, path.name, facts.digest, facts.height, facts.width, facts.bits)


@pytest.mark.parametrize("limit", [0, 10**9])
@pytest.mark.parametrize("crop", CROPS)
def test_a_crop_is_that_of_the_picture_with_and_without_room_for_tiles(crop, limit, tmp_path):
    pixels = picture(tmp_path / "a.png", 0)
    top, left, height, width = crop
    found = Tiles(tmp_path / "cache", limit).crop(source(tmp_path / "a.png"), *crop)
    np.testing.assert_array_equal(found, pixels[top : top + height, left : left + width])
    assert (tmp_path / "cache").exists() == bool(limit)


def test_a_file_is_decoded_once_for_all_processes(tmp_path, monkeypatch):
    pixels = picture(tmp_path / "a.png", 0)
    first = Tiles(tmp_path / "cache")
    first.crop(source(tmp_path / "a.png"), 0, 0, 8, 8)
    monkeypatch.setattr(module, "_strips", lambda source: pytest.fail("decoded again"))
    other = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(other.crop(source(tmp_path / "a.png"), 8, 8, 8, 8), pixels[8:16, 8:16])


def test_no_more_is_kept_than_the_limit_and_what_was_used_longest_ago_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_USED_AGAIN", -1)
    one = -(-401 // SIDE) * -(-523 // SIDE) * SIDE * SIDE * 3
    tiles = Tiles(tmp_path / "cache", 3 * one)
    sources = []
    for number in range(8):
        picture(tmp_path / f"{number}.png", number)
        sources.append(source(tmp_path / f"{number}.png"))
        tiles.crop(sources[-1], 0, 0, 8, 8)
        kept = sorted((tmp_path / "cache").glob("*.tiles"))
        assert sum(path.stat().st_size for path in kept) <= 3 * one
    assert (tmp_path / "cache" / f"{sources[-1].name}.tiles").exists()
    assert not (tmp_path / "cache" / f"{sources[0].name}.tiles").exists()
    for number, each in enumerate(sources):  # cleared or not, the pixels are the same
        expected = np.asarray(Image.open(tmp_path / f"{number}.png"))[:8, :8]
        np.testing.assert_array_equal(tiles.crop(each, 0, 0, 8, 8), expected)


def test_a_damaged_tile_file_is_made_again(tmp_path):
    pixels = picture(tmp_path / "a.png", 0)
    where = source(tmp_path / "a.png")
    Tiles(tmp_path / "cache").crop(where, 0, 0, 8, 8)
    (kept,) = (tmp_path / "cache").glob("*.tiles")
    kept.write_bytes(kept.read_bytes()[:1000])
    np.testing.assert_array_equal(Tiles(tmp_path / "cache").crop(where, 0, 0, 8, 8), pixels[:8, :8])


@pytest.mark.parametrize(
    ("change", "says"), [("replaced", "has changed since"), ("gone", "not there|cannot be opened")]
)
def test_a_file_that_is_another_one_than_was_listed_is_noticed(change, says, tmp_path):
    picture(tmp_path / "a.png", 0)
    where = source(tmp_path / "a.png")
    if change == "gone":
        (tmp_path / "a.png").unlink()
    else:
        picture(tmp_path / "a.png", 1)
    with pytest.raises(Unreadable, match=says):
        Tiles(tmp_path / "cache").crop(where, 0, 0, 8, 8)


def test_pixels_that_turn_out_damaged_name_their_file_and_what_to_do(tmp_path):
    for number in range(3):
        picture(tmp_path / "mine" / f"{number}.png", number)
    path = tmp_path / "mine" / "1.png"
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 4000] = bytes(4000)
    path.write_bytes(whole)
    photo = read_folder(tmp_path / "mine", tiles=Tiles(tmp_path / "cache"))[1]
    with pytest.raises(DataError, match=r"1\.png: cannot be read whole.*--photographs kept"):
        photo.crop(0, 0, 8, 8)


def test_nothing_is_decoded_before_it_is_needed(tmp_path, monkeypatch):
    for number in range(6):
        picture(tmp_path / "mine" / f"{number}.png", number)
    monkeypatch.setattr(module, "_strips", lambda source: pytest.fail("decoded"))
    photos = load_folder(tmp_path / "mine", 64, tiles=Tiles(tmp_path / "cache"))
    assert {photo.size for photo in photos.training} == {(401, 523)}


def test_many_photographs_need_few_open_files(tmp_path):
    for number in range(200):
        picture(tmp_path / "mine" / f"{number:03}.png", number, 16, 16)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/dev/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, before[1]))
    try:
        photos = read_folder(tmp_path / "mine", tiles=Tiles(tmp_path / "cache"))
        for photo in (*photos, *photos):
            photo.crop(0, 0, 8, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
