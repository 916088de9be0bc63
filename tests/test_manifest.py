"""Manifest: what a run knows of its photographs, and how it notices that a folder has changed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.task.data.facts import ledger
from nas.task.data.listing import Where, list_photographs
from nas.task.data.manifest import Photographs, changes
from nas.task.data.photos import DataError, PhotographsChanged, settled_photos
from nas.task.data.tiles import Tiles
from results.files import read_json, write_json


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(20):
        picture(tmp_path / "mine" / f"p{number:02}.png", number)
    return tmp_path / "mine"


def manifest(folder: Path) -> Photographs:
    return list_photographs(Where(folder), folder.parent / "ledger").photographs


def test_a_manifest_comes_back_from_its_file(folder, tmp_path):
    made = manifest(folder)
    made.write(tmp_path / "photographs.json")
    assert Photographs.read(tmp_path / "photographs.json") == made
    row = read_json(tmp_path / "photographs.json")["photographs"][0]
    assert set(row) == {"name", "scene", "split", "height", "width", "clean", "folder"}
    assert (row["height"], row["width"], row["clean"]["file"]) == (24, 32, "p00.png")


@pytest.mark.parametrize("damage", ["other", "split", "nothing"])
def test_a_manifest_that_was_changed_by_hand_is_refused_by_name(folder, tmp_path, damage):
    path = tmp_path / "photographs.json"
    manifest(folder).write(path)
    stored = read_json(path)
    if damage == "nothing":
        del stored["photographs"]
    else:
        stored["photographs"][0]["name" if damage == "other" else "split"] = damage
    write_json(path, stored)
    with pytest.raises(ValueError, match=r"photographs\.json"):
        Photographs.read(path)


def test_renaming_the_folder_changes_no_fingerprint_and_other_pixels_do(folder, tmp_path):
    before = manifest(folder)
    moved = folder.rename(tmp_path / "renamed")
    assert manifest(moved).fingerprint == before.fingerprint
    picture(moved / "p03.png", 99)
    assert manifest(moved).fingerprint != before.fingerprint


def test_what_was_added_removed_changed_and_renamed_is_listed_by_name(folder):
    before = manifest(folder)
    picture(folder / "new.png", 50)
    (folder / "p01.png").unlink()
    picture(folder / "p02.png", 51)
    (folder / "p03.png").rename(folder / "q03.png")
    found = changes(before, manifest(folder))
    assert (found.added, found.removed, found.changed) == (("new.png",), ("p01.png",), ("p02.png",))
    assert found.renamed == (("p03.png", "q03.png"),)
    assert found.lines()[:3] == ["added: 1: new.png", "removed: 1: p01.png", "changed: 1: p02.png"]
    assert found.lines()[3] == "renamed: 1: p03.png to q03.png"
    assert not changes(before, before)


def test_photographs_that_are_added_move_none(folder):
    before = {entry.name: entry.split for entry in manifest(folder).entries}
    for number in range(20, 40):
        picture(folder / f"p{number}.png", number)
    after = {entry.name: entry.split for entry in manifest(folder).entries}
    assert {name: after[name] for name in before} == before


def test_a_file_is_looked_at_again_only_where_it_has_changed(folder, monkeypatch):
    looked: list[Path] = []
    from nas.task.data import facts

    original = facts.looked_at
    monkeypatch.setattr(facts, "looked_at", lambda path: looked.append(path) or original(path))
    for number in range(5):
        (folder / f"link{number}.png").symlink_to(folder / "p00.png")
    manifest(folder)
    assert len(looked) == 20  # links are of one file
    manifest(folder)
    assert len(looked) == 20
    picture(folder / "p07.png", 77)
    manifest(folder)
    assert [path.name for path in looked[20:]] == ["p07.png"]


def test_without_a_folder_to_write_in_files_are_looked_at_each_time(folder):
    with ledger(folder / "p00.png" / "no folder") as known:
        assert known.facts(folder / "p01.png").height == 24


def settled(folder: Path, kept: bool = False, skip: bool = False):
    tiles = Tiles(folder.parent / "cache")
    return settled_photos(Where(folder, skip_unusable=skip), folder.parent / "photographs.json", tiles, kept)


def names(photos) -> dict[str, str]:
    parts = {"training": photos.training, "validation": photos.validation, "test": photos.test}
    return {photo.name: part for part, photographs in parts.items() for photo in photographs}


def test_a_folder_that_has_changed_is_refused_with_the_list_and_what_to_do(folder):
    settled(folder)
    picture(folder / "new.png", 50)
    with pytest.raises(PhotographsChanged, match=r"added: 1: new\.png\n.*--photographs kept; or start another run"):
        settled(folder)


def test_the_kept_photographs_are_those_of_before_whatever_was_added(folder):
    before = names(settled(folder)[0])
    picture(folder / "new.png", 50)
    (folder / "broken.png").write_bytes(b"")
    assert names(settled(folder, kept=True)[0]) == before


def test_of_the_kept_photographs_one_to_train_on_may_be_gone_and_it_is_said(folder):
    before = names(settled(folder)[0])
    gone = next(name for name, part in before.items() if part == "training")
    (folder / gone).unlink()
    photos, _ = settled(folder, kept=True)
    assert names(photos) == {name: part for name, part in before.items() if name != gone}
    assert f"Gone, and not trained on any more: 1: {gone}" in photos.source


@pytest.mark.parametrize("part", ["validation", "test"])
def test_of_the_kept_photographs_none_that_networks_are_judged_by_may_be_gone_or_changed(folder, part):
    before = names(settled(folder)[0])
    picture(folder / next(name for name, of in before.items() if of == part), 99)
    with pytest.raises(DataError, match="scores without them could not be compared"):
        settled(folder, kept=True)


def test_unusable_pictures_are_an_error_or_are_left_out_and_named(folder):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes((folder / "p00.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"2 of the files(.|\n)*broken\.png(.|\n)*cut\.png(.|\n)*--skip-unusable"):
        settled(folder)
    photos, listed = settled(folder, skip=True)
    assert len(names(photos)) == 20
    assert [line.split(":")[0] for line in listed.left_out] == ["broken.png", "cut.png"]
