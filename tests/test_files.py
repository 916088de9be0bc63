"""Files: whole or as they were before, and networks that come back exactly."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest
import torch

from results.files import (
    bytes_of,
    folder_written_whole,
    has_network,
    load_network,
    read_json,
    remove,
    save_network,
    write_json,
    write_tensors,
    written_whole,
)  # fmt: skip
from search_spaces.blueprint import BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

PRUNED = Blueprint(  # counts that no genotype can ask for
    stages=tuple(
        StageBlueprint(width, (BlockBlueprint(3, 5), BlockBlueprint(1, 7)), "both", 2) for width in (5, 6, 7, 6, 5)
    ),
    block="released",
    activation="elu",
    head="gated",
)
SMALL = Blueprint.from_genotype(Genotype(tuple(Stage(depth=1, width=4) for _ in range(5))))


def test_a_file_is_there_after_it_was_written_and_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "note.txt"
    with written_whole(path) as temporary:
        temporary.write_text("done")
        assert not path.exists()
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def interrupted_write(path):
    with written_whole(path) as temporary:
        temporary.write_text("half of")
        raise KeyboardInterrupt


def test_an_exception_while_writing_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted_write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_while_writing_a_new_file_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted_write(tmp_path / "note.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_can_be_read_by_others(tmp_path):
    write_json(tmp_path / "value.json", {})
    assert stat.S_IMODE((tmp_path / "value.json").stat().st_mode) == 0o644


def test_a_folder_takes_the_place_of_the_older_one_whole_and_can_be_read_by_others(tmp_path):
    path = tmp_path / "network.mlpackage"
    for name in ("older", "newer"):
        with folder_written_whole(path) as temporary:
            (temporary / "inner").mkdir(parents=True, mode=0o700)
            (temporary / "inner" / name).write_text("12345")
            (temporary / "inner" / name).chmod(0o600)
            assert name == "older" or [file.name for file in path.rglob("*er")] == ["inner", "older"]
    assert sorted(made.relative_to(tmp_path).as_posix() for made in tmp_path.rglob("*")) == [
        "network.mlpackage",
        "network.mlpackage/inner",
        "network.mlpackage/inner/newer",
    ]
    assert [stat.S_IMODE(made.stat().st_mode) for made in sorted(path.rglob("*"))] == [0o755, 0o644]
    assert bytes_of(path) == 5
    remove(path)
    remove(path)
    assert list(tmp_path.iterdir()) == []


def interrupted_folder(path):
    with folder_written_whole(path) as temporary:
        temporary.mkdir()
        (temporary / "half").touch()
        raise KeyboardInterrupt


def test_an_exception_while_writing_a_folder_leaves_the_old_one_and_no_temporary(tmp_path):
    path = tmp_path / "network.mlpackage"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(KeyboardInterrupt):
        interrupted_folder(path)
    assert sorted(made.relative_to(tmp_path).as_posix() for made in tmp_path.rglob("*")) == [
        "network.mlpackage",
        "network.mlpackage/old",
    ]


def test_the_temporary_file_keeps_the_suffix_that_formats_are_guessed_from(tmp_path):
    with written_whole(tmp_path / "front.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path


def test_json_comes_back_as_it_was_written(tmp_path):
    value = {"ssim": 0.1 + 0.2, "none": None, "list": [1, "ü"], "nested": {"yes": True}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_refused_and_the_old_file_stays(tmp_path, number):
    path = tmp_path / "value.json"
    write_json(path, {"ssim": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"ssim": number})
    assert read_json(path) == {"ssim": 0.5}


@pytest.mark.parametrize("text", ["", '{"ssim": 0.', "[1, 2]", "null"])
def test_damaged_json_names_the_file_and_what_to_do(tmp_path, text):
    path = tmp_path / "value.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"value\.json .*delete it"):
        read_json(path)


def test_json_that_is_not_even_text_names_the_file_and_what_to_do(tmp_path):
    path = tmp_path / "value.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"value\.json .*delete it"):
        read_json(path)


def test_tensors_keep_their_metadata(tmp_path):
    path = tmp_path / "tensors.safetensors"
    write_tensors(path, {"a": torch.arange(6.0).reshape(2, 3).T}, {"step": "7"})
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        assert file.metadata()["step"] == "7"
        assert torch.equal(file.get_tensor("a"), torch.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize("blueprint", [SMALL, PRUNED], ids=["from a genotype", "pruned"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_network_comes_back_with_the_same_weights_and_the_same_output(tmp_path, blueprint, memory_format):
    network = build(blueprint, seed=5).to(memory_format=memory_format)
    save_network(tmp_path / "trained", network)
    loaded = load_network(tmp_path / "trained")
    assert loaded.blueprint == blueprint
    before, after = network.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert (build_and_load(blueprint, before)(image) - loaded(image)).abs().max() == 0


def build_and_load(blueprint, weights):
    network = build(blueprint, seed=0)
    network.load_state_dict(weights)
    return network


def test_a_network_is_kept_as_json_and_safetensors_and_nothing_else(tmp_path):
    save_network(tmp_path / "trained", build(SMALL, seed=0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trained.json", "trained.safetensors"]
    assert Blueprint.from_json(json.loads((tmp_path / "trained.json").read_text())) == SMALL


def test_a_network_is_there_only_when_its_weights_are(tmp_path):
    path = tmp_path / "trained"
    assert not has_network(path)
    save_network(path, build(SMALL, seed=0))
    assert has_network(path)
    path.with_suffix(".safetensors").unlink()
    assert not has_network(path)


def test_weights_of_another_network_are_refused_by_the_name_of_their_file(tmp_path):
    save_network(tmp_path / "one", build(SMALL, seed=0))
    save_network(tmp_path / "other", build(PRUNED, seed=0))
    (tmp_path / "other.safetensors").replace(tmp_path / "one.safetensors")
    with pytest.raises(ValueError, match=r"one\.safetensors do not load"):
        load_network(tmp_path / "one")


def test_weights_that_are_cut_short_are_refused_by_the_name_of_their_file(tmp_path):
    save_network(tmp_path / "one", build(SMALL, seed=0))
    whole = (tmp_path / "one.safetensors").read_bytes()
    (tmp_path / "one.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"one\.safetensors do not load"):
        load_network(tmp_path / "one")


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are looked up in /proc")
def test_a_file_has_its_name_once_its_bytes_are_on_the_disk_and_the_name_is_then_too(tmp_path, monkeypatch):
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def written(handle: int) -> None:
        events.append(f"on the disk: {Path(f'/proc/self/fd/{handle}').readlink().name}")
        fsync(handle)

    def renamed(source: Path, target: Path) -> Path:
        events.append(f"{source.name} is {target.name}")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", written)
    monkeypatch.setattr(Path, "replace", renamed)
    write_json(tmp_path / "a.json", {"a": 1})
    (temporary,) = {event.partition(" is ")[0] for event in events if " is " in event}
    assert events == [f"on the disk: {temporary}", f"{temporary} is a.json", f"on the disk: {tmp_path.name}"]
