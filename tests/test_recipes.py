"""Recipes: one word says how long, and every setting of a training is in its key."""

import json
from dataclasses import replace

import pytest

from lpienas.run_settings import LOSSES, RECIPES, RunOptions
from lpienas.searches import made_with
from lpienas.settings import SearchOptions
from nas.scoring.training import Training
from nas.task.device import Device
from nas.task.losses import TERMS, Loss, weighted
from nas.task.recipes import DEFAULT, PLANS
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.training import Recipe
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.space import REFERENCE

MADE_WITH = RunSettings(seed=3, patch=16, batch=2)


def test_the_command_offers_the_recipes_and_the_terms_that_there_are():
    assert tuple(PLANS) == RECIPES
    assert tuple(TERMS) == LOSSES


def test_the_papers_recipe_is_adam_for_500_epochs_by_l1_ssim_and_gradients():
    paper = PLANS["paper"]
    steps = paper.steps(photographs=150, batch=8)
    assert steps == 9375  # 500 times 150 patches, 8 a step
    assert paper.training(steps).optimizer == "adam"
    loss = weighted(Loss(alpha=0), paper.loss)
    assert loss.alpha > 0 < loss.beta


def test_without_a_recipe_everything_is_as_it_was():
    plan = PLANS[DEFAULT]
    assert (plan.trials, plan.confirm, plan.steps(7, 2)) == (60, 5, 6000)
    assert plan.training(6000) == Recipe(6000)


def test_recipes_are_longer_in_the_order_in_which_they_are_named():
    lengths = [PLANS[name].full_steps for name in ("demo", "short", "full")]
    assert lengths == sorted(lengths)


def test_a_run_keeps_the_recipe_and_its_loss_and_goes_on_with_no_other(tmp_path):
    run = Run(tmp_path / "run")
    asked = made_with(run, SearchOptions(recipe="paper", patch=16))
    assert asked.loss == ("ssim=0.1", "gradient=0.1")
    run.describe(asked)
    assert made_with(run, SearchOptions()) == asked
    with pytest.raises(ValueError, match="recipe was paper, now short"):
        run.describe(made_with(run, SearchOptions(recipe="short")))


def test_weights_that_are_asked_for_win_over_those_of_the_recipe(tmp_path):
    asked = made_with(Run(tmp_path / "run"), SearchOptions(recipe="paper", loss=("fft=0.2",)))
    assert TaskSettings.of_run(asked).loss == Loss(alpha=0.1, fft=0.2)


def test_a_run_of_a_version_without_losses_is_not_gone_on_with_by_another_one(tmp_path):
    run = Run(tmp_path / "run")
    run.describe(made_with(run, SearchOptions()))
    record = json.loads((run.folder / "run.json").read_text())
    for name in ("recipe", "loss", "teacher", "teacher_share"):
        del record["settings"][name]
    (run.folder / "run.json").write_text(json.dumps(record))
    run.require_same(made_with(run, SearchOptions()))
    with pytest.raises(ValueError, match=r"loss was \[\], now \['fft=0.1'\]"):
        run.require_same(made_with(run, SearchOptions(loss=("fft=0.1",))))


@pytest.mark.parametrize("word", ["fft", "fft=-1", "fft=much", "beauty=1", "=1"])
def test_a_word_that_gives_no_term_a_weight_is_refused_with_the_terms(word):
    with pytest.raises(ValueError, match=r"write one of ssim, gradient, clipped, fft, adversarial, relative"):
        weighted(Loss(), [word])


def test_every_term_of_the_loss_is_a_part_of_a_trainings_key():
    keys = set()
    for words in ((), *((f"{term}=0.3",) for term in TERMS)):
        settings = TaskSettings.of_run(replace(MADE_WITH, loss=words))
        task = make_task(settings, read_photos(settings), Device("cpu", False, "test"))
        keys.add(Training.on(task, Blueprint.from_genotype(REFERENCE), Recipe(5), 0).key)
    assert len(keys) == len(TERMS) + 1


def test_the_key_of_a_training_of_before_is_what_it_was():
    assert TaskSettings.of_run(MADE_WITH).to_json()["loss"] == {"alpha": 0.1, "beta": 0.0}
    assert "teacher" not in TaskSettings.of_run(MADE_WITH).to_json()
    assert RunOptions().given() == {}
