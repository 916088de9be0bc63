"""The ways to int8 in a compression: learning rate, ranges, calibration, and going on after a kill."""

import itertools
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from compress.asked import asked_on
from compress.int8.calibration import CALIBRATION_IMAGES, int8_calibration, kept_calibration
from compress.int8.quantize import FakeQuantized
from compress.int8.ways import RATES, Int8, Quantizing, to_int8
from nas.task.data.photos import DataError
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from results.progress import Silent, Watcher
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from tests.finished_search import (
    GENOTYPES,
    SETTINGS,
    candidate,
    compressed,
    exported,
    few_are_tried,
    finished_search,
    kinds,
    made_at,
    require_equal,
    state,
)

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished search."""
    return finished_search(tmp_path / "run")


def test_the_learning_rate_is_the_highest_that_does_no_harm_in_the_sweep(run, task, monkeypatch):
    trained, losses = [], (0.3, 0.32, 0.34, None)  # 0.33 is the most that does no harm; None: diverges

    def training(network, task, asked, step_done, checkpoint=None):
        recipe = asked.recipe
        trained.append((recipe.learning_rate, recipe.steps))
        loss = losses[RATES.index(recipe.learning_rate)]
        if loss is None:
            raise Diverged("the loss became nan")
        for step in range(recipe.steps):
            step_done(step, loss)
        return network

    monkeypatch.setattr("compress.int8.ways._quantization_aware", training)
    settings = replace(SETTINGS, prune=None, int8="qat", quantization=Recipe(1000))
    quantized = compressed(run, 2, task, settings).scores["quantized"]
    assert trained == [*((rate, 20) for rate in RATES), (RATES[1], 1000)]
    assert quantized["learning_rate"]["chosen"] == RATES[1]
    assert list(quantized["learning_rate"]["loss"].values()) == [*(pytest.approx(loss) for loss in losses[:3]), None]


class Cut(RuntimeError):
    pass


class CutOff(Silent):
    """A Watcher that ends the program at one step of one stage, and keeps the steps that were done before."""

    def __init__(self, stage: str | None = None, step: int = 0) -> None:
        self.cut, self.stage, self.done = (stage, step), "", dict[str, list[int]]()

    def begin(self, name: str, total: int) -> None:
        self.stage = name
        self.done.setdefault(name, [])

    def at(self, step: int, text: str = "") -> None:
        self.done[self.stage].append(step)
        if (self.stage, step) == self.cut:
            raise Cut


def by_all_ways(task: Task, watcher: Watcher, checkpoints: Path | None = None) -> Int8:
    """A small network in int8 by all ways, with a checkpoint at every step and ranges taken at each third one."""
    with pytest.MonkeyPatch.context() as patch:
        few_are_tried(patch)
        patch.setattr("nas.task.training.CHECKPOINT_SECONDS", 0.0)
        patch.setattr("compress.int8.ways._RANGES_EVERY", 3)
        network = build(Blueprint.from_genotype(GENOTYPES[2]), seed=0)
        asked = Quantizing("best", Recipe(9), int8_calibration(task, 0)[:4])
        return to_int8(network, task, asked, watcher, checkpoints)


@pytest.fixture(scope="module")
def whole(task) -> Int8:
    """One that was not cut off."""
    return by_all_ways(task, Silent())


@pytest.mark.parametrize(
    ("stage", "step"), [("quantization-aware", 3), ("quantization-aware", 8), ("as long in float", 5)]
)
def test_quantization_that_is_cut_off_goes_on_and_ends_as_it_would_have(task, whole, stage, step, tmp_path):
    checkpoints = tmp_path / "checkpoint"
    with pytest.raises(Cut):
        by_all_ways(task, CutOff(stage, step), checkpoints)
    watcher = CutOff()
    continued = by_all_ways(task, watcher, checkpoints)
    assert "learning rate" not in watcher.done
    assert watcher.done[stage][0] == step  # a step is in the checkpoint once it has been told
    require_equal(continued.network.state_dict(), whole.network.state_dict())
    require_equal(continued.longer.state_dict(), whole.longer.state_dict())
    assert continued.figures == whole.figures


def test_ranges_are_taken_again_while_training_and_frozen_in_the_last_third(task, monkeypatch):
    """At the start, after 2, 4, 6 and 8 of 12 steps; in the sweep's short trainings at the start alone."""
    weights = []

    class Counted(FakeQuantized):
        def take_ranges(self, calibration):
            assert len(calibration) == CALIBRATION_IMAGES
            weights.append(torch.cat([value.flatten() for value in self.float_network().state_dict().values()]))
            super().take_ranges(calibration)

    monkeypatch.setattr("compress.int8.ways.FakeQuantized", Counted)
    monkeypatch.setattr("compress.int8.ways._RANGES_EVERY", 2)
    monkeypatch.setattr("compress.int8.ways._SWEPT", 1)
    network = build(Blueprint.from_genotype(GENOTYPES[2]), seed=0)
    to_int8(network, task, Quantizing("qat", Recipe(12), int8_calibration(task, 0)), Silent())
    assert len(weights) == len(RATES) + 5
    last = weights[-5:]
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(last))  # with the weights as trained so far


