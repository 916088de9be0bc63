"""Main: what the command does before and after a verb: help, version, exit statuses, Ctrl-C, completion."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import lpienas.command
from lpienas.command import VERBS, main
from lpienas.command.parser import Verb
from lpienas.run_settings import RunOptions, settled
from results.record import RunSettings

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No options."""


def raising(error: BaseException, monkeypatch) -> None:
    """Let there be one verb, `fail`, that raises `error`."""

    def does(asked: Nothing, json_only: bool) -> None:
        raise error

    verb = Verb("fail", "fail", "lpienas fail", Nothing, does, "half is done; say --skip")
    monkeypatch.setattr(lpienas.command, "VERBS", (verb,))


def test_without_arguments_the_command_prints_its_help(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: lpienas")


def test_the_version_is_printed_by_both_ways_to_call_the_command():
    done = subprocess.run([sys.executable, "-m", "lpienas", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lpienas ")


def test_help_is_answered_without_importing_what_takes_seconds():
    probe = "import sys\nfrom lpienas.command import main\ntry:\n main(['--help'])\nexcept SystemExit:\n"
    probe += " sys.exit(bool({'torch', 'rich', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True).returncode == 0


def test_an_interrupted_verb_says_what_is_left_and_ends_with_130(monkeypatch, capsys):
    raising(KeyboardInterrupt(), monkeypatch)
    assert main(["fail"]) == 130
    assert capsys.readouterr().err == "\nlpienas: interrupted; half is done; say --skip\n"


def test_only_what_continues_says_that_the_same_command_continues():
    says = {verb.name for verb in VERBS if "the same command continues" in verb.interrupted}
    assert says == {"search", "calibrate", "compress"}


def test_what_the_system_refuses_is_one_line(monkeypatch, capsys):
    raising(PermissionError(13, "Permission denied", "a [red] file"), monkeypatch)
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == "lpienas: a [red] file: Permission denied\n"


def test_a_fault_keeps_its_trace(monkeypatch):
    raising(ZeroDivisionError("of ours"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_a_genotype_that_cannot_be_read_is_named(tmp_path, capsys):
    (tmp_path / "broken.json").write_text("{")
    assert main(["describe", "--genotype", str(tmp_path / "broken.json")]) == 1
    assert f"{tmp_path / 'broken.json'} is no genotype" in capsys.readouterr().err


def test_doctor_prints_one_json_object_with_what_is_there_and_what_is_missing(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"].startswith("2.")
    assert set(found["extras"]) == {
        "search",
        "export",
        "perceptual",
        "tensorboard",
        "openvino",
        "coreml",
        "ray",
        "storage",
    }
    assert found["processors"] >= found["threads"] >= 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_verb_and_option(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb.name in script for verb in VERBS)
    assert "least-seeds" in script


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_readme_leads_to_a_list_of_every_verb(verb):
    assert "(docs/verbs.md)" in (ROOT / "README.md").read_text()
    assert f"[`lpienas {verb.name}`](verbs/{verb.name}.md)" in (ROOT / "docs" / "verbs.md").read_text()


def test_a_run_keeps_what_is_not_given_and_a_new_one_has_the_defaults():
    new = settled(RunOptions(patch=32), None)
    assert (new.patch, new.noise, new.size, new.fix) == (32, "blend", (256, 256), ())
    kept = settled(RunOptions(batch=4), replace(new, steps=90, noise="camera"))
    assert (kept.patch, kept.batch, kept.steps, kept.noise) == (32, 4, 90, "camera")
    assert settled(RunOptions(), RunSettings()).noise == "white"  # of a version that had no other


def test_a_folder_of_photographs_is_stated_in_full():
    assert settled(RunOptions(data="pairs"), None).data == str(Path.cwd() / "pairs")
