"""Told: whatever a piece of work is made of comes back equal from its JSON, and nothing else is told."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from lpienas import families
from nas.scoring.training import Training
from nas.task.data.photos import write_pairs
from nas.task.degrade import BlendedNoise, CameraNoise, KernelFile, SensorNoise
from nas.task.degrade.own import Own
from nas.task.device import Device
from nas.task.evaluation import Quality
from nas.task.losses import Loss
from nas.task.own import OwnCode
from nas.task.own_loss import OwnLoss
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.teacher import Teacher
from nas.task.training import Diverged, Recipe
from nas.where.tasks import task_heard, task_told
from nas.where.told import AsTold, Files, heard, told
from nas.where.works import WORKS, answered, asked, done, failed, key_of
from results.files import save_network
from results.photo_score import PhotoScore
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.own import OwnBlueprint
from search_spaces.space import default_space

ROOT = Path(__file__).parents[1]
PLAN = Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, "none"),) * 5, head="conv3x3"))
RAIN = """
import torch
class Rain:
    def degrade(self, clean, levels, generator):
        return (clean * (1 - 0.1 * levels[:, None, None, None])).clamp(0, 1)
    def describe(self):
        return "rain"
def loss(output, target):
    return (output - target).abs().mean()
"""


def back(value: object) -> object:
    """What arrives of `value`, by way of a text."""
    return heard(json.loads(json.dumps(told(value), allow_nan=False)), AsTold())


@pytest.mark.parametrize(
    "value",
    [
        (1, 0.1, "text", None, True),
        Quality(0.5, 30.0),
        (PhotoScore("one", 0.25, 20.0),),
        Recipe(7, 0.01, betas=(0.8, 0.9)),
        Device("cpu", True, "tried", (2, 1)),
        PLAN,
        default_space(),
        BlendedNoise(CameraNoise(jpeg=0.5), SensorNoise(shot=(0.001, 0.1)), 0.25),
        Loss(alpha=0.3, clipped=0.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_equal(value):
    assert back(value) == value
    assert type(back(value)) is type(value)


def test_a_training_comes_back_with_its_keys(task):
    training = Training.on(task, PLAN, Recipe(3), 5)
    assert (back(training).key, back(training).scoring.key) == (training.key, training.scoring.key)


def test_a_network_of_an_own_family_comes_back_with_its_file_and_can_be_built():
    family = families.opened_family(f"{ROOT / 'examples' / 'plain.py'}:Plain")
    plan = family.blueprint({gene: values[0] for gene, values in family.choices.items()})
    found = back(plan)
    assert isinstance(found, OwnBlueprint)
    assert (found, found.family.path) == (plan, plan.family.path)


def test_a_store_comes_back_as_a_place_and_a_path_as_a_file_of_the_same_bytes(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    assert back(Store(tmp_path / "made", tmp_path / "logs")) == Store(tmp_path / "made", tmp_path / "logs")
    text = told(tmp_path / "weights")
    assert heard(text, AsTold()) == tmp_path / "weights"
    (tmp_path / "weights").write_bytes(b"22")
    with pytest.raises(ValueError, match=r"weights in .*: changed while it was in use"):
        heard(text, AsTold())


@pytest.mark.parametrize(
    "value",
    [object(), torch.zeros(2), np.zeros(2), {1: "a"}, {"is": "Store"}, len],
    ids=lambda value: type(value).__name__,
)
def test_a_live_object_is_refused(value):
    with pytest.raises(TypeError, match=r"told to another process|keys must be texts"):
        told(value)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd"])
def test_a_file_that_leads_out_of_its_folder_is_refused(name):
    with pytest.raises(ValueError, match="must be below the folder"):
        Files.from_json({"folder": "/photographs", "digests": {name: "00"}})


def test_a_task_comes_back_with_the_same_keys_patches_and_pairs(task, tmp_path):
    found = task_heard(json.loads(json.dumps(task_told(task))))
    assert same(found, task)


def test_a_task_of_a_folder_with_code_kernels_and_teacher_of_the_users_comes_back(tmp_path):
    noise = torch.Generator().manual_seed(0)
    pairs = [(str(n), *(torch.rand((1, 3, 40, 48), generator=noise) for _ in range(2))) for n in range(4)]
    write_pairs(pairs, tmp_path / "photographs")
    (tmp_path / "rain.py").write_text(RAIN)
    np.save(tmp_path / "kernels.npy", np.ones((3, 3)))
    save_network(tmp_path / "teacher", build(PLAN, 0))
    settings = TaskSettings(data=str(tmp_path / "photographs"), patch=32, batch=2, validation_side=32)
    own = Own(OwnCode.named(f"{tmp_path / 'rain.py'}:Rain"))
    loss = OwnLoss(OwnCode.named(f"{tmp_path / 'rain.py'}:loss"))
    teacher = Teacher.of(tmp_path / "teacher.json", 0.25)
    one = replace(settings, own=own, loss=loss, teacher=teacher, synthetic=0.5)
    other = replace(settings, task="deblur", kernels=KernelFile.of(tmp_path / "kernels.npy"), synthetic=0.5)
    for asked_for in (one, other):
        task = make_task(asked_for, read_photos(asked_for), Device("cpu", False, "test"))
        assert same(task_heard(json.loads(json.dumps(task_told(task)))), task)


def same(found: Task, task: Task) -> bool:
    """Whether two tasks train and judge alike."""
    pairs = zip((*found.validation, *found.test), (*task.validation, *task.test), strict=True)
    batches = zip(found.batches(3)(1), task.batches(3)(1), strict=True)
    return (
        (found.settings, found.device, found.input) == (task.settings, task.device, task.input)
        and found.trains_on == task.trains_on
        and all(torch.equal(one[1], other[1]) and torch.equal(one[2], other[2]) for one, other in pairs)
        and all(torch.equal(one, other) for one, other in batches)
    )


def test_photographs_in_memory_are_refused_with_a_way_out(task, tmp_path):
    with pytest.raises(ValueError, match=r"photographs in memory .* write them to files, or use one worker"):
        task_told(replace(task, photos=replace(task.photos, manifest=None)))


def test_the_same_work_has_the_same_key_in_a_later_call_and_other_work_another(task):
    from nas.scoring.short import score_by_training

    def key(seed: int) -> str:
        return key_of(asked(score_by_training, ([Training.on(task, PLAN, Recipe(1), seed)], Store(Path("made")))))

    assert key(1) == key(1) != key(2)


@pytest.mark.parametrize("name", WORKS)
def test_every_function_on_the_list_is_there_by_that_name(name):
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    assert asked(work, ())["function"] == name


def test_a_function_that_is_not_on_the_list_is_run_on_neither_side(task):
    with pytest.raises(ValueError, match="posixpath:join: workers run nas"):
        asked(__import__("os").path.join, ())
    with pytest.raises(ValueError, match="os:system: is not on the list"):
        done({"function": "os:system", "arguments": ["true"]}, task, lambda step, loss: None, AsTold())


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (Diverged("the loss became nan"), Diverged, "the loss became nan"),
        (FileNotFoundError(2, "No such file", "/a/b"), FileNotFoundError, "No such file: '/a/b'"),
        (KeyError("gene"), KeyError, "gene"),
        (ZeroDivisionError("division"), RuntimeError, "division"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_comes_back_as_its_kind_with_its_words_and_the_trace_of_the_worker(error, kind, says):
    try:
        raise error
    except Exception as raised:
        text = failed(raised)
    with pytest.raises(kind, match=says) as found:
        answered(text)
    assert __file__ in str(found.value.__cause__)
