"""Compressions: side by side in a run, by name, found again without work, and what older versions left."""

import time

import pytest

import lpienas
from lpienas.command import main
from nas.prepare import known_device
from nas.task.data.photos import sample_manifest
from nas.task.data.tiles import default_folder
from nas.task.device import fastest, identity_of
from nas.task.task import TaskSettings
from results import compressions
from results.compressions import compression_of, made_as, mean
from results.files import read_json, save_network, write_json
from results.record import RunSettings
from results.run import NotCompressed, Run
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from tests.compressed import keep_compression
from tests.finished_search import GENOTYPES, finished_search, made_at

MADE_WITH = RunSettings(steps=9, patch=32, batch=2, splits=("training", "validation", "test"), sampler="tpe")
TINY = Blueprint.from_genotype(GENOTYPES[3])


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished search that wrote down its photographs."""
    made = finished_search(tmp_path / "run", MADE_WITH)
    sample_manifest(default_folder()).write(made.photographs)
    write_json(made.device, {identity_of(fastest()): {"bfloat16": False, "reason": "not tried"}})
    return made


def test_the_one_that_was_asked_for_last_is_meant_and_another_one_by_name(run):
    for name in ("a", "b"):
        keep_compression(run, {"float": build(TINY, seed=0)}, name=name)
    assert compression_of(run).name == "b"
    assert compression_of(run, "a").name == "a"
    mean(run, "a")
    assert compression_of(run).name == "a"


def test_a_name_that_there_is_not_is_an_error_that_lists_those_that_are(run):
    for name in ("a", "b"):
        keep_compression(run, {"float": build(TINY, seed=0)}, name=name)
    with pytest.raises(ValueError, match=r"has no compression c; it has a, b"):
        compression_of(run, "c")


def test_before_there_is_any_it_is_said_which_verb_is_missing(run):
    with pytest.raises(NotCompressed, match="make it: lpienas compress"):
        compression_of(run)


def test_a_record_that_is_damaged_is_named(run):
    path = keep_compression(run, {"float": build(TINY, seed=0)}).path
    write_json(path, {"key": "ab"})
    with pytest.raises(ValueError, match=r"small\.json .*is no record of a compression.*delete it, and compress again"):
        compression_of(run)


@pytest.mark.parametrize("damage", [{"networks": 3}, {"networks": {"float": 3}}, {"scores": []}, {"scores": {}}])
def test_a_record_that_holds_something_else_is_named(damage, run):
    path = keep_compression(run, {"float": build(TINY, seed=0)}).path
    write_json(path, read_json(path) | damage)
    with pytest.raises(ValueError, match=r"small\.json holds something else .*delete it, and compress again"):
        compression_of(run)


def test_a_compression_of_which_a_network_is_gone_is_not_found_again(run):
    made = keep_compression(run, {"float": build(TINY, seed=0)})
    assert made_as(run, made.key) is not None
    made.network("float").with_suffix(".safetensors").unlink()
    assert made_as(run, made.key) is None
    with pytest.raises(ValueError, match=r"is gone: delete .* and compress again"):
        made.network("float")


@pytest.mark.parametrize("verb", ["export", "bench", "sensitivity"])
def test_what_an_older_version_compressed_is_refused_with_the_command_that_helps(verb, run, capsys):
    save_network(run.folder / "networks" / "float", build(TINY, seed=0))
    assert main([verb, str(run.folder)]) == 1
    assert f"compress it again: lpienas compress {run.folder}" in capsys.readouterr().err


def test_a_compression_asked_for_twice_is_not_made_twice_and_opens_no_photograph(run, task, capsys, monkeypatch):
    monkeypatch.setattr(TaskSettings, "of_run", lambda made_with: task.settings)  # small crops
    monkeypatch.setattr("lpienas.searches.opened_task", lambda *arguments: task)
    words = ["compress", str(run.folder), "--pick", "3", "--steps", "4", "--prune", "off", "--float"]
    assert main(words) == 0
    before, name = made_at(run), compression_of(run).name
    keep_compression(run, {"float": build(TINY, seed=0)}, name="other")
    capsys.readouterr()
    monkeypatch.setattr("lpienas.searches.opened_task", lambda *arguments: pytest.fail("photographs were opened"))
    monkeypatch.setattr("compress.pipeline.compress", lambda *arguments: pytest.fail("it was made again"))
    began = time.process_time()
    assert main(words) == 0
    assert time.process_time() - began < 5
    said = capsys.readouterr()
    assert f"was made so already: compression {name}" in said.err
    assert compression_of(run).name == name  # what was asked for last is meant
    assert before.items() <= made_at(run).items()
    assert main([*words, "--name", "small"]) == 0
    assert compression_of(run, "small").key == compression_of(run, name).key
    assert main([*words, "--name", "other"]) == 1
    assert "was made from something else, and stays" in capsys.readouterr().err
    summary = read_json(run.summary)
    assert set(summary["compressions"]) == {name, "other", "small"}
    assert summary["compressions"][name]["scores"]["float"]["made_by"] == "trained"


def test_a_damaged_summary_is_noticed_before_the_work(run, capsys, monkeypatch):
    keep_compression(run, {"float": build(TINY, seed=0)})
    run.summary.write_text("{")
    monkeypatch.setattr("lpienas.searches.opened_task", lambda *arguments: pytest.fail("the work began"))
    for verb in ("compress", "export"):
        assert main([verb, str(run.folder)]) == 1
        assert "summary.json is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize("damaged", ["compressions/other.json", "exported/other/files.json"])
def test_a_damaged_record_of_another_compression_is_noticed_before_the_work(damaged, run, capsys, monkeypatch):
    for name in ("other", "small"):
        keep_compression(run, {"float": build(TINY, seed=0)}, name=name)
    (run.folder / damaged).parent.mkdir(parents=True, exist_ok=True)
    (run.folder / damaged).write_text("{")
    monkeypatch.setattr("lpienas.searches.opened_task", lambda *arguments: pytest.fail("the work began"))
    for words in (["compress", "--name", "new", "--steps", "4"], ["export", "--compression", "small"]):
        assert main([*words, str(run.folder)]) == 1
        assert f"{run.folder / damaged} is not JSON" in capsys.readouterr().err


def test_what_one_processor_can_do_says_nothing_of_another(tmp_path):
    found = {"bfloat16": True, "reason": "it trains as well"}
    write_json(tmp_path / "device.json", {fastest(): found, f"{fastest()}: another processor": found})
    assert known_device(tmp_path / "device.json") is None
    write_json(tmp_path / "device.json", {identity_of(fastest()): found})
    assert known_device(tmp_path / "device.json").precision == "bfloat16"


def test_seconds_of_a_search_that_was_cut_off_count(tmp_path, monkeypatch):
    class Cut(Exception):
        pass

    def cut(*arguments):
        raise Cut

    run = Run(tmp_path / "run")
    write_json(run.spent, {"cpu_seconds": 1000.0})
    monkeypatch.setattr("nas.search.search", cut)
    for _ in range(2):
        with pytest.raises(Cut):
            lpienas.search(run.folder, lpienas.SearchOptions(workers=1, trials=1, patch=32, batch=2, steps=1))
        assert read_json(run.spent)["cpu_seconds"] > 1000.0


def test_a_compression_is_a_file_that_models_are_named_by(run):
    made = keep_compression(run, {"float": build(TINY, seed=0)})
    assert compressions.compression_at(made.path).name == "small"
    assert compressions.compression_at(run.summary) is None
    assert lpienas.load(made.path).scores == {"ssim": 0.8, "psnr": 29.0}
