"""Samples: the verbs that write and read pairs of photographs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpienas.command import main
from nas.task.data.photos import read_folder, sample_photos
from nas.task.degrade.profile import find_profile


def printed(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_noise_estimates_a_profile_that_a_search_takes(tmp_path, capsys):
    assert main(["samples", "--out", str(tmp_path / "pairs")]) == 0
    capsys.readouterr()
    command = ["noise", "--data", str(tmp_path / "pairs"), "--out", str(tmp_path / "camera.json"), "--json"]
    assert main(command) == 0
    found = printed(capsys)
    assert find_profile(str(tmp_path / "camera.json")).to_json() == found["profile"]
    assert len(found["photographs"]) + len(found["left_out"]) == 3
    for one in found["photographs"]:  # white noise on sRGB values
        assert abs(one["luma_correlation"]) < 0.05
        assert one["chroma"] == pytest.approx(1, abs=0.1)
    assert main(command) == 1
    assert "--force" in capsys.readouterr().err
    assert main([*command[:-1], "--force"]) == 0
    assert "noise profile pairs: shot" in capsys.readouterr().out


def test_samples_writes_pairs_that_evaluate_reads(tmp_path, capsys):
    assert main(["samples", "--out", str(tmp_path), "--json"]) == 0
    names = sorted(Path(path).relative_to(tmp_path).as_posix() for path in printed(capsys)["written"])
    assert names == [f"{side}/{name}.png" for side in ("clean", "noisy") for name in ("flower", "grace_hopper", "ihc")]


def test_samples_shows_what_a_task_does_to_photographs(tmp_path, capsys):
    np.save(tmp_path / "line.npy", np.eye(9)[4:5].repeat(3, 0))  # one column: moves down by up to two pixels
    words = ["--task", "deblur", "--kernels", str(tmp_path / "line.npy"), "--page", str(tmp_path / "page.png")]
    assert main(["samples", "--out", str(tmp_path / "out"), *words]) == 0
    assert "out/degraded and" in capsys.readouterr().out
    assert len(read_folder(tmp_path / "out")) == 3
    with Image.open(tmp_path / "page.png") as page:
        assert page.size == (4 * 204 - 4, 3 * 204 - 4)
        first = np.asarray(page)[:200, :200]
    photo = sample_photos().test[0].clean.permute(1, 2, 0).numpy()
    top, left = ((side - 200) // 2 for side in photo.shape[:2])
    np.testing.assert_array_equal(first, photo[top : top + 200, left : left + 200])
    assert main(["samples", "--out", str(tmp_path / "more"), *words]) == 1
    assert "page.png exists" in capsys.readouterr().err
