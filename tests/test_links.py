"""Links: nothing is written or removed outside of a run, whatever its files are called and wherever they lead."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from compress.export.hub import write_hub
from lpienas.command import main
from nas.task.data.manifest import Photographs
from results.compressions import compression_of, path_of
from results.files import load_network, require_no_way_out, save_network, write_json
from results.record import RunSettings
from results.run import Run
from results.store import Store
from tests.finished_search import finished_search

ESCAPES = ("../outside", "/tmp/outside", "..", "a/../../outside", "a\\..\\outside", "")


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Run:
    return finished_search(tmp_path_factory.mktemp("searched"))


@pytest.fixture
def run(searched, tmp_path) -> Run:
    return Run(shutil.copytree(searched.folder, tmp_path / "run"))


@pytest.fixture
def outside(tmp_path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "checkpoint-0.safetensors").write_text("somebody's")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


PLACES = ("made", "exported", "compressions", "supernet", "latency", "artifacts", "run.json", "made/training-0")
VERBS = (["search", "--trials", "9", "--out"], ["calibrate", "--out"], ["compress"], ["export"])


@pytest.mark.parametrize(
    ("words", "place"), [*((VERBS[0], place) for place in PLACES), *((words, PLACES[-1]) for words in VERBS[1:])]
)
def test_a_link_in_a_run_that_leads_out_of_it_is_named_and_nothing_is_done(words, place, run, outside, capsys):
    link = run.folder / place
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside if place != "run.json" else outside / "run.json")
    if place == "run.json":
        Run(outside).describe(RunSettings())
    before = contents(outside)
    assert main([*words, str(run.folder)]) == 1
    assert contents(outside) == before
    said = capsys.readouterr().err
    assert f"is a link to {outside}" in said


def test_a_link_that_leads_out_is_named_with_where_it_leads(run, outside):
    (run.folder / "made").mkdir()
    (run.folder / "made" / "training-0").symlink_to(outside)
    with (
        pytest.raises(ValueError, match=rf"made/training-0 is a link to {outside}, outside of {run.folder}"),
        run.locked(),
    ):
        pass


def test_a_lock_that_is_a_link_empties_nothing(run, outside):
    (run.folder / ".lock").symlink_to(outside / "checkpoint-0.safetensors")
    with pytest.raises(ValueError, match="is a link"), run.locked():
        pass
    assert (outside / "checkpoint-0.safetensors").read_text() == "somebody's"


def test_links_within_a_run_and_to_a_run_are_no_way_out(run, tmp_path):
    (run.folder / "front-again.png").symlink_to(run.folder / "run.json")
    (tmp_path / "other-name").symlink_to(run.folder)
    require_no_way_out(tmp_path / "other-name")
    with Run(tmp_path / "other-name").locked():
        pass


def test_a_file_that_is_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path, outside):
    (tmp_path / "summary.json").symlink_to(outside / "checkpoint-0.safetensors")
    write_json(tmp_path / "summary.json", {"a": 1})
    assert (outside / "checkpoint-0.safetensors").read_text() == "somebody's"
    assert json.loads((tmp_path / "summary.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_of_a_compression_or_of_a_stage_leads_out_of_its_folder(name, run):
    with pytest.raises(ValueError, match="must be"):
        path_of(run, name)
    with pytest.raises(ValueError, match="must be a name without a folder"):
        Store(run.made).at(name)


@pytest.mark.parametrize("name", ESCAPES)
def test_no_file_of_a_manifest_is_outside_of_its_folder(name, tmp_path):
    row = {"name": "a", "scene": "a", "split": "test", "height": 8, "width": 8}
    row["clean"] = {"file": name or "/a.png", "digest": "00", "bits": 8}
    path = tmp_path / "photographs.json"
    path.write_text(json.dumps({"fingerprint": "", "says": "", "photographs": [row]}))
    says = "was changed" if name == "a\\..\\outside" else "must be a path inside of the folder"  # a name on this system
    with pytest.raises(ValueError, match=says):
        Photographs.read(path)


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("place", ["file", "kit"])
def test_no_exported_file_is_published_from_or_to_another_folder(place, name, model, tmp_path):
    compression = compression_of(Run(model))
    figures = {name: {}} if place == "file" else {"a.onnx": {"kit": [name]}}
    compression.list_files("MIT", figures)
    with pytest.raises(ValueError, match="must be a name without a folder"):
        write_hub(compression, compression.listed()["files"], tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


OUTPUTS = {  # words of a command, the link in what is written to, and whether it leads to a file
    "samples, a picture": (["samples", "--out", "{out}"], "noisy/flower.png", True),
    "samples, a folder": (["samples", "--out", "{out}"], "clean", False),
    "samples, a page": (["samples", "--out", "{out}/other", "--page", "{out}/page.jpg"], "page.jpg", True),
    "evaluate, a table": (["evaluate", "{model}", "--data", "{pairs}", "--csv", "{out}/all.csv"], "all.csv", True),
    "evaluate, a picture": (
        ["evaluate", "{model}", "--data", "{pairs}", "--worst", "1", "--out", "{out}"],
        "1-a.png",
        True,
    ),
    "enhance": (["enhance", "{model}", "{pairs}/clean", "-o", "{out}"], "a.png", True),
    "export, its kit": (["export", "{network}", "--to", "onnx", "--out", "{out}", "--workers", "1"], "kit", False),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_link_in_what_a_verb_was_told_to_write_to_is_written_through(output, model, tmp_path, outside):
    """One that leads to a file is replaced; one that leads to a folder is an error."""
    words, place, is_file = OUTPUTS[output]
    out, pairs = tmp_path / "out", tmp_path / "pairs"
    for side, pixels in (("noisy", 90), ("clean", 100)):
        (pairs / side).mkdir(parents=True)
        Image.new("RGB", (48, 40), (pixels, pixels, pixels)).save(pairs / side / "a.png")
    link = out / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "not-there-yet" if is_file else outside)
    before = contents(outside)
    network = tmp_path / "network"
    save_network(network, load_network(compression_of(Run(model)).network("float")))
    named = {"out": out, "model": model, "pairs": pairs, "network": f"{network}.json"}
    assert main([word.format(**named) for word in words]) == (0 if is_file else 1)
    assert contents(outside) == before
    assert not is_file or not link.is_symlink()
