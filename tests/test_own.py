"""Own: a degradation and a loss of a user's file: what they must be, what they do, and that a run holds to them."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator

from lpienas import SearchOptions
from lpienas.command import main
from lpienas.searches import made_with
from nas.task.degrade.own import Own
from nas.task.own import OwnCode
from nas.task.own_loss import OwnLoss
from nas.task.task import TaskSettings
from results.files import read_json, write_json
from results.record import RunSettings
from results.run import Run

HALF = """
class Half:
    margin = 2
    def degrade(self, clean, levels, generator):
        return clean[..., 2:-2, 2:-2] * (1 - levels.view(-1, 1, 1, 1) / 2)
    def describe(self):
        return "half of the light"
"""
METHODS = "\n    def degrade(s, c, l, g): return {}\n    def describe(s): return 'x'"
WRONG = {
    "class A: pass": "has no degrade",
    "class A:\n    degrade = describe = 1": "has no degrade",
    "A = 1 +": "line 1: SyntaxError",
    "import nothing_of_the_kind": "line 1: ModuleNotFoundError",
    "B = 1": "has no A",
    "class A:\n    margin = -1" + METHODS.format("c"): "margin = -1",
    "class A:\n    margin = 1" + METHODS.format("c"): "(2, 3, 34, 34)",
    "class A:" + METHODS.format("c + 1"): "must be in [0, 1]",
    "class A:" + METHODS.format("c * float('nan')"): "must be in [0, 1]",
    "class A:" + METHODS.format("c.mul_(0.5)"): "work on a copy",
    "import torch\nclass A:\n    def degrade(s, c, l, g): return torch.rand(c.shape)\n"
    "    def describe(s): return 'x'": "another image for the same generator",
    "class A:\n    def degrade(s, c, l, g): return c\n    def describe(s): return ''": "end of a sentence",
    "class A:\n    def degrade(s, c, l, g):\n        return c[7, 7]\n"
    "    def describe(s): return 'x'": "line 3: IndexError",
}
WRONG_LOSSES = {
    "A = 3": "must be a function",
    "def A(output, target): return (output - target).abs()": "one finite number",
    "def A(output, target): return (output - target).abs().mean().item()": "one finite number",
    "def A(output, target): return (output - target).detach().abs().mean()": "one finite number",
    "def A(output, target): return -(output - target).abs().mean()": "must be the smallest",
}


@pytest.fixture
def half(tmp_path) -> str:
    (tmp_path / "half.py").write_text(HALF)
    return f"{tmp_path / 'half.py'}:Half"


def test_a_users_degradation_gives_each_image_its_level_and_reads_around_it(half):
    own = Own(OwnCode.named(half))
    light = torch.ones(2, 3, 12, 14)
    assert own.margin == 2
    assert torch.equal(own.degrade_at(light, 1.0, Generator()), torch.full((2, 3, 8, 10), 0.5))
    levels = 2 * (1 - own.degrade(light, Generator().manual_seed(5))[:, 0, 0, 0])
    assert torch.allclose(levels, torch.rand(2, generator=Generator().manual_seed(5)))


@pytest.mark.parametrize(("source", "says"), WRONG.items(), ids=WRONG.values())
def test_a_degradation_that_breaks_a_rule_is_refused_with_what_it_did(source, says, tmp_path):
    (tmp_path / "a.py").write_text(source + "\n")
    with pytest.raises(ValueError, match=r"a\.py") as refused:
        Own(OwnCode.named(f"{tmp_path / 'a.py'}:A"))
    assert says in str(refused.value)


@pytest.mark.parametrize(("source", "says"), WRONG_LOSSES.items(), ids=WRONG_LOSSES)
def test_a_loss_that_breaks_a_rule_is_refused_with_what_it_did(source, says, tmp_path):
    (tmp_path / "a.py").write_text(source + "\n")
    with pytest.raises(ValueError, match=r"a\.py") as refused:
        OwnLoss(OwnCode.named(f"{tmp_path / 'a.py'}:A"))
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["half.py", "half.py:", "half:Half", "half.py:Ha lf"])
def test_what_names_no_file_and_no_name_in_it_is_told_how_to(text):
    with pytest.raises(ValueError, match=r"like rain\.py:Rain"):
        OwnCode.named(text)


def test_own_code_runs_in_a_worker_after_its_file_is_gone(half, tmp_path):
    own = pickle.dumps(Own(OwnCode.named(half)))
    (tmp_path / "half.py").unlink()
    assert pickle.loads(own).describe() == "half of the light (half.py, Half)"


def test_code_that_a_folder_from_elsewhere_names_does_not_run(tmp_path, monkeypatch):
    (tmp_path / "mark.py").write_text("from pathlib import Path\nPath(__file__).touch()\n")
    stated = {"file": "mark.py", "name": "Mark", "digest": "0" * 24}
    monkeypatch.setenv("LPIENAS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="runs only where it was named"):
        Own(OwnCode.from_json(stated))


def test_a_copy_that_was_tampered_with_does_not_run(half):
    Path(half.partition(":")[0]).write_text(f"{HALF}# of this test\n")
    code = OwnCode.named(half)
    code.kept.write_text("raise SystemExit\n")
    with pytest.raises(ValueError, match="is not what was kept there"):
        Own(code)


def test_the_key_of_a_training_holds_what_own_code_is_and_not_how_its_file_is_called(tmp_path):
    keys = []
    for name, source in (("a.py", HALF), ("b.py", HALF), ("c.py", HALF.replace("/ 2)", "/ 3)"))):
        (tmp_path / name).write_text(source)
        own = OwnCode.named(f"{tmp_path / name}:Half")
        keys.append(TaskSettings.of_run(stated(degradation=own.to_json())).made_from("photographs"))
    assert keys[0] == keys[1] != keys[2]
    assert "noise" not in keys[0]["task"]
    losses = []
    for name, factor in (("d.py", 1), ("e.py", 2)):
        (tmp_path / name).write_text(f"def l1(output, target): return {factor} * (output - target).abs().mean()\n")
        own = OwnCode.named(f"{tmp_path / name}:l1")
        losses.append(TaskSettings.of_run(stated(own_loss=own.to_json(), noise="camera")).made_from("photographs"))
    assert losses[0] != losses[1]
    assert json.dumps([*keys, *losses])


def test_a_run_keeps_its_own_degradation_and_refuses_a_changed_one(half, tmp_path):
    run = Run(tmp_path / "run")
    run.describe(made_with(run, SearchOptions(degradation=half)))
    assert str(tmp_path) not in json.dumps(run.settings().degradation)
    goes_on = made_with(run, SearchOptions())
    run.require_same(goes_on)
    assert TaskSettings.of_run(goes_on).degradation.describe().startswith("half of the light")
    (tmp_path / "half.py").write_text(HALF.replace("/ 2)", "/ 3)"))
    with pytest.raises(ValueError, match=r"degradation was half\.py:Half of digest \w+, now half\.py:Half of digest"):
        run.require_same(made_with(run, SearchOptions(degradation=half)))


def test_code_is_the_same_with_the_ends_of_lines_of_another_system(half, tmp_path):
    unix = OwnCode.named(half)
    (tmp_path / "half.py").write_bytes(HALF.replace("\n", "\r\n").encode())
    assert OwnCode.named(half) == unix
    (tmp_path / "half.py").write_text(HALF + "# another text\n")
    assert OwnCode.named(half) != unix


@pytest.mark.parametrize("words", [["--noise", "camera"], ["--task", "deblur"]])
def test_what_has_no_effect_beside_an_own_degradation_is_refused(words, half, tmp_path, capsys):
    assert main(["search", "--out", str(tmp_path / "run"), "--degradation", half, *words]) == 1
    assert "leave out" in capsys.readouterr().err


def test_a_run_of_before_own_code_does_not_take_a_loss(half, tmp_path):
    (tmp_path / "l1.py").write_text("def l1(output, target): return (output - target).abs().mean()\n")
    run = Run(tmp_path / "run")
    run.describe(made_with(run, SearchOptions()))
    record = read_json(tmp_path / "run" / "run.json")
    del record["settings"]["degradation"], record["settings"]["own_loss"]
    write_json(tmp_path / "run" / "run.json", record)
    with pytest.raises(ValueError, match=r"own_loss was None, now l1\.py:l1"):
        run.require_same(made_with(run, SearchOptions(own_loss=f"{tmp_path / 'l1.py'}:l1")))


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["samples", "--out", str(tmp_path / "x"), "--degradation", str(tmp_path / "no.py:A")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def stated(**settings: Any) -> RunSettings:
    """Settings of a run."""
    return RunSettings(**{"data": None, "seed": 3, "patch": 16, "batch": 2, "noise": "own", **settings})
