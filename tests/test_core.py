"""The core: what `pip install lpienas` without extras brings can enhance photographs, and says what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lpienas.errors import EXTRAS
from results.files import save_network
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

ROOT = Path(__file__).parents[1]
HELD_BACK = [name for brings in EXTRAS.values() for name in brings]
WITHOUT_EXTRAS = f"import sys\nfor name in {HELD_BACK}: sys.modules[name] = None\n"


@pytest.fixture
def network(tmp_path) -> Path:
    stages = (Stage(depth=1, width=4, attention="none"),) * 5
    blueprint = Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3"))
    save_network(tmp_path / "small", build(blueprint, seed=0))
    return tmp_path / "small.json"


def core(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in a Python in which no package of an extra can be imported."""
    code = f"{WITHOUT_EXTRAS}from lpienas.command import main\nsys.exit(main({words}))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_photograph_is_enhanced_without_any_extra(network, tmp_path):
    Image.new("RGB", (40, 30), "gray").save(tmp_path / "a.png")
    done = core(["enhance", str(network), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")])
    assert (done.returncode, done.stderr[-200:] if done.returncode else "") == (0, "")
    with Image.open(tmp_path / "b.png") as better:
        assert better.size == (40, 30)


@pytest.mark.parametrize("words", [["describe"], ["search", "--out", "x"], ["samples", "--out", "x"]])
def test_what_needs_an_extra_says_which_in_one_line(words, tmp_path):
    done = core([str(tmp_path / word) if word == "x" else word for word in words])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'lpienas[search]'" in done.stderr


def test_doctor_names_what_is_missing_and_how_to_install_it():
    done = core(["doctor"])
    assert done.returncode == 0
    assert "extra [search]: lacks optuna" in done.stdout
    assert "pip install 'lpienas[export]'" in done.stdout


def test_importing_the_library_loads_nothing_but_itself():
    code = "import sys, lpienas; print([n for n in ('torch', 'numpy', 'rich', 'dataclasses') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