@pytest.mark.parametrize(("close", "levels"), [(True, 0), (False, 1)])
def test_channels_are_held_twice_where_int8_loses_too_much_without(task, close, levels, monkeypatch):
    few_are_tried(monkeypatch)
    monkeypatch.setattr("compress.int8.ways.is_close", lambda before, after: close)
    network = build(Blueprint.from_genotype(GENOTYPES[2]), seed=0)
    asked = Quantizing("ptq", Recipe(1), int8_calibration(task, 0)[:4], twice="auto")
    made = to_int8(network, task, asked, Silent())
    first, second = (stage.width for stage in made.network.blueprint.stages[:2])
    assert (first, second) == (GENOTYPES[2].stages[0].width * (1 + levels), GENOTYPES[2].stages[1].width)
    assert made.figures["twice"] == levels


@pytest.mark.slow
def test_a_compression_with_channels_held_twice_is_one_of_its_own_and_is_exported(run, task):
    settings = replace(SETTINGS, prune=None, int8="ptq")
    plain = compressed(run, 2, task, settings)
    held = compressed(run, 2, task, replace(settings, twice=1))
    assert held.name != plain.name
    assert held.scores["quantized"]["macs"] > held.scores["float"]["macs"] == plain.scores["quantized"]["macs"]
    assert (
        state(run, "quantized")["encoder1.0.weight"].shape[0] == 2 * state(run, "float")["encoder1.0.weight"].shape[0]
    )
    assert set(exported(run, task)) == {"lpienet_float.onnx", "lpienet_int8.onnx"}
    with pytest.raises(ValueError, match="twice = 9: candidate 2 has 2 levels"):
        compressed(run, 2, task, replace(settings, twice=9))


def test_a_finished_quantization_leaves_no_checkpoint(run, task, monkeypatch):
    few_are_tried(monkeypatch)
    monkeypatch.setattr("nas.task.training.CHECKPOINT_SECONDS", 0.0)
    compressed(run, 2, task, replace(SETTINGS, prune=None, int8="best"))
    assert not list(run.made.rglob("*checkpoint*"))


def photograph(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (96, 80), (value, value, value)).save(path)


def test_int8_ranges_come_from_the_photographs_that_are_named_and_stay_with_the_run(run, task, tmp_path):
    for name, value in (("a.png", 40), ("b.png", 200)):
        photograph(tmp_path / "taken" / name, value)
    settings = replace(SETTINGS, prune=None)
    first = compressed(run, 3, task, settings)
    of_training = kept_calibration(first.calibration)
    assert all(torch.equal(a, b) for a, b in zip(of_training, int8_calibration(task, 0), strict=True))
    made = made_at(run)
    before = exported(run, task)

    second = compressed(run, 3, task, replace(settings, calibration=tmp_path / "taken"))
    kept = kept_calibration(second.calibration)
    assert {round(float(image.unique().squeeze()) * 255) for image in kept} == {40, 200}
    assert {tuple(image.shape) for image in kept} == {(1, 3, task.settings.patch, task.settings.patch)}
    assert len(kept) == CALIBRATION_IMAGES
    assert kinds(made_at(run).keys() - made.keys()) == ["int8"]
    shutil.rmtree(tmp_path / "taken")  # the run has all that export needs
    after = exported(run, task)
    assert after["lpienet_float.onnx"]["ssim"] == before["lpienet_float.onnx"]["ssim"]
    assert after["lpienet_int8.onnx"]["ssim"] != before["lpienet_int8.onnx"]["ssim"]


def test_another_photograph_in_the_folder_of_calibration_is_another_compression(run, task, tmp_path):
    photograph(tmp_path / "taken" / "a.png", 40)
    settings = replace(SETTINGS, prune=None, calibration=tmp_path / "taken")
    before = asked_on(run, candidate(run, 3), settings, task).key
    assert asked_on(run, candidate(run, 3), settings, task).key == before
    photograph(tmp_path / "taken" / "b.png", 200)
    assert asked_on(run, candidate(run, 3), settings, task).key != before


def test_of_pairs_int8_ranges_come_from_the_degraded_side(task, tmp_path):
    photograph(tmp_path / "noisy" / "a.png", 40)
    photograph(tmp_path / "clean" / "a.png", 200)
    (value,) = torch.cat(int8_calibration(task, 0, tmp_path)).unique()
    assert value == pytest.approx(40 / 255)


def test_photographs_to_calibrate_on_that_cannot_be_used_are_named_before_anything_is_trained(run, task, tmp_path):
    with pytest.raises(DataError, match="missing does not exist"):
        compressed(run, 3, task, replace(SETTINGS, calibration=tmp_path / "missing"))
    assert not run.made.exists()


@pytest.mark.parametrize(("level", "reach"), [(0, "0.00 to 0.00"), (10, "0.04 to 0.04"), (255, "1.00 to 1.00")])
def test_black_or_white_photographs_give_no_int8_ranges(level, reach, task, tmp_path):
    for name in ("a", "b"):
        photograph(tmp_path / f"{name}.png", level)
    with pytest.raises(DataError, match=rf"photographs of {tmp_path} reach from {reach} of white.*name some as the"):
        int8_calibration(task, 0, tmp_path)


def test_photographs_that_use_few_of_the_values_are_said_to_and_others_are_not(task, tmp_path):
    photograph(tmp_path / "dark" / "a.png", 60)
    with pytest.warns(
        UserWarning, match=r"reach from 0\.24 to 0\.24 of white, and what is darker or brighter is cut off"
    ):
        int8_calibration(task, 0, tmp_path / "dark")
    photograph(tmp_path / "both" / "a.png", 10)
    photograph(tmp_path / "both" / "b.png", 240)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        int8_calibration(task, 0, tmp_path / "both")
