"""Shipped: the network that comes with the package is small, alive, and takes noise away."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import stereo_motorcycle

from compress.runtime.noise_level import HELD
from lpienas import load
from lpienas.command import main
from lpienas.included import SHIPPED, at, shipped_tasks
from lpienas.ready import ready
from nas.task.degrade import SensorNoise, add_sensor_noise
from results.files import load_network
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from tests.small_photos import small_photos

BYTES = 2**20


@pytest.mark.parametrize("task", shipped_tasks())
def test_it_has_at_most_300_mmacs_and_a_megabyte(task):
    folder = SHIPPED / task
    assert macs_of(load_network(folder / "network").blueprint, DEFAULT_SIZE) <= 300_000_000
    assert sum(path.stat().st_size for path in folder.iterdir()) < BYTES


@pytest.mark.parametrize("precision", ["float", "16x8"])
def test_a_photograph_alone_gets_better_by_it(precision):
    pixels = stereo_motorcycle()[0][100:228, 200:328].copy()  # which it was not trained on
    clean = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    noisy = add_sensor_noise(clean, *SensorNoise().at(0.5), torch.Generator().manual_seed(0))[0]
    image = (noisy * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    better = ready("denoise", precision=precision).enhance(image)

    def error(given: np.ndarray) -> float:
        return float(np.mean((given / 255 - pixels / 255) ** 2))

    assert error(better) < error(image) / 3  # nearly 5 dB


def test_it_goes_by_the_name_of_its_task_wherever_a_model_is_taken(tmp_path, monkeypatch, capsys):
    named, whole = load("denoise"), load(SHIPPED / "denoise" / "network.json")
    assert (named.path, named.hold) == (whole.path, HELD)
    assert whole.hold == 0
    monkeypatch.chdir(tmp_path)
    assert main(["anatomy", "denoise", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macs"] == 287_244_288
    assert main(["export", "denoise", "--to", "onnx"]) == 1
    assert "say where its files go, with --out FOLDER" in capsys.readouterr().err
    assert main(["export", "denoise", "--to", "onnx", "--out", "files"]) == 0
    assert main(["bench", "denoise", "--runtime", "onnx", "--size", "32x32", "--seconds", "0.01"]) == 0
    (tmp_path / "denoise").mkdir()
    assert at(Path("denoise")) == Path("denoise")  # what lies here wins


def test_evaluate_shows_it_as_it_ships_and_without_being_held_where_asked(tmp_path, capsys):
    small_photos(tmp_path / "photos", 2)
    words = ["evaluate", "denoise", "--data", str(tmp_path / "photos"), "--json", "--hold"]
    for times, names in (("1.5", ["denoise"]), ("0", ["denoise", "denoise, not held"])):
        assert main([*words, times]) == 0
        assert [row["name"] for row in json.loads(capsys.readouterr().out)["compared"]] == names
