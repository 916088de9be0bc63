"""Full training as a value: what decides it names it, what does not does not, and its label follows from it."""

from dataclasses import replace

import pytest
import torch

from nas.scoring.full import STRIPPED, train_fully
from nas.scoring.training import FIRST, Training, begin, weights_digest
from nas.task.device import Device
from nas.task.task import Task
from nas.task.training import Diverged, Failed, Recipe
from results.files import has_network, load_network, read_json
from results.store import FAILED, RECORD, Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build


def blueprint(width: int) -> Blueprint:
    stages = tuple(Stage(1, width, 1.0, "none") for _ in range(5))
    return Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3"))


def training(task: Task, **changed) -> Training:
    return replace(Training.on(task, blueprint(4), Recipe(3), 0), **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"blueprint": blueprint(8)},
        {"recipe": Recipe(4)},
        {"recipe": Recipe(3, learning_rate=1e-2)},
        {"seed": 1},
        {"first": "ab"},
        {"precision": "bfloat16"},
        {"trains_on": {"task": {}, "photographs": "ab"}},
    ],
)
def test_whatever_decides_a_training_changes_its_key(task, changed):
    assert training(task, **changed).key != training(task).key


def test_other_photographs_or_noise_are_another_training(task):
    settings = replace(task, settings=replace(task.settings, synthetic=0.5))
    fewer = replace(task, photos=replace(task.photos, training=task.photos.training[1:]))
    keys = {training(each).key for each in (task, settings, fewer)}
    assert len(keys) == 3


def test_where_photographs_are_and_how_many_threads_train_decide_nothing(task):
    moved = replace(task, settings=replace(task.settings, data="/elsewhere"))
    threads = replace(task, device=Device("cpu", False, "another reason", (4, 1)))
    assert training(moved).key == training(threads).key == training(task).key


def test_a_label_says_the_steps_and_where_the_first_weights_are_from(task):
    first = build(blueprint(4), seed=5)
    inherited = Training.on(task, blueprint(4), Recipe(3), 0, first)
    assert (training(task).label, training(task).start) == ("3 steps from scratch, seed 0", "scratch")
    assert inherited.label == "3 steps from inherited weights, seed 0"
    assert inherited.first == weights_digest(build(blueprint(4), seed=5)) != weights_digest(build(blueprint(4), seed=6))


def test_a_training_begins_with_the_weights_that_its_key_names(task, tmp_path):
    store, first = Store(tmp_path), build(blueprint(4), seed=5)
    still = Training.on(task, blueprint(4), Recipe(1, learning_rate=1e-9), 0, first)
    begin(store, still.stage, first)
    train_fully(task, lambda step, loss: None, still, store)
    made = load_network(store.at(still.key) / "network").state_dict()
    assert all(torch.allclose(made[name], tensor, atol=1e-6) for name, tensor in first.state_dict().items())
    assert read_json(store.at(still.key) / RECORD)["made_from"]["first"] == weights_digest(first)
    begin(store, still.stage, build(blueprint(4), seed=6))  # finished: nothing is written
    assert weights_digest(load_network(store.at(still.key) / FIRST)) == weights_digest(first)


def test_a_record_says_what_the_stripped_network_costs_and_comes_to(task, tmp_path):
    store, made = Store(tmp_path), training(task)
    quality, _ = train_fully(task, lambda step, loss: None, made, store)
    record = store.record(made.key)
    assert has_network(store.at(made.key) / STRIPPED)
    assert record["label"] == made.label
    assert {"macs", "parameters", "ssim", "psnr", "test_ssim", "test_psnr", "start", "steps"} <= record[
        "figures"
    ].keys()
    assert record["figures"]["ssim"] == quality.ssim
    assert record["cpu_seconds"] > 0


def test_a_training_that_diverged_is_not_tried_again_unless_it_is_asked_for(task, tmp_path, monkeypatch):
    steps, store, asked = [], Store(tmp_path), training(task)

    def broken(network, batch, loss, course):
        steps.append(course.recipe.steps)
        course.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        course.checkpoint.write_bytes(b"half of it")
        raise Diverged("the loss became nan at step 2 of 3")

    monkeypatch.setattr("nas.scoring.short.train", broken)
    for _ in range(2):
        with pytest.raises(Failed, match="the loss became nan at step 2 of 3"):
            train_fully(task, lambda step, loss: None, asked, store)
    assert len(steps) == 1
    assert [path.name for path in store.at(asked.key).iterdir()] == [FAILED]
    monkeypatch.undo()
    (store.at(asked.key) / FAILED).unlink()
    train_fully(task, lambda step, loss: None, asked, store)
    assert store.is_made(asked.key)


def test_seconds_of_a_training_that_was_cut_off_count(task, tmp_path, monkeypatch):
    store, made = Store(tmp_path), training(task)
    monkeypatch.setattr("results.spent.time.process_time", iter(range(0, 100000, 50)).__next__)  # each look takes 50 s

    def cut(step: int, loss: float) -> None:
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            train_fully(task, cut, made, store)
    before = read_json(store.at(made.key) / "checkpoint-spent.json")["cpu_seconds"]
    assert before >= 100
    train_fully(task, lambda step, loss: None, made, store)
    assert store.record(made.key)["cpu_seconds"] > before
    assert not list(store.at(made.key).glob("checkpoint*"))
