"""The whole job, small: search, compress, export to three runtimes, enhance, evaluate, over one run folder."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpienas.command import main
from results.compressions import compression_of
from results.files import load_network, read_json
from results.run import Run
from results.study import candidates, open_study
from tests.small_photos import small_photos, with_known_device

HOW = ("--steps", "40", "--prune", "0.2", "--name", "tiny")
pytestmark = pytest.mark.slow


def simplest(folder: Path) -> str:
    """The candidate with the fewest operators: conversion takes time in proportion to them."""

    def operators(candidate) -> int:
        return sum(7 * stage.depth + 8 * (stage.attention != "none") for stage in candidate.genotype.stages)

    found = candidates(open_study(folder / "study.journal").trials)
    best = max(candidate.scores.ssim for candidate in found)
    return str(min((one for one in found if one.scores.ssim > 0.9 * best), key=operators).number)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("chain") / "run"
    with_known_device(folder)
    photos = ["--data", str(small_photos(folder.with_name("photos"), 12, 80, 112)), "--noise", "white"]
    supernet = ["--steps", "40", "--patch", "32", "--batch", "2"]
    small = ["--trials", "4", "--budget", "250M", "--fix", "depth=1", "levels=2", "--confirm", "1"]
    small += ["--full-steps", "30", "--workers", "1"]
    assert main(["search", "--out", str(folder), *small, *supernet, *photos]) == 0
    assert main(["compress", str(folder), "--pick", simplest(folder), *HOW]) == 0
    assert main(["export", str(folder), "--size", "96x96"]) == 0
    return folder


def test_seven_files_are_exported_and_a_card_names_each(run):
    names = {path.name for path in (run / "exported" / "tiny").iterdir()}
    sizes = {".onnx": "", ".tflite": "_96x96", ".pte": "_96x96"}
    files = {f"lpienet_{precision}{size}{suffix}" for precision in ("float", "int8") for suffix, size in sizes.items()}
    files |= {"lpienet_float16_96x96.tflite"}
    assert names == files | {"MODEL_CARD.md", "files.json", "kit"}
    kit = {path.name for path in (run / "exported" / "tiny" / "kit").iterdir()}
    assert kit == {f"{name}.{what}.npy" for name in files for what in ("input", "expected")}
    card = (run / "exported" / "tiny" / "MODEL_CARD.md").read_text()
    assert all(f"| `{name}` |" in card for name in files)


def test_every_file_scores_in_its_own_runtime_what_its_network_scores(run):
    summary = read_json(run / "summary.json")
    for figures in summary["exported"]["tiny"].values():
        network = summary["compressions"]["tiny"]["scores"]["quantized" if figures["precision"] == "int8" else "float"]
        assert figures["ssim"] == pytest.approx(network["test_ssim"], abs=0.005)


def test_the_summary_holds_every_stage(run):
    summary = read_json(run / "summary.json")
    made = summary["compressions"]["tiny"]
    assert set(made["scores"]) - {"control"} == {"trained", "pruned", "float", "quantized"}
    assert {"settings", "versions", "seed", "reference", "exported"} <= set(summary)
    assert {"chosen", "made_from", "networks", "ssim_definition", "anatomy"} <= set(made)
    quantized = made["scores"]["quantized"]
    ways = ("post_training", "quantization_aware", "float_fine_tuned")
    assert quantized["ssim"] == max(quantized[way]["ssim"] for way in ways)


def test_nothing_on_disk_is_a_pickle(run):
    files = [path for path in run.rglob("*") if path.is_file() and not path.name.startswith(".")]
    pictures = [path for path in files if path.parent == Run(run).artifacts]  # named by optuna-dashboard's own keys
    assert pictures
    for path in pictures:
        with Image.open(path) as picture:
            picture.verify()
    suffixes = {path.suffix for path in files if path not in pictures}
    assert suffixes <= {".json", ".safetensors", ".journal", ".onnx", ".tflite", ".pte", ".log", ".md", ".png", ".npy"}
    for path in run.rglob("*.npy"):
        np.load(path, allow_pickle=False)


def test_the_pruned_network_is_cheaper_and_is_rebuilt_from_its_blueprint(run):
    made = compression_of(Run(run))
    assert made.scores["pruned"]["macs"] <= 0.8 * made.scores["trained"]["macs"]
    pruned, trained = (load_network(made.network(stage)).blueprint for stage in ("pruned", "trained"))
    assert pruned != trained


def test_multiply_adds_to_reach_are_reached_within_a_hundredth_of_the_whole(run, capsys):
    picked, whole = simplest(run), compression_of(Run(run)).scores["trained"]["macs"]
    words = ["compress", str(run), "--pick", picked, "--steps", "40", "--float", "--name", "counted"]
    assert main([*words, "--prune", "2G"]) == 1
    assert "as few already; ask for fewer, or --prune off" in capsys.readouterr().err
    asked = 0.7 * whole
    assert main([*words, "--prune", f"{asked / 1e6:.3f}M"]) == 0
    left = compression_of(Run(run), "counted").scores["pruned"]["macs"]
    assert asked - 0.01 * whole <= left <= asked + 1000  # as many as the text says, to three digits of a million
    assert main(["compress", str(run), "--pick", picked, *HOW]) == 0  # tiny is meant again


def test_compressing_again_says_so_without_opening_a_photograph_and_exporting_again_changes_nothing(
    run, capsys, monkeypatch
):
    made = {path: path.stat().st_mtime_ns for folder in ("made", "exported") for path in (run / folder).rglob("*.*")}
    del made[run / "exported" / "tiny" / "files.json"], made[run / "exported" / "tiny" / "MODEL_CARD.md"]
    with monkeypatch.context() as patch:
        patch.setattr("lpienas.searches.opened_task", lambda *arguments: pytest.fail("photographs were opened"))
        began = time.process_time()
        assert main(["compress", str(run), "--pick", simplest(run), *HOW]) == 0
        assert time.process_time() - began < 5
    assert "was made so already: compression tiny" in capsys.readouterr().err
    assert main(["export", str(run), "--size", "96x96"]) == 0
    assert made == {path: path.stat().st_mtime_ns for path in made}


def test_a_second_compression_stands_beside_the_first_and_both_are_exported_and_judged(run, capsys):
    before = {path: path.read_bytes() for path in (run / "exported" / "tiny").rglob("*.*")}
    words = ["--pick", simplest(run), "--steps", "40", "--prune", "off", "--ptq", "--name", "whole"]
    assert main(["compress", str(run), *words]) == 0
    assert main(["export", str(run), "--to", "onnx"]) == 0
    assert {path: path.read_bytes() for path in (run / "exported" / "tiny").rglob("*.*")} == before
    capsys.readouterr()
    both = [str(run / "compressions" / f"{name}.json") for name in ("tiny", "whole")]
    assert main(["evaluate", *both, "--json"]) == 0
    judged = [model["ssim"] for model in json.loads(capsys.readouterr().out)["models"]]
    recorded = [compression_of(Run(run), name).scores["float"]["test_ssim"] for name in ("tiny", "whole")]
    assert judged == pytest.approx(recorded, abs=1e-5)
    files = sorted((run / "exported" / "tiny").glob("*.onnx"))
    assert main(["evaluate", *map(str, files), "--json"]) == 0
    judged = [model["ssim"] for model in json.loads(capsys.readouterr().out)["models"]]
    on_card = compression_of(Run(run), "tiny").listed()["files"]
    assert judged == pytest.approx([on_card[file.name]["ssim"] for file in files], abs=1e-5)
    assert main(["compress", str(run), "--pick", simplest(run), *HOW]) == 0  # tiny is meant again
    assert compression_of(Run(run)).name == "tiny"


@pytest.mark.parametrize(
    "model",
    [
        "",
        "exported/tiny/lpienet_int8.onnx",
        "exported/tiny/lpienet_int8_96x96.tflite",
        "exported/tiny/lpienet_int8_96x96.pte",
    ],
)
def test_a_photo_with_odd_sides_gets_better(model, run, tmp_path, capsys):
    assert main(["samples", "--out", str(tmp_path / "pairs")]) == 0
    for side in ("noisy", "clean"):
        for name in ("grace_hopper", "ihc"):
            (tmp_path / "pairs" / side / f"{name}.png").unlink()
        photo = tmp_path / "pairs" / side / "flower.png"
        Image.open(photo).crop((0, 0, 301, 207)).save(photo)
    noisy, better = tmp_path / "pairs" / "noisy" / "flower.png", tmp_path / "better.png"
    capsys.readouterr()
    assert main(["enhance", str(run / model), str(noisy), "-o", str(better), "--json"]) == 0
    assert [photo["size"] for photo in json.loads(capsys.readouterr().out)["photos"]] == [[207, 301]]
    assert Image.open(better).size == (301, 207)
    assert main(["evaluate", str(run / model), "--data", str(tmp_path / "pairs"), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["images"] == 1
    assert measured["psnr"] > measured["input_psnr"] + 0.3
    assert measured["ssim_definition"].startswith("SSIM with an 11-pixel Gaussian window")


def test_a_damaged_photo_in_a_folder_is_named_and_the_rest_is_done(run, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("a", "c"):
        Image.new("RGB", (40, 30), "gray").save(photos / f"{name}.png")
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes()[:60])
    assert main(["enhance", str(run), str(photos), "-o", str(out), "--json"]) == 1
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert [Path(photo["output"]).name for photo in result["photos"]] == ["a.png", "c.png"]
    assert [Path(photo["source"]).name for photo in result["failed"]] == ["b.png"]
    assert "1 of 3 photographs could not be enhanced" in told.err
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]
    assert main(["enhance", str(run), str(photos), "-o", str(out)]) == 1
    assert "--force overwrites" in capsys.readouterr().err
