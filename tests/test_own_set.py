"""Own set: what a user's code brings stands in a folder that is read as those photographs, or is refused."""

import numpy as np
import pytest
from PIL import Image

from nas.task.data.layouts import DataError
from nas.task.data.own_set import Taken, write_folder
from nas.task.data.photos import read_folder
from nas.task.task import TaskSettings, read_photos


def pixels(seed, kind=np.uint8, size=(20, 30)):
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (*size, 3), dtype=kind, endpoint=True)


class Burst:
    """Pairs of 16 bits, as a user would write them."""

    def __iter__(self):
        for scene in range(8):
            yield Taken(f"night_{scene}", pixels(scene, np.uint16), pixels(100 + scene, np.uint16))


def test_pairs_of_16_bits_are_read_as_those_pairs_to_the_last_bit(tmp_path):
    assert write_folder(Burst(), tmp_path / "burst") == 8
    found = read_folder(tmp_path / "burst")
    assert len(found) == 8
    (night,) = [one for one in found if "night_3" in one.name]
    for side, seed in ((night.clean, 3), (night.degraded, 103)):
        np.testing.assert_array_equal(side.numpy().transpose(1, 2, 0), pixels(seed, np.uint16))


def test_photographs_of_8_bits_keep_the_parts_that_they_are_given(tmp_path):
    parts = ["train"] * 3 + ["val", "test"]
    write_folder([Taken(f"a{place}", pixels(place), part=part) for place, part in enumerate(parts)], tmp_path / "set")
    photos = read_photos(TaskSettings(data=str(tmp_path / "set"), patch=16))
    assert [len(part) for part in (photos.training, photos.validation, photos.test)] == [3, 1, 1]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "set" / "test" / "clean" / "a4.png")), pixels(4))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda: Taken("a", pixels(0).astype(np.float32)), r"a: its clean side must be uint8 or uint16 .*float32"),
        (lambda: Taken("a", pixels(0)[..., :1]), r"\(20, 30, 1\)"),
        (lambda: Taken("a", pixels(0), pixels(0, size=(20, 31))), r"its noisy side is \(20, 31, 3\)"),
        (lambda: Taken("../a", pixels(0)), "without a folder"),
        (lambda: Taken("a", pixels(0), part="training"), "must be one of train, val, test"),
    ],
)
def test_what_is_no_photograph_is_refused_by_its_name(given, says):
    with pytest.raises(DataError, match=says):
        given()


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ([Taken("b", pixels(1), pixels(2))], "one is a pair, and the other is not"),
        ([Taken("b", pixels(1), part="val")], "one has a part, and the other has none"),
        ([Taken("A", pixels(1))], "A: two photographs have this name"),
    ],
)
def test_a_set_that_is_not_one_is_refused(others, says, tmp_path):
    with pytest.raises(DataError, match=says):
        write_folder([Taken("a", pixels(0)), *others], tmp_path / "set")


def test_nothing_is_written_among_what_is_there_and_no_photographs_are_no_set(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        write_folder(Burst(), tmp_path)
    with pytest.raises(DataError, match="no photographs"):
        write_folder([], tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
