"""Alignment: shifted, swapped and foreign pairs are named, and honest ones are not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from lpienas.command import main
from lpienas.command.data import DataOptions
from lpienas.fields import options_of
from lpienas.run_settings import ReadOptions, RunOptions, settled
from lpienas.searches import begun_task
from nas.task.data.alignment import looked_at, suspicious
from nas.task.data.photos import DataError, load_folder, read_folder
from nas.task.data.splits import PARTS
from nas.task.data.tiles import Tiles
from results.progress import Silent
from results.run import Run

SCENES = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def pairs(folder: Path, shift: tuple[int, int] = (0, 0), which: int | None = None, noise: float = 12) -> Path:
    """Noisy pairs; the noisy side of all, or of the one `which`, lies off by `shift` pixels down and to the right."""
    for number, scene in enumerate(SCENES):
        down, right = shift if which in (None, number) else (0, 0)
        clean = scene[40:240, 40:260]
        moved = scene[40 - down : 240 - down, 40 - right : 260 - right]
        noisy = moved + np.random.default_rng(number).normal(0, noise, moved.shape)
        write(folder / "clean" / f"{number}.png", clean)
        write(folder / "noisy" / f"{number}.png", noisy.clip(0, 255).round().astype(np.uint8))
    return folder


def said(folder: Path) -> list[str]:
    return suspicious(list(looked_at(read_folder(folder))))


@pytest.mark.parametrize("noise", [3, 12, 40])
def test_honest_pairs_are_not_suspected(noise, tmp_path):
    assert said(pairs(tmp_path, noise=noise)) == []


@pytest.mark.parametrize("shift", [(3, 2), (-1, 0), (0, 7), (-4, -5)])
def test_a_shift_is_found_to_the_pixel(shift, tmp_path):
    down, right = shift
    lines = said(pairs(tmp_path, shift))
    assert len(lines) == len(SCENES)
    assert all(f"shifted by {down} pixels down and {right} to the right" in line for line in lines)


def test_one_shifted_pair_among_others_is_named(tmp_path):
    (line,) = said(pairs(tmp_path, (3, 2), which=2))
    assert line.startswith("2: the degraded side is shifted by 3 pixels down and 2 to the right")


def test_partners_that_were_swapped_are_both_named(tmp_path):
    pairs(tmp_path)
    one, other, aside = (tmp_path / "noisy" / name for name in ("0.png", "1.png", "aside.png"))
    size = Image.open(tmp_path / "clean" / "1.png").size
    assert Image.open(one).size == size
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    lines = said(tmp_path)
    assert [line[:1] for line in lines if "different things" in line] == ["0", "1"]


def test_one_wrong_pair_is_found_wherever_it_is_where_all_are_looked_at(tmp_path, capsys):
    pairs(tmp_path, (3, 2), which=2)
    for most, found in (("1", False), ("4", True), ("0", False)):
        assert main(["data", str(tmp_path), "--look", most]) == 0
        shown = capsys.readouterr().out
        assert ("2: the degraded side is shifted" in shown) == found
        assert (f"{most} pairs looked at" in shown) == (most != "0")


def test_exchanged_folders_are_noticed(tmp_path):
    pairs(tmp_path)
    (tmp_path / "noisy").rename(tmp_path / "aside")
    (tmp_path / "clean").rename(tmp_path / "noisy")
    (tmp_path / "aside").rename(tmp_path / "clean")
    assert "are the folders exchanged?" in said(tmp_path)[0]


def test_one_pair_with_exchanged_sides_is_named(tmp_path):
    pairs(tmp_path)
    one, other, aside = tmp_path / "noisy" / "2.png", tmp_path / "clean" / "2.png", tmp_path / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    (line,) = said(tmp_path)
    assert line.endswith("as if exchanged: 1: 2")


def test_a_sharp_side_is_no_noisy_one(tmp_path):
    from scipy.ndimage import gaussian_filter

    for number, scene in enumerate(SCENES):
        clean = scene[40:240, 40:260]
        write(tmp_path / "sharp" / f"{number}.png", clean)
        write(tmp_path / "blur" / f"{number}.png", gaussian_filter(clean, (2, 2, 0)))
    assert said(tmp_path) == []


def test_the_command_says_layout_parts_and_what_is_suspicious(tmp_path, capsys):
    pairs(tmp_path, (3, 2), which=1)
    assert main(["data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "layout: pairs in noisy/ and clean/" in shown
    assert "4 pairs of photos, split by photo" in shown
    assert "warning: 1: the degraded side is shifted by 3 pixels down and 2 to the right" in shown


def test_the_layout_is_said_before_a_pixel_is_decoded(tmp_path, capsys, monkeypatch):
    shown = []

    def stop(*arguments):
        shown.append(capsys.readouterr().out)
        raise DataError("stopped")

    monkeypatch.setattr(Tiles, "crop", stop)
    with pytest.raises(DataError, match="stopped"):
        main(["data", str(pairs(tmp_path))])
    assert shown[0].startswith("layout: pairs in noisy/ and clean/")


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_search_says_layout_first_and_once_what_is_suspicious(tmp_path):
    data, run = pairs(tmp_path / "mine", (3, 2), which=1), Run(tmp_path / "run")
    run.folder.mkdir()
    settings = settled(RunOptions(data=data, patch=32, batch=2), None)
    first, again = Told(), Told()
    begun_task(run, settings, 1, first, ReadOptions())
    assert first.lines[0].startswith(f"photographs: Folder {data} with 4 pairs of photos")
    assert "Layout: pairs in noisy/ and clean/" in first.lines[0]
    assert "warning: 1: the degraded side is shifted by 3 pixels down and 2 to the right" in first.lines
    run.describe(replace(settings, splits=PARTS))
    begun_task(run, settings, 1, again, ReadOptions())
    assert [line for line in again.lines if "warning" in line] == []


def test_what_data_shows_is_what_a_search_would_begin_with(tmp_path, capsys):
    names = ("validation", "test", "blur", "skip_unusable", "task", "seed", "cache")
    assert {name: options_of(DataOptions)[name] for name in names} == {
        name: options_of(RunOptions)[name] for name in names
    }
    assert main(["data", str(pairs(tmp_path)), "--seed", "3", "--look", "0", "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    photos = load_folder(tmp_path, 16, 3)
    assert parts == {part: [photo.name for photo in getattr(photos, part)] for part in PARTS}
