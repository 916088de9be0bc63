"""Run: one folder with one set of settings and one writer at a time."""

import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from results.files import read_json, write_json
from results.record import RunSettings
from results.run import VERSIONED, Run, RunBusy, versions

ROOT = Path(__file__).parents[1]

HOLD = """
import sys, time
from pathlib import Path
from results.run import Run

with Run(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "night")


@pytest.fixture
def holder(run):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_first_description_writes_settings_guide_versions_and_command(run):
    run.describe(RunSettings(seed=3, size=(64, 32)))
    record = read_json(run.folder / "run.json")
    assert (record["settings"]["seed"], record["settings"]["size"]) == (3, [64, 32])
    assert set(record["settings"]) == {one.name for one in fields(RunSettings)} - {
        "space",
        "splits",
        "family",
    }  # None of them
    assert set(record["versions"]) == set(VERSIONED)
    assert "run.json" in record["files"]
    assert len(record["commands"]) == 1


def test_the_same_settings_add_a_command_and_change_nothing_else(run):
    first = run.describe(RunSettings(seed=3))
    second = run.describe(RunSettings(seed=3))
    assert len(second["commands"]) == 2
    assert second["commands"][0] == first["commands"][0]
    assert second["settings"] == first["settings"]


def test_other_settings_are_refused_and_each_one_is_named(run):
    run.describe(RunSettings(seed=3, steps=400, patch=64))
    with pytest.raises(ValueError, match="other settings") as caught:
        run.describe(RunSettings(seed=4, steps=400, patch=32))
    message = str(caught.value)
    assert "seed was 3, now 4" in message
    assert "patch was 64, now 32" in message
    assert "steps" not in message
    assert "--out" in message


def test_a_setting_that_an_older_version_did_not_know_is_added(run):
    run.describe(RunSettings(seed=3))
    path = run.folder / "run.json"
    record = read_json(path)
    del record["settings"]["noise"]
    write_json(path, record)
    assert run.settings() == RunSettings(seed=3)
    run.describe(RunSettings(seed=3))
    assert read_json(path)["settings"]["noise"] == "white"


def test_what_a_newer_version_states_is_named_and_kept(run):
    run.describe(RunSettings(seed=3))
    path = run.folder / "run.json"
    record = read_json(path)
    record["settings"]["colour"] = "blue"
    write_json(path, record)
    with pytest.raises(ValueError, match=r"states colour, which this version does not know: a newer one made this run"):
        run.describe(RunSettings(seed=3))
    assert read_json(path)["settings"]["colour"] == "blue"


def test_a_camera_and_a_file_of_kernels_are_told_by_their_names():
    known, asked = (RunSettings(noise_profile={"name": name, "shot": [1, 2]}) for name in ("wide", "pixel"))
    assert known.changes(asked) == "noise_profile was wide, now pixel"
    assert RunSettings().changes(RunSettings(kernels={"path": "psf.npy", "digest": "0a"})) == (
        "kernels was None, now psf.npy"
    )


def test_refused_settings_leave_the_description_alone(run):
    run.describe(RunSettings(seed=3))
    before = (run.folder / "run.json").read_text()
    with pytest.raises(ValueError, match="other settings"):
        run.describe(RunSettings(seed=4))
    assert (run.folder / "run.json").read_text() == before


def test_settings_are_those_of_the_first_description(run):
    settings = RunSettings(seed=3, size=(256, 128), fix=("depth=1",), space={"depth": [1]}, splits=("training",))
    run.describe(settings)
    assert run.settings() == settings


def test_a_folder_that_is_no_run_says_how_to_start_one(run):
    with pytest.raises(FileNotFoundError, match="lpienas search --out"):
        run.settings()


def test_the_summary_replaces_the_named_parts_and_keeps_the_others(run):
    run.folder.mkdir()
    run.summarize(search={"trials": 1}, seed=0)
    assert run.summarize(search={"trials": 2}) == {"search": {"trials": 2}, "seed": 0}
    assert read_json(run.summary) == {"search": {"trials": 2}, "seed": 0}


def test_every_path_lies_in_the_folder(run):
    paths = [run.study, run.summary, run.device, run.exported, run.candidate(7), run.made, run.spent]
    assert all(path.resolve().is_relative_to(run.folder.resolve()) for path in paths)
    assert len(set(paths)) == len(paths)


def test_folders_of_trials_sort_by_number(run):
    assert run.candidate(9) < run.candidate(10) < run.candidate(100)


def test_the_lock_keeps_another_process_out(run, holder):
    with pytest.raises(RunBusy, match=r"another lpienas process is writing to .*night"), run.locked():
        pytest.fail("two processes held the lock")
    assert holder.poll() is None


def test_the_lock_goes_with_a_killed_process(run, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with run.locked():
        pass


def test_the_lock_is_free_again_after_an_exception(run):
    with pytest.raises(KeyError), run.locked():
        raise KeyError
    with run.locked():
        pass


def test_versions_name_what_is_not_installed(monkeypatch):
    monkeypatch.setattr("results.run.VERSIONED", ("torch", "no-such-package-of-ours"))
    found = versions()
    assert found["torch"][0].isdigit()
    assert found["no-such-package-of-ours"] == "not installed"


def test_a_run_that_an_older_version_made_keeps_its_study_where_it_is(tmp_path):
    assert Run(tmp_path).study == tmp_path / "study.journal"
    (tmp_path / "study.db").touch()
    assert Run(tmp_path).study == tmp_path / "study.db"
