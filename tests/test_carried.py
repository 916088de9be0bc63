"""Carried: a node keeps files by digest, and what it made of a run's stages is taken back whole."""

import json
from pathlib import Path

import pytest
import torch

from nas.task.data.facts import digest_of
from nas.task.data.photos import write_pairs
from nas.task.data.tiles import Tiles
from nas.task.device import Device
from nas.task.task import TaskSettings, make_task, read_photos
from nas.where.carried import Away, Carried, Missing, stage_files, take_back
from nas.where.tasks import task_heard, task_told
from nas.where.told import Files


@pytest.fixture
def there(tmp_path) -> Files:
    """Two files of the machine where the search runs, which this one does not see any more."""
    for name in ("a/one.bin", "two.bin"):
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_text(name)
    found = Files.of(tmp_path / "there", "a/one.bin", "two.bin")
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    return found


def brought(files: Files, kept: Path) -> Carried:
    carried = Carried(kept)
    for name, digest in files.digests.items():
        carried.bring(digest, name.encode())
    return carried


def test_files_that_are_here_are_used_where_they_are(there, tmp_path):
    (tmp_path / "elsewhere").rename(tmp_path / "there")
    assert Carried(tmp_path / "kept").folder(there) == tmp_path / "there"


def test_files_that_are_not_here_are_asked_for_by_digest_and_then_lie_in_a_folder_by_their_names(there, tmp_path):
    with pytest.raises(Missing) as missing:
        Carried(tmp_path / "kept").folder(there)
    assert missing.value.paths == {digest: str(there.folder / name) for name, digest in there.digests.items()}
    found = brought(there, tmp_path / "kept").folder(there)
    assert {name: (found / name).read_text() for name in there.digests} == {name: name for name in there.digests}


def test_a_file_that_is_another_one_than_was_asked_for_is_not_kept(there, tmp_path):
    digest = there.digests["two.bin"]
    with pytest.raises(ValueError, match="changed while it was carried"):
        Carried(tmp_path / "kept").bring(digest, b"other")
    assert not list((tmp_path / "kept").glob("*"))


def test_what_became_of_stages_is_taken_back_the_record_last_and_checkpoints_go(tmp_path, monkeypatch):
    store, stage = tmp_path / "made", "scoring-0"
    (store / stage).mkdir(parents=True)
    for name in ("first.bin", "checkpoint-0.bin"):
        (store / stage / name).write_text(name)
    files = Files.of(store, *stage_files(store, {stage}))
    carried = Carried(tmp_path / "kept")
    for name in files.digests:
        carried.bring(files.digests[name], (store / name).read_bytes())
    away = Away(tmp_path / "away")
    away.lay(files, carried)
    assert away.changed() == {}
    for name in ("network.bin", "record.json", "test.json", ".half"):
        (away.folder / stage / name).write_text(name)
    (away.folder / stage / "checkpoint-0.bin").write_text("later")
    first = away.changed()
    assert first == {
        f"{stage}/{name}": held.encode()
        for name, held in {
            "network.bin": "network.bin",
            "record.json": "record.json",
            "test.json": "test.json",
            "checkpoint-0.bin": "later",
        }.items()
    }
    (away.folder / stage / "checkpoint-0.bin").unlink()
    assert away.changed() == {f"{stage}/checkpoint-0.bin": None}
    written = []
    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, held: (written.append(held), real(path, held))[1])
    take_back(store, {stage}, first)
    assert written[-1] == b"record.json"
    take_back(store, {stage}, {f"{stage}/checkpoint-0.bin": None, f"{stage}/first.bin": None})
    left = {file.name: digest_of(file) for file in (store / stage).iterdir()}
    assert set(left) == {"first.bin", "network.bin", "record.json", "test.json"}


@pytest.mark.parametrize("name", ["../study.journal", "scoring-1/record.json", "scoring-0/../../study.journal", "x"])
def test_a_file_outside_the_stages_that_were_asked_for_is_not_written(name, tmp_path):
    with pytest.raises(ValueError, match=r"must be in a stage that it was asked for|must be a name without a folder"):
        take_back(tmp_path / "made", {"scoring-0"}, {name: b"anything"})
    assert list(tmp_path.rglob("*.j*")) == []


def test_a_task_whose_photographs_are_not_here_asks_for_them_and_then_trains_on_the_same(tmp_path):
    noise = torch.Generator().manual_seed(0)
    pairs = [(str(n), *(torch.rand((1, 3, 40, 48), generator=noise) for _ in range(2))) for n in range(4)]
    write_pairs(pairs, tmp_path / "there")
    settings = TaskSettings(data=str(tmp_path / "there"), patch=32, batch=2, validation_side=32)
    task = make_task(settings, read_photos(settings, Tiles(tmp_path / "cache")), Device("cpu", False, "test"))
    text, wanted, key = json.dumps(task_told(task)), task.batches(3)(1), task.trains_on
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    carried = Carried(tmp_path / "kept")
    with pytest.raises(Missing) as missing:
        task_heard(json.loads(text), carried)
    assert len(missing.value.paths) == 8
    for digest, path in missing.value.paths.items():
        carried.bring(digest, (tmp_path / "elsewhere" / Path(path).relative_to(tmp_path / "there")).read_bytes())
    found = task_heard(json.loads(text), carried)
    assert all(torch.equal(one, other) for one, other in zip(found.batches(3)(1), wanted, strict=True))
    assert found.trains_on == key
