"""Damaged: a file of a run that holds something else than it should is one line with its name and what to do."""

import json

import pytest
import torch

from compress.int8.calibration import keep_calibration, kept_calibration
from lpienas.command import main
from nas.prepare import prepare
from nas.scoring.full import score_on_test
from nas.scoring.short import score_by_training
from nas.scoring.supernet import open_supernet
from nas.scoring.training import Training
from nas.task.device import fastest, identity_of
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from results.files import load_network, save_network, write_json, write_tensors
from results.record import RunSettings
from results.run import Run
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import default_space
from tests.finished_search import finished_search

SETTINGS = RunSettings(steps=9, sampler="tpe", splits=("training", "validation", "test"))
SMALL = Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, "none"),) * 5, activation="relu", head="conv3x3"))


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Run:
    return finished_search(tmp_path_factory.mktemp("searched"))


@pytest.fixture
def run(searched, tmp_path) -> Run:
    """Of five scored candidates."""
    made = Run(tmp_path / "run")
    made.describe(SETTINGS)
    made.study.write_bytes(searched.study.read_bytes())
    return made


def stated(run: Run, **settings: object) -> None:
    path = run.folder / "run.json"
    record = json.loads(path.read_text())
    record["settings"] |= settings
    path.write_text(json.dumps(record))


