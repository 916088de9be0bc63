"""Evaluate: the verb's table, its files, and what it refuses."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import convolve
from skimage.data import astronaut

from lpienas.command import main
from nas.task import panels
from nas.task.evaluation import EQUAL, evaluate
from nas.task.judging import Measures, judge_each
from nas.task.similarity import DEFINITIONS

KERNEL = np.zeros((7, 7))
KERNEL[3, :] = 1 / 7


@pytest.fixture
def pairs(tmp_path):
    """Three crops, blurred from left to right, the second one grey."""
    for side in ("blurred", "clean"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
    for number, left in enumerate((100, 150, 200)):
        clean = astronaut()[40:104, left : left + 72]
        clean = clean[..., :1].repeat(3, 2) if number == 1 else clean
        blurred = np.stack([convolve(clean[..., c].astype(float), KERNEL, mode="mirror") for c in range(3)], -1)
        Image.fromarray(clean).save(tmp_path / "pairs" / "clean" / f"{number}.png")
        Image.fromarray(blurred.round().astype(np.uint8)).save(tmp_path / "pairs" / "blurred" / f"{number}.png")
    np.save(tmp_path / "kernel.npy", KERNEL)
    return tmp_path / "pairs"


def found(capsys, *words):
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_methods_that_know_the_kernel_stand_in_the_table_apart_from_the_blind_ones(model, pairs, tmp_path, capsys):
    against = ["--against", "wiener", "nlm", "input", "--kernel", tmp_path / "kernel.npy"]
    assert main(["evaluate", str(model), "--data", str(pairs), *map(str, against)]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"\n  {name}") for name in ("input", "nlm", str(model), "wiener *")]
    assert places == sorted(places)
    assert "* wiener is told the kernel" in shown
    assert f"{model} is " in shown
    assert DEFINITIONS["gaussian"].says in shown
    rows = {row["name"]: row for row in found(capsys, model, "--data", pairs, *against)["compared"]}
    assert rows["wiener"]["psnr"] > rows["input"]["psnr"] + 1
    assert rows["nlm"]["told"] == "" != rows["wiener"]["told"]


def test_any_two_rows_have_a_verdict_and_another_row_can_be_the_one_that_is_compared(model, pairs, capsys):
    words = [model, "--data", pairs, "--against", "input", "nlm"]
    names = {tuple(one["names"]) for one in found(capsys, *words)["verdicts"]}
    assert names == {(str(model), "input"), (str(model), "nlm"), ("input", "nlm")}
    assert main(["evaluate", *map(str, words), "--versus", "nlm"]) == 0
    assert "nlm is not distinguishable from input" in capsys.readouterr().out
    assert main(["evaluate", *map(str, words), "--versus", "bm3d"]) == 1
    assert f"there are {model}, input, nlm" in capsys.readouterr().err


def test_the_definition_of_ssim_is_chosen_and_changes_the_figure_and_not_the_psnr(model, pairs, capsys):
    by = {name: found(capsys, model, "--data", pairs, "--ssim", name) for name in ("gaussian", "volume")}
    assert by["gaussian"]["psnr"] == by["volume"]["psnr"]
    assert abs(by["gaussian"]["ssim"] - by["volume"]["ssim"]) > 1e-3
    assert by["volume"]["ssim_definition"] == DEFINITIONS["volume"].says


def test_every_photograph_is_in_the_csv_and_the_worst_are_pictures(model, pairs, tmp_path, capsys):
    files = ["--csv", tmp_path / "all.csv", "--worst", 2, "--out", tmp_path / "worst"]
    words = [model, "--data", pairs, "--against", "nlm", "input", *files]
    rows = found(capsys, *words)["compared"]
    with (tmp_path / "all.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(one["method"], one["photograph"]) for one in lines] == [
        (name, str(number)) for name in (str(model), "nlm", "input") for number in range(3)
    ]
    assert [float(one["ssim"]) for one in lines[:3]] == [one["ssim"] for one in rows[0]["photographs"]]
    pictures = sorted((tmp_path / "worst").iterdir())
    ssims = [[one["ssim"] for one in row["photographs"]] for row in rows]
    gains = np.subtract(ssims[0], ssims[2])
    assert [int(one.stem.split("-")[1]) for one in pictures] == np.argsort(gains)[:2].tolist()
    with Image.open(pictures[0]) as worst:
        assert worst.size == (4 * 72 + 3 * 6, 64 + 2 * 14)  # as it is, the network's, nlm's, clean
        number = int(pictures[0].stem.split("-")[1])
        with Image.open(pairs / "clean" / f"{number}.png") as clean:
            np.testing.assert_array_equal(np.asarray(worst)[28:, -72:], np.asarray(clean))
    assert main(["evaluate", *map(str, words)]) == 1
    assert "all.csv exists" in capsys.readouterr().err


def test_a_photograph_of_several_levels_is_drawn_at_one_under_the_mean_of_all(model, tmp_path, monkeypatch, capsys):
    titles = []
    captioned = panels.captioned
    monkeypatch.setattr(panels, "captioned", lambda *of: titles.append(of[1:]) or captioned(*of))
    words = [model, "--worst", 1, "--out", tmp_path / "worst"]
    first = min(
        zip(*(row["photographs"] for row in found(capsys, *words, "--against", "input")["compared"]), strict=True),
        key=lambda both: both[0]["ssim"] - both[1]["ssim"],
    )
    assert titles[0] == (
        f"{first[1]['name']}, as it is", f"SSIM {first[1]['ssim']:.4f}, {first[1]['psnr']:.2f} dB, mean of 4 levels"
    )  # fmt: skip
    assert len(list((tmp_path / "worst").iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--against", "wiener"], "name its file with --kernel"),
        (["--against", "reference"], "no model is of one: name a run folder"),
        (["--quoted", "SIDD validation"], "leave out --quoted"),
        (["--worst", "1"], "--worst N and --out DIR go together"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(model, pairs, capsys, words, says):
    assert main(["evaluate", str(model), "--data", str(pairs), *words]) == 1
    assert says in capsys.readouterr().err


def test_distances_whose_weights_are_not_here_are_left_out_and_named(model, pairs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    judged = found(capsys, model, "--data", pairs)
    assert judged["compared"][0]["lpips"] is None
    assert "LPIPS and DISTS are left out: no vgg16-397923af.pth" in judged["said"]


def darker(degraded, clean):
    return degraded * 0.9


def test_a_method_has_the_figures_that_an_evaluation_gives_it():
    generator = torch.Generator().manual_seed(0)
    pairs = [(str(n), *torch.rand((2, 1, 3, 16 + n, 24), generator=generator)) for n in range(3)]
    photos = judge_each(darker, pairs, Measures())
    quality = evaluate(lambda image: image * 0.9, pairs, torch.device("cpu"))
    assert np.mean([one.ssim for one in photos]) == pytest.approx(quality.ssim)
    assert np.mean([one.psnr for one in photos]) == pytest.approx(quality.psnr)
    assert [one.megapixels for one in photos] == pytest.approx([(16 + n) * 24 / 1e6 for n in range(3)])


def test_a_tint_is_told_by_channel_in_levels():
    tint = torch.tensor([0.02, 0.0, -0.01]).view(1, 3, 1, 1)
    clean = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25  # nothing is clipped
    (one,) = judge_each(lambda degraded, clean: degraded + tint, [("a", clean, clean)], Measures())
    assert (one.red, one.green, one.blue) == pytest.approx((5.1, 0.0, -2.55), abs=1e-3)


def test_clipped_pixels_are_judged_apart_from_the_others():
    degraded, clean = torch.full((3, 1, 3, 16, 16), 0.4), torch.full((3, 1, 3, 16, 16), 0.5)
    degraded[0, :, :, :4], clean[0, :, :, :4] = 1.0, 0.9
    degraded[2] = 1.0
    pairs = [(str(number), degraded[number], clean[number]) for number in range(3)]
    some, none, every = judge_each(lambda image, _: torch.where(image == 1, 0.8, 0.51), pairs, Measures())
    assert (some.clipped, some.others) == (pytest.approx(20, abs=1e-3), pytest.approx(40, abs=1e-3))
    assert (none.clipped, none.others) == (None, pytest.approx(40, abs=1e-3))
    assert (every.clipped, every.others) == (pytest.approx(-20 * np.log10(0.3), abs=1e-3), None)
    assert judge_each(lambda image, clean: clean, pairs[:1], Measures())[0].clipped == EQUAL
