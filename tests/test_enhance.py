"""Enhance: the verb names what it cannot read, does the rest, and overwrites only when it is told to."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lpienas.command import main
from lpienas.networks import saved_network
from nas.task.data.vips import vips
from results.files import load_network, save_network
from results.progress import Silent
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

pyvips = vips()


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder of three pictures, of which the second is cut off."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (90, 70), "gray").save(folder / f"{name}.png")
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:60])
    return folder


def test_enhance_names_a_corrupt_photograph_does_the_rest_and_ends_with_1(model, photos, tmp_path, capsys):
    assert main(["enhance", str(model), str(photos), "-o", str(tmp_path / "out"), "--json"]) == 1
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert [(Path(one["output"]).name, one["size"]) for one in result["photos"]] == [
        ("a.png", [70, 90]),
        ("c.png", [70, 90]),
    ]
    assert [Path(one["source"]).name for one in result["failed"]] == ["b.png"]
    assert "b.png" in result["failed"][0]["error"]
    assert "1 of 3 photographs could not be enhanced; the rest is done" in told.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


def test_enhance_overwrites_with_force_only(model, photos, tmp_path, capsys):
    out = tmp_path / "out.png"
    out.write_bytes(b"the one before")
    command = ["enhance", str(model), str(photos / "a.png"), "-o", str(out)]
    assert main(command) == 1
    assert "--force overwrites" in capsys.readouterr().err
    assert main([*command, "--skip"]) == 0
    assert out.read_bytes() == b"the one before"
    assert main([*command, "--force"]) == 0
    with Image.open(out) as written:
        assert written.size == (90, 70)


def test_the_bar_of_enhance_moves_with_every_tile(model, tmp_path, monkeypatch):
    told = []

    class Told(Silent):
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def begin(self, stage, total):
            told.append(total)

        def at(self, done, note=""):
            told.append((done, note))

    monkeypatch.setattr("lpienas.command.enhance.bars", Told)
    for name in ("a", "b"):
        Image.new("RGB", (900, 600)).save(tmp_path / f"{name}.png")  # more than one tile holds
    photos = [str(tmp_path / f"{name}.png") for name in ("a", "b")]
    assert main(["enhance", str(model), *photos, "-o", str(tmp_path / "out"), "--threads", "1"]) == 0
    assert told == [200, (50, "a.png"), (100, "a.png"), (150, "b.png"), (200, "b.png")]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_network_that_answers_with_no_numbers_is_an_error_that_names_the_photograph(wrong, model, tmp_path, capsys):
    network = load_network(saved_network(model))
    list(network.parameters())[-1].data.fill_(wrong)
    save_network(saved_network(model), network)
    Image.new("RGB", (90, 70), "gray").save(tmp_path / "a.png")
    assert main(["enhance", str(model), str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png"), "--json"]) == 1
    (failed,) = json.loads(capsys.readouterr().out)["failed"]
    assert failed["error"].startswith(f"{tmp_path / 'a.png'}: the network gives NaN or infinite values in PyTorch")
    assert not (tmp_path / "out.png").exists()


def test_a_photograph_above_the_megapixels_that_are_asked_for_is_refused_by_name(tmp_path, capsys):
    Image.new("RGB", (1001, 1000), "navy").save(tmp_path / "a.png")
    tiny = Genotype((Stage(1, 4, 1.0, "none"),) * 5, activation="relu", head="conv3x3")
    save_network(tmp_path / "tiny", build(Blueprint.from_genotype(tiny), seed=0))
    words = ["enhance", str(tmp_path / "tiny.json"), str(tmp_path / "a.png"), "-o", str(tmp_path / "out.png")]
    assert main([*words, "--megapixels", "1", "--json"]) == 1
    (failed,) = json.loads(capsys.readouterr().out)["failed"]
    assert failed["error"] == f"{tmp_path / 'a.png'} has 1 megapixels, and at most 1 are read"


def test_a_gain_map_that_is_left_out_is_told_and_stands_in_the_json(model, tmp_path, capsys):
    light = np.linspace(0, 3, 24 * 32 * 3).reshape(24, 32, 3).astype(np.float32)
    pyvips.Image.new_from_array(light, interpretation="scrgb").uhdrsave(str(tmp_path / "a.jpg"))
    assert main(["enhance", str(model), str(tmp_path / "a.jpg"), "-o", str(tmp_path / "out.jpg"), "--json"]) == 0
    told = capsys.readouterr()
    (one,) = json.loads(told.out)["photos"]
    assert one["said"] == [f"{tmp_path / 'a.jpg'}: not in the result: its gain map, which makes it HDR"]
    assert one["said"][0] in "".join(told.err.splitlines())


def test_grey_photographs_come_back_grey_from_a_network_that_tints(model, tmp_path):
    network = load_network(saved_network(model))
    list(network.parameters())[-1].data += torch.tensor([0.05, 0.0, -0.03])
    save_network(saved_network(model), network)
    levels = np.random.default_rng(0).integers(0, 256, (70, 90), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "grey.png")
    Image.fromarray(np.repeat(levels[..., None], 3, axis=2)).save(tmp_path / "equal.png")
    for name in ("grey", "equal"):
        out = tmp_path / f"{name}-out.png"
        assert main(["enhance", f"{saved_network(model)}.json", str(tmp_path / f"{name}.png"), "-o", str(out)]) == 0
        with Image.open(out) as enhanced:
            red, green, blue = (np.asarray(band) for band in enhanced.split())
        np.testing.assert_array_equal(red, green)
        np.testing.assert_array_equal(blue, green)
        assert (red != levels).any()


def test_evaluate_says_the_tint_that_enhanced_pictures_have(model, tmp_path, capsys):
    network = load_network(saved_network(model))
    list(network.parameters())[-1].data += torch.tensor([0.05, 0.0, -0.03])
    save_network(saved_network(model), network)
    saved = f"{saved_network(model)}.json"
    for side in ("noisy", "clean"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        Image.new("RGB", (90, 70), (90, 100, 110)).save(tmp_path / "pairs" / side / "a.png")
    assert main(["enhance", saved, str(tmp_path / "pairs" / "noisy" / "a.png"), "-o", str(tmp_path / "out.png")]) == 0
    with Image.open(tmp_path / "out.png") as out:
        seen = np.asarray(out).astype(float).mean(axis=(0, 1)) - (90, 100, 110)
    capsys.readouterr()
    assert main(["evaluate", saved, "--data", str(tmp_path / "pairs")]) == 0
    shown = capsys.readouterr().out
    assert "mean colour shift" in shown
    assert main(["evaluate", saved, "--data", str(tmp_path / "pairs"), "--json"]) == 0
    (judged,) = json.loads(capsys.readouterr().out)["models"]
    np.testing.assert_allclose(judged["colour_shift"], seen, atol=0.51)
    assert " ".join(f"{levels:+.2f}" for levels in judged["colour_shift"]) in shown
    assert seen[0] - seen[2] > 10
