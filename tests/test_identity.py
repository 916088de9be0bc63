"""Identity: a network that gives its input back is known by its pixels; a reference that does hides no candidate."""

import json
from pathlib import Path

import pytest
import torch

import nas.scoring.short
from lpienas.command import main
from nas.scoring.short import train_from
from nas.scoring.training import Training
from nas.task.evaluation import evaluate, input_quality, is_identity
from nas.task.training import Diverged, Recipe
from results.candidate import Scores
from results.front import ReferencePoint
from results.record import RunSettings
from results.run import Run
from results.study import fix_reference_point, open_study
from results.trials import attributes_of, tell_failed, tell_scores
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.space import REFERENCE

CPU = torch.device("cpu")
SMALL = Genotype((Stage(1, 4, 1.0, "none"),) * 5, activation="relu", head="conv3x3")
LEVEL = 1 / 255


@pytest.fixture
def nearly_clean():
    """A pair that is two levels apart at every pixel, at sides that no network takes as they are."""
    generator = torch.Generator().manual_seed(0)
    clean = 0.2 + 0.6 * torch.rand((1, 3, 30, 21), generator=generator)
    return [("a", clean + 2 * LEVEL * torch.randn(clean.shape, generator=generator).sign(), clean)]


def test_a_network_that_moves_every_pixel_is_no_identity_though_its_psnr_is_that_of_the_input(nearly_clean):
    _, degraded, clean = nearly_clean[0]

    def beyond(image):
        moved = image.clone()
        moved[..., :30, :21] = 2 * clean - degraded
        return moved

    assert evaluate(beyond, nearly_clean, CPU).psnr == pytest.approx(input_quality(nearly_clean).psnr, abs=1e-3)
    assert not is_identity(beyond, nearly_clean, CPU)


def test_a_network_that_moves_one_pixel_is_no_identity(nearly_clean):
    def one(image):
        moved = image.clone()
        moved[0, 1, 12, 7] += LEVEL
        return moved

    assert not is_identity(one, nearly_clean, CPU)


@pytest.mark.parametrize("rounding", [0.0, 0.4 * LEVEL, -0.4 * LEVEL])
def test_what_changes_no_level_is_the_identity(rounding, nearly_clean):
    assert is_identity(lambda image: image + rounding, nearly_clean, CPU)


def test_a_network_that_answers_with_nan_is_no_identity(nearly_clean):
    assert not is_identity(lambda image: image * float("nan"), nearly_clean, CPU)


def test_a_training_that_stays_the_identity_is_tried_again_and_then_given_up_with_the_reason(
    task, tmp_path, monkeypatch
):
    judged = []
    monkeypatch.setattr(nas.scoring.short, "is_identity", lambda network, *_: judged.append(network) or True)
    with pytest.raises(Diverged, match="stayed the identity with 3 seeds"):
        train_from(None, Training.on(task, Blueprint.from_genotype(SMALL), Recipe(1), 0), task, tmp_path)
    assert len(judged) == 3


@pytest.fixture
def run(tmp_path) -> Path:
    """Four good candidates, and a reference that stayed the identity."""
    made = Run(tmp_path / "run")
    made.describe(RunSettings(steps=9))
    study = open_study(made.study, create=True)
    fix_reference_point(study, ReferencePoint(0.5, 4e9))
    for number, width in enumerate((0, 4, 8, 16, 32)):
        stages = (Stage(1, width, 1.0, "none"),) * 5
        genotype = Genotype(stages, activation="relu", head="conv3x3") if number else REFERENCE
        blueprint, trial = Blueprint.from_genotype(genotype), study.ask()
        macs, parameters = macs_of(blueprint, (256, 256)), parameters_of(blueprint)
        for name, value in attributes_of(genotype, macs, parameters, float(macs)).items():
            trial.set_user_attr(name, value)
        if number:
            tell_scores(study, number, Scores(0.7 + number / 100, 30.0, macs, parameters))
        else:
            tell_failed(study, number, "the network stayed the identity with 3 seeds")
    return made.folder


def test_front_shows_good_candidates_where_the_reference_stays_the_identity(run, tmp_path, capsys):
    assert main(["front", str(run), "--plot", str(tmp_path / "front.png")]) == 0
    shown = capsys.readouterr().out
    assert all(f"0.7{number}00" in shown for number in (1, 2, 3, 4))
    assert "0.0000" not in shown
    assert "Not compared with the reference, whose training failed: the network stayed the identity with 3" in shown
    assert main(["front", str(run), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["number"] for one in said["front"]] == [1, 2, 3, 4]
    assert (said["reference"]["ssim"], said["reference"]["psnr"]) == (None, None)
    assert said["reference"]["parameters"] == 133652
    assert said["ssim_gain_at_equal_cost"] is None
