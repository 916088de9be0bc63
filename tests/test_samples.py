"""Samples: the verbs that write and read pairs of photographs."""

import json
from pathlib import Path

import pytest

from lpienas.command import main
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
