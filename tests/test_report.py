"""Report: what the study holds, once, in agreement with itself and with the file that is written of it."""

import json

import optuna
import pytest

from results.candidate import Scores
from results.front import ReferencePoint
from results.report import report_front
from results.study import BUDGET, fix_reference_point, record_genotype, tell_scores
from search_spaces.space import REFERENCE


def study_of(*scores, over_budget=()):
    """A study with these (SSIM, MACs), the first being the reference."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    fix_reference_point(study, ReferencePoint(0.5, 10_000))
    for number, (ssim, macs) in enumerate(scores):
        trial = study.ask()
        record_genotype(trial, REFERENCE, macs, 1000)
        trial.set_constraint(BUDGET, 1.0 if number in over_budget else -1.0)
        tell_scores(study, trial, Scores(ssim, 30.0, macs, 1000))
    study.ask()  # one that is still running
    return study


@pytest.fixture(scope="module")
def report():
    return report_front(study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.60, 500)))


def test_front_knee_and_reference_are_those_of_the_study(report):
    assert [candidate.number for candidate in report.front] == [1, 2]
    assert [candidate.number for candidate in report.candidates] == [0, 1, 2, 3]
    assert report.knee.number == 2
    assert report.reference.number == 0


def test_hypervolume_is_the_area_that_is_counted_by_hand(report):
    assert report.hypervolume == pytest.approx((0.70 - 0.5) * 3 + (0.82 - 0.70) * 2)


def test_trials_are_counted_by_state(report):
    assert report.trials == {"COMPLETE": 4, "RUNNING": 1}


def test_the_comparison_is_with_the_reference(report):
    assert report.comparison.ssim_gain == pytest.approx(0.02)
    assert report.comparison.macs_ratio == 10
    assert report.verdict.startswith("The front beats the reference")


def test_json_holds_the_same_figures_as_the_report(report):
    value = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [candidate["number"] for candidate in value["front"]] == [1, 2]
    assert value["front"][0]["macs"] == 10
    assert value["reference"]["ssim"] == 0.80
    assert value["knee"] == 2
    assert value["hypervolume"] == report.hypervolume
    assert value["reference_point"] == {"ssim": 0.5, "macs": 10_000}
    assert value["trials"] == {"COMPLETE": 4, "RUNNING": 1}
    assert value["ssim_gain_at_equal_macs"] == pytest.approx(0.02)
    assert value["macs_ratio_at_equal_ssim"] == 10
    assert value["verdict"] == report.verdict


def test_a_reference_over_the_budget_is_compared_with_but_not_on_the_front():
    report = report_front(study_of((0.99, 1000), (0.70, 10), over_budget={0}))
    assert [candidate.number for candidate in report.front] == [1]
    assert report.reference.number == 0
    assert report.comparison.ssim_gain == pytest.approx(-0.29)


def test_a_study_without_scores_says_so():
    with pytest.raises(ValueError, match="no scores yet"):
        report_front(study_of())


def test_a_study_with_nothing_within_the_budget_says_so():
    with pytest.raises(ValueError, match="within the budget"):
        report_front(study_of((0.99, 1000), over_budget={0}))
