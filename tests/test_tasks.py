"""Tasks: each is trained for and searched for through the same settings, and says what it undoes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from compress.export.card import degradation, taught
from lpienas.command import main
from lpienas.run_settings import TASKS as OFFERED
from lpienas.searches import made_with
from lpienas.settings import SearchOptions
from nas.task.data.photo import Photo
from nas.task.degrade import TASKS, Capture, KernelFile, make_noise
from nas.task.device import Device
from nas.task.losses import Loss
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.teacher import Teacher
from nas.task.training import Course, Recipe, train
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from tests.kept_settings import through_json

MADE_WITH = RunSettings(seed=3, patch=16, batch=2, noise="camera")
CPU = Device("cpu", False, "test")


@pytest.fixture
def folder(tmp_path):
    """Clean photographs, as many as three parts need, in noise that no two share."""
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(8):
        pixels = random.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def test_the_command_offers_the_tasks_that_there_are():
    assert OFFERED == TASKS


@pytest.mark.parametrize("task", TASKS)
def test_a_network_is_trained_and_judged_for_each_task(task, folder):
    settings = TaskSettings.of_run(replace(MADE_WITH, data=str(folder), task=task))
    made = make_task(settings, read_photos(settings), CPU)
    network = build(
        Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, "none"),) * 5, activation="relu", head="conv3x3")), seed=0
    )
    before = [weight.clone() for weight in network.parameters()]
    train(network, made.batches(0), made.loss, Course(Recipe(2), CPU))
    assert any(not torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))
    for _, degraded, clean in (*made.validation, *made.test):
        assert degraded.shape == clean.shape == (1, 3, 40, 48)
        assert not torch.equal(degraded, clean)
    assert made.input.ssim < 0.999


@pytest.mark.parametrize("task", TASKS[1:])
def test_a_task_is_that_of_its_settings_through_json(task, tmp_path):
    settings = TaskSettings.of_run(through_json(replace(MADE_WITH, task=task)))
    assert settings.task == task
    assert isinstance(settings.degradation, Capture)
    assert settings.to_json()["task"] == task
    assert json.loads(json.dumps(settings.to_json()))["task"] == task


def test_a_runs_kernels_are_known_by_their_content(tmp_path):
    np.save(tmp_path / "one.npy", np.ones((3, 3)))
    (tmp_path / "moved").mkdir()
    np.save(tmp_path / "moved" / "one.npy", np.ones((3, 3)))
    np.save(tmp_path / "other.npy", np.eye(3))
    keys = []
    for name in ("one.npy", "moved/one.npy", "other.npy"):
        kernels = KernelFile.of(tmp_path / name).to_json()
        settings = TaskSettings.of_run(through_json(replace(MADE_WITH, task="deblur", kernels=kernels)))
        assert settings.degradation.margin == 1
        keys.append(make_task(settings, read_photos(settings), CPU).made_from)
    assert keys[0] == keys[1] != keys[2]
    assert str(tmp_path) not in json.dumps(keys)


def test_the_record_of_denoising_is_what_it_was_before_there_were_tasks():
    record = TaskSettings.of_run(MADE_WITH).to_json()
    assert not {"task", "kernels"} & set(record)
    assert record["loss"] == {"alpha": 0.1, "beta": 0.0}


def test_clipped_pixels_weigh_apart_where_photographs_are_overexposed():
    weights = {task: TaskSettings.of_run(replace(MADE_WITH, task=task)).loss.clipped for task in TASKS}
    assert {task for task, weight in weights.items() if weight} == {"hdr", "mixed"}
    assert TaskSettings.of_run(MADE_WITH).loss == Loss()


def test_white_noise_is_refused_where_light_is_blurred_before_the_sensor():
    with pytest.raises(ValueError, match="task deblur has a camera's noise"):
        TaskSettings.of_run(replace(MADE_WITH, task="deblur", noise="white"))


def test_a_card_says_which_task_and_which_degradation():
    def said(words: dict, pairs: bool = False) -> str:
        image = torch.zeros(3, 8, 8, dtype=torch.uint8)
        photos = SimpleNamespace(training=(Photo("a", image, image if pairs else None),))
        return degradation(SimpleNamespace(settings=TaskSettings.of_run(replace(MADE_WITH, **words)), photos=photos))

    assert said({"task": "udc"}).startswith("Degradation (task udc): diffraction of a display")
    assert said({"task": "hdr"}, pairs=True).startswith("Degradation (task hdr): that of the degraded sides")
    assert said({}) == f"Degradation: {make_noise('camera').describe()}."


def test_data_says_what_a_task_would_do_to_clean_photographs(folder, capsys):
    assert main(["data", str(folder), "--task", "udc"]) == 0
    assert "--task udc would degrade them with diffraction of a display" in capsys.readouterr().out


def test_a_run_goes_on_with_the_task_and_the_kernels_that_it_was_made_with(tmp_path):
    np.save(tmp_path / "psf.npy", np.eye(5))
    run = Run(tmp_path / "run")
    asked = made_with(run, SearchOptions(task="udc", kernels=tmp_path / "psf.npy"))
    run.describe(asked)
    assert asked.task == "udc"
    assert TaskSettings.of_run(run.settings()).degradation.parts[0].point_spread().shape == (1, 5, 5)
    assert made_with(run, SearchOptions()) == asked
    with pytest.raises(ValueError, match="task was udc, now deblur"):
        run.describe(made_with(run, SearchOptions(task="deblur")))


def test_kernels_that_a_task_has_no_use_for_are_one_line(folder, tmp_path, capsys):
    np.save(tmp_path / "psf.npy", np.eye(5))
    command = ["search", "--out", str(tmp_path / "run"), "--data", str(folder), "--kernels", str(tmp_path / "psf.npy")]
    assert main(command) == 1
    assert "task denoise has none; leave them out" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_card_says_whose_outputs_were_learnt():
    def said(teacher: Teacher | None) -> str:
        return taught(SimpleNamespace(settings=TaskSettings(teacher=teacher)))

    assert said(None) == ""
    assert said(Teacher("/home/me/large.onnx", "0123456789abcdef", 0.25)) == (
        " 25% of the target is what another network made of the degraded side: large.onnx, digest 0123456789ab."
    )
