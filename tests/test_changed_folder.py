"""Changed folder: a search goes on with the photographs that it was begun with, or not at all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lpienas.command import main
from nas.task.data.manifest import Photographs
from results.files import read_json
from results.run import Run
from results.study import genotype_of, open_study
from tests.small_photos import with_known_device

ROOT = Path(__file__).parent.parent
OPTIONS = ["--trials", "4", "--score", "short", "--steps", "12", "--patch", "16", "--batch", "2", "--noise", "white"]
OPTIONS += ["--workers", "1", "--confirm", "0"]


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    coarse.resize((60, 40), Image.Resampling.BICUBIC).save(path)


def folder_of(folder: Path, count: int) -> Path:
    for number in range(count):
        picture(folder / f"p{number:02}.png", number)
    return folder


def words(run: Path, data: Path, *more: str) -> list[str]:
    return ["search", "--out", str(run), "--data", str(data), *OPTIONS, *more]


def wait_until_one_is_scored(run: Path) -> None:
    for _ in range(3000):
        time.sleep(0.1)
        if (run / "study.journal").exists():
            states = [trial.state.name for trial in open_study(run / "study.journal").trials]
            if "COMPLETE" in states and states[-1] == "RUNNING":
                return
    raise AssertionError("no candidate was scored within five minutes")


def outcome(run: Path) -> list[tuple[int, str, object, list[float] | None]]:
    return [(t.number, t.state.name, genotype_of(t), t.values) for t in open_study(run / "study.journal").trials]


def parts(run: Path) -> dict[str, set[str]]:
    kept = Photographs.read(Run(run).photographs)
    return {part: {entry.name for entry in kept.part(part)} for part in ("training", "validation", "test")}


@pytest.mark.slow
def test_a_killed_search_whose_folder_has_grown_is_refused_and_with_the_kept_ones_ends_as_if_undisturbed(
    tmp_path, capsys
):
    data = folder_of(tmp_path / "mine", 40)
    whole, killed = (with_known_device(tmp_path / name).folder for name in ("whole", "killed"))
    command = [sys.executable, "-m", "lpienas", *words(killed, data)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until_one_is_scored(killed)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = parts(killed)
    assert main(words(whole, data)) == 0
    for number in range(5):
        picture(data / f"added{number}.png", 100 + number)

    capsys.readouterr()
    assert main(words(killed, data)) == 1
    said = capsys.readouterr().err
    assert "added: 5: added0.png, added1.png, added2.png, added3.png, added4.png" in said
    assert "--photographs kept" in said

    assert main(words(killed, data, "--photographs", "kept")) == 0
    assert outcome(killed) == outcome(whole)
    assert [state for _, state, _, _ in outcome(killed)] == ["COMPLETE"] * 4
    assert parts(killed) == before == parts(whole)
    assert sum(map(len, before.values())) == len(set.union(*before.values())) == 40


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A finished search of a folder that has since been renamed; `data` beside it is its new name."""
    home = tmp_path_factory.mktemp("searched")
    with_known_device(home / "run")
    assert main(words(home / "run", folder_of(home / "old", 8))) == 0
    (home / "old").rename(home / "data")
    return home


@pytest.fixture
def home(searched, tmp_path) -> Path:
    shutil.copytree(searched, tmp_path / "home")
    return tmp_path / "home"


def again(home: Path, *more: str) -> int:
    return main(words(home / "run", home / "data", *more))


@pytest.mark.slow
def test_a_folder_under_another_name_is_the_same_and_where_it_is_now_is_written_down(home):
    before = (home / "run" / "study.journal").read_text()
    assert again(home) == 0
    assert outcome(home / "run") == outcome(home / "run")
    assert (home / "run" / "study.journal").read_text() == before  # nothing was scored again
    assert Run(home / "run").settings().data == str(home / "data")
    assert main(["evaluate", str(home / "run")]) == 1  # it is not compressed; its photographs are found


@pytest.mark.slow
def test_without_its_folder_a_run_says_which_one_is_missing(home, capsys):
    shutil.rmtree(home / "data")
    assert again(home) == 1
    assert f"folder {home / 'data'} does not exist" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("change", ["removed", "changed", "renamed"])
def test_every_kind_of_change_is_refused_by_name_and_nothing_is_scored(change, home, capsys):
    before = outcome(home / "run")
    file = home / "data" / "p03.png"
    if change == "removed":
        file.unlink()
    elif change == "changed":
        picture(file, 99)
    else:
        file.rename(home / "data" / "q.png")
    assert again(home, "--trials", "6") == 1
    assert f"{change}: 1: p03.png" in capsys.readouterr().err
    assert outcome(home / "run") == before


@pytest.mark.slow
def test_a_run_that_kept_no_manifest_is_shown_and_not_searched_on(home, capsys):
    (home / "run" / "photographs.json").unlink()
    assert again(home, "--trials", "6") == 1
    assert "did not keep a list of its photographs" in capsys.readouterr().err
    assert main(["front", str(home / "run")]) == 0


@pytest.mark.slow
def test_the_run_says_in_its_guide_what_the_manifest_is(home):
    assert "photographs.json" in read_json(home / "run" / "run.json")["files"]