def test_the_run_that_is_damaged_below_is_shown_as_it_is(run, capsys):
    assert main(["front", str(run.folder)]) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "256x256"), ("size", [256]), ("size", [256, "256"]), ("size", [0, 256]), ("score", 3), ("cost", None),
        ("steps", "many"), ("seed", 0.5), ("seed", True), ("fix", "head=gated"), ("noise_profile", "wide"),
        ("space", []), ("splits", None), ("data", 7), ("patch", None), ("blend", "half"), ("skip_unusable", 1),
    ],
)  # fmt: skip
def test_a_setting_of_another_kind_is_named_with_run_json_and_what_it_must_be(name, value, run, capsys):
    stated(run, **{name: value})
    assert main(["front", str(run.folder)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"lpienas: {run.folder / 'run.json'}: {name} = {value!r}: must be ")
    assert "put a copy of it back, or start another run" in said


def test_a_setting_that_run_json_does_not_state_is_named(run, capsys):
    path = run.folder / "run.json"
    record = json.loads(path.read_text())
    del record["settings"]["size"]
    path.write_text(json.dumps(record))
    assert main(["front", str(run.folder)]) == 1
    assert f"{path} does not state size" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", "", "\0\0\0", '{"settings": []}', '{"other": 1}'])
@pytest.mark.parametrize("command", [["front"], ["search", "--trials", "5", "--out"]])
def test_a_damaged_run_json_is_never_advised_to_be_deleted(command, content, run, capsys):
    (run.folder / "run.json").write_text(content)
    assert main([*command, str(run.folder)]) == 1
    said = capsys.readouterr().err
    assert str(run.folder / "run.json") in said
    assert "delete" not in said
    assert "put a copy of it back, or start another run" in said


@pytest.mark.parametrize("verb", ["search", "calibrate"])
def test_a_study_without_the_settings_that_it_was_made_with_is_not_continued(verb, run, capsys):
    (run.folder / "run.json").unlink()
    before = run.study.read_bytes()
    assert main([verb, "--out", str(run.folder)]) == 1
    assert "no run.json, which says with what settings it was made" in capsys.readouterr().err
    assert run.study.read_bytes() == before
    assert not (run.folder / "run.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        {"agreements": 3}, {"agreements": [], "networks": []}, {"advice": "x"},
        {"agreements": [{"score": "short, 9 steps", "tau": "high", "low": 0, "high": 1, "seconds": 1}], "networks": []},
        {"agreements": [{"score": "short, 9 steps", "colour": 1}], "networks": []},
    ],
)  # fmt: skip
def test_a_calibration_that_holds_something_else_is_named(content, run, capsys):
    run.calibration.write_text(json.dumps(content))
    assert main(["front", str(run.folder)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{run.calibration} holds something else than it should" in told.err
    assert "`lpienas calibrate` makes it again" in told.err


@pytest.mark.parametrize(
    "content", [{}, {"bfloat16": "no", "reason": "x"}, {"bfloat16": True}, {"bfloat16": True, "reason": 7}, 3]
)
def test_a_device_json_that_holds_something_else_is_named(content, task, tmp_path):
    record = tmp_path / "device.json"
    record.write_text(json.dumps({identity_of(fastest()): content}))
    with pytest.raises(ValueError, match=r"device\.json holds something else than it should .* delete it"):
        prepare(TaskSettings(), record, 1, task.photos)


def ignore(step: int, loss: float) -> None: ...


@pytest.mark.parametrize("figures", [{}, {"ssim": "high", "psnr": 30.0}, {"ssim": 0.5}, {"ssim": 0.5, "psnr": None}])
def test_a_record_whose_figures_are_something_else_is_named(figures, task, tmp_path):
    store, training = Store(tmp_path), Training.on(task, SMALL, Recipe(1), 0)
    store.keep(training.scoring, training.label, figures, 1.0)
    with pytest.raises(ValueError, match=r"record\.json holds something else than it should .* delete it"):
        score_by_training(task, ignore, [training], store)


@pytest.mark.parametrize("content", [{}, {"photographs": 3}, {"photographs": [{"name": "a", "ssim": "x", "psnr": 1}]}])
def test_test_scores_that_hold_something_else_are_named(content, task, tmp_path):
    write_json(tmp_path / "test.json", content)
    with pytest.raises(ValueError, match=r"test\.json holds something else than it should .* delete it"):
        score_on_test(task, tmp_path)


def test_what_a_version_before_kept_by_the_number_of_a_trial_is_not_taken_for_its_score(task, tmp_path):
    old = tmp_path / "candidates" / "0000"
    save_network(old / "network", build(SMALL, seed=0))
    write_json(old / "quality.json", {"ssim": 0.123, "psnr": 12.3})
    before = {path: path.read_bytes() for path in old.iterdir()}
    quality = score_by_training(task, ignore, [Training.on(task, SMALL, Recipe(1), 0)], Store(tmp_path / "made"))
    assert quality.ssim != 0.123
    assert {path: path.read_bytes() for path in old.iterdir()} == before


def test_every_file_above_was_damaged_by_the_test_and_is_fine_as_the_library_writes_it(task, tmp_path):
    store, training = Store(tmp_path), Training.on(task, SMALL, Recipe(1), 0)
    first = score_by_training(task, ignore, [training], store)
    assert score_by_training(task, lambda step, loss: pytest.fail("trained"), [training], store) == first
    folder = store.at(training.scoring.key)
    assert score_on_test(task, folder) == score_on_test(task, folder)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-4], lambda content: content[:-1] + b"\xff", lambda _: b""]
)
def test_damaged_patches_that_int8_ranges_are_taken_from_are_named(damage, tmp_path):
    path, patches = tmp_path / "calibration.safetensors", [torch.full((1, 3, 16, 16), 0.25)] * 4
    keep_calibration(path, patches)
    assert all(torch.equal(one, other) for one, other in zip(kept_calibration(path), patches, strict=True))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"{path}.*delete {tmp_path}, and `lpienas compress` makes it again"):
        kept_calibration(path)


def test_weights_of_which_one_bit_is_another_are_named(tmp_path):
    save_network(tmp_path / "network", build(SMALL, seed=0))
    path = tmp_path / "network.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path} is damaged: its values are not those that were written"):
        load_network(tmp_path / "network")


def test_the_weights_of_another_supernet_are_named_and_not_loaded(task, tmp_path):
    space = default_space().fixed(["head=conv3x3", "block=paper"])
    path = tmp_path / "supernet.safetensors"
    write_tensors(path, {"weight": torch.zeros(3)})
    with pytest.raises(ValueError, match=rf"{path} holds the weights of another supernet: put a copy of it back"):
        open_supernet(path, space)
