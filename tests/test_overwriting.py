"""Overwriting: nothing that exists is written over unasked, and nothing outside a run folder at all."""

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from lpienas.command import main
from results.compressions import compression_of
from results.files import read_json, write_json, written_whole
from results.record import RunSettings
from results.run import Run
from results.table import bench_table

ROOT = Path(__file__).parents[1]
SETTINGS = RunSettings(steps=9, sampler="tpe", splits=("training", "validation", "test"))


@pytest.fixture
def photo(tmp_path) -> Path:
    Image.new("RGB", (40, 30), "gray").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_the_picture_before_and_after_is_not_drawn_over_what_exists(model, photo, tmp_path, capsys):
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"mine")
    command = ["enhance", str(model), str(photo), "-o", str(tmp_path / "out.png"), "--compare", str(kept)]
    assert main(command) == 1
    assert "--force" in capsys.readouterr().err
    assert kept.read_bytes() == b"mine"
    assert not (tmp_path / "out.png").exists()
    assert main([*command, "--force"]) == 0
    with Image.open(kept) as sheet:
        assert sheet.width == 2 * 40 + 6


@pytest.mark.parametrize("compared", ["photo.png", "out.png"])
def test_the_picture_before_and_after_never_replaces_one_of_the_two(compared, model, photo, tmp_path, capsys):
    before = photo.read_bytes()
    command = ["enhance", str(model), str(photo), "-o", str(tmp_path / "out.png"), "--force"]
    assert main([*command, "--compare", str(tmp_path / compared)]) == 1
    assert "name another file" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_a_plot_is_not_drawn_over_what_exists(model, tmp_path, capsys):
    (tmp_path / "front.png").write_bytes(b"mine")
    assert main(["front", str(model), "--plot", str(tmp_path / "front.png")]) == 1
    assert "front.png exists" in capsys.readouterr().err
    assert (tmp_path / "front.png").read_bytes() == b"mine"


def test_samples_are_not_written_over_pictures_that_exist(tmp_path, capsys):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "flower.png").write_bytes(b"mine")
    assert main(["samples", "--out", str(tmp_path)]) == 1
    assert "flower.png exists" in capsys.readouterr().err
    assert (tmp_path / "clean" / "flower.png").read_bytes() == b"mine"
    assert not (tmp_path / "noisy").exists()


def test_files_of_a_network_are_not_written_over_others(model, tmp_path, capsys):
    (tmp_path / "network_float.onnx").write_bytes(b"mine")
    (network,) = (model / "made").glob("*/network.json")
    assert main(["export", str(network), "--out", str(tmp_path), "--to", "onnx"]) == 1
    assert "network_float.onnx exists" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../../precious.txt", "/tmp/precious.onnx", "..", "a\\b.onnx"])
def test_an_export_refuses_a_list_that_names_files_elsewhere(name, model, tmp_path, capsys):
    Run(model).describe(SETTINGS)
    (tmp_path / "precious.txt").write_text("mine")
    figures = {"made_from": "another", "precision": "float"}
    write_json(model / "exported" / "small" / "files.json", {"files": {name: figures}})
    assert main(["export", str(model), "--to", "onnx"]) == 1
    assert "files.json names a file" in capsys.readouterr().err
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("part", ["stage", "file"])
@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/elsewhere", ".."])
def test_a_compression_whose_record_names_a_network_elsewhere_is_refused(name, part, model, capsys):
    record = read_json(model / "compressions" / "small.json")
    record["networks"]["float"][part] = name
    write_json(model / "compressions" / "small.json", record)
    Run(model).describe(SETTINGS)
    assert main(["export", str(model), "--to", "onnx"]) == 1
    assert "must be a name without a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/elsewhere", ".hidden"])
def test_a_name_on_the_command_line_that_leads_out_of_the_run_is_refused(name, model, capsys):
    Run(model).describe(SETTINGS)
    for command in (["export", str(model), "--compression", name], ["evaluate", str(model), "--compression", name]):
        assert main(command) == 1
        assert "must b" in capsys.readouterr().err


def test_the_name_of_what_is_meant_is_taken_for_a_name_alone(model, capsys):
    write_json(model / "compression.json", {"name": "../../elsewhere"})
    assert compression_of(Run(model)).name == "small"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_as_open_as_the_umask_lets_it_be(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        with written_whole(tmp_path / "a.txt") as temporary:
            temporary.write_text("text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def test_a_photograph_that_cannot_be_written_costs_that_one_only(model, photo, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        (photos / f"{name}.png").write_bytes(photo.read_bytes())
    (tmp_path / "out" / "a.png").mkdir(parents=True)  # a folder where a result should be
    assert main(["enhance", str(model), str(photos), "-o", str(tmp_path / "out"), "--force", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [Path(one["source"]).name for one in found["failed"]] == ["a.png"]
    assert [Path(one["output"]).name for one in found["photos"]] == ["b.png"]


def test_names_with_brackets_and_long_paths_are_printed_whole_in_a_pipe(model, photo, tmp_path):
    folder = tmp_path / "[red]a folder[/x]" / ("long " * 30)
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(photo.read_bytes())
    (folder / "b.png").write_text("no picture")
    command = [sys.executable, "-m", "lpienas", "enhance", str(model), str(folder), "-o", str(folder / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{folder / 'out' / 'a.png'}: 30x40" in done.stdout
    assert "\x1b" not in done.stdout
    assert "[red]a folder[/x]" in done.stderr  # the one that is left out


def test_brackets_in_the_names_of_a_table_are_part_of_them():
    row = {"network": "[red]a.onnx", "runtime": "ONNX Runtime", "precision": "float", "size": [8, 8], "threads": 1}
    row |= dict.fromkeys(("faster", "peak_memory", "file_bytes", "ssim")) | {"median": 1.0, "spread": 0.1}
    console = Console(width=200, file=io.StringIO())
    console.print(bench_table([row], "photographs of [b]here"))
    assert "[red]a.onnx" in console.file.getvalue()
    assert "[b]here" in console.file.getvalue()


def test_a_name_cannot_steer_the_terminal(model, photo, tmp_path, capsys):
    target = tmp_path / "a\x1b[31m.png"
    assert main(["enhance", str(model), str(photo), "-o", str(target)]) == 0
    assert "a\\x1b[31m.png" in capsys.readouterr().out
