"""Report: what the study holds, once, in agreement with itself and with the file that is written of it."""

import io
import json

import optuna
import pytest
from rich.console import Console

from results.front import ReferencePoint
from results.photo_score import PhotoScore
from results.report import report_front
from results.study import Trained, fix_reference_point, record_test_input, record_training
from results.table import front_table
from search_spaces.space import ADDITIVE, scaled
from tests.scored import scored


def study_of(*scores, over_budget=()):
    """A study with these (SSIM, MACs), the first being the reference."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    fix_reference_point(study, ReferencePoint(0.5, 10_000))
    for number, (ssim, macs) in enumerate(scores):
        scored(study, ssim, macs, over=1 if number in over_budget else -1)
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
    assert report.comparison.cost_ratio == 10
    assert report.verdict.startswith("The front beats the reference")


def test_networks_of_the_front_that_nobody_had_to_find_are_named():
    study = study_of((0.80, 1000), (0.70, 10))
    for genotype, ssim, macs in ((ADDITIVE, 0.82, 100), (scaled(ADDITIVE, 0.5), 0.60, 500)):
        scored(study, ssim, macs, genotype)
    report = report_front(study, hand_made=(ADDITIVE, scaled(ADDITIVE, 0.5)))
    assert [candidate.number for candidate in report.front] == [1, 3]
    assert report.hand_made == (3,), "what is dominated is not told of"
    assert " Of the front's networks these were made by hand, not found: 3. Scores: " in report.verdict
    assert report.to_json()["hand_made"] == [3]
    assert "made by hand" not in report_front(study).verdict


def test_json_holds_the_same_figures_as_the_report(report):
    value = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [candidate["number"] for candidate in value["front"]] == [1, 2]
    assert value["front"][0]["macs"] == 10
    assert value["reference"]["ssim"] == 0.80
    assert value["knee"] == 2
    assert value["hypervolume"] == report.hypervolume
    assert value["reference_point"] == {"ssim": 0.5, "cost": 10_000}
    assert value["trials"] == {"COMPLETE": 4, "RUNNING": 1}
    assert value["ssim_gain_at_equal_cost"] == pytest.approx(0.02)
    assert value["cost_ratio_at_equal_ssim"] == 10
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


def trained(study, kind, steps, *scores):
    """Record trainings of (number, SSIM), repetitions of one number in order."""
    seeds = {}
    for number, ssim in scores:
        seeds[number] = seeds.get(number, -1) + 1
        record_training(study, Trained(number, kind, steps, seeds[number], "scratch", ssim, 31.0))


def test_without_full_training_the_basis_is_the_search_and_nothing_fell_off(report):
    assert report.basis == "one short training each"
    assert report.fell_off == []
    assert report.seed_noise is None
    assert report.verdict.endswith(
        "Scores: one short training each, on the validation photographs, which chose them, so not final."
    )
    assert report_front(study_of((0.80, 1000)), score="supernet").basis == "inherited weights of the supernet"


def test_full_training_judges_alone_and_names_what_fell_off_the_front():
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.84, 200), (0.60, 500))
    trained(study, "full", 400, (0, 0.85), (1, 0.75), (2, 0.83), (3, 0.81))
    report = report_front(study)
    assert [(c.number, c.scores.ssim) for c in report.front] == [(1, 0.75), (2, 0.83), (0, 0.85)]
    assert [(c.number, c.scores.ssim, c.scores.psnr) for c in report.fell_off] == [(3, 0.81, 31.0)]
    assert [c.number for c in report.candidates] == [0, 1, 2, 3]
    assert [c.number for c in report.searched] == [0, 1, 2, 3, 4]
    assert report.reference.scores.ssim == 0.85
    assert report.comparison.ssim_gain == pytest.approx(-0.02)
    assert report.basis == "full training of 400 steps, from scratch, one seed each"
    assert report.hypervolume == pytest.approx((0.75 - 0.5) * 3 + (0.83 - 0.75) * 2 + (0.85 - 0.83) * 1)


def test_repeated_trainings_are_averaged_and_give_the_seed_noise():
    study = study_of((0.80, 1000), (0.70, 10))
    trained(study, "full", 400, (0, 0.80), (0, 0.82), (1, 0.70), (1, 0.73), (1, 0.76))
    report = report_front(study)
    assert report.reference.scores.ssim == pytest.approx(0.81)
    assert report.front[0].scores.ssim == pytest.approx(0.73)
    # pooled by hand: squared deviations 2 * 0.01**2 + 2 * 0.03**2, over 1 + 2 degrees of freedom
    assert report.seed_noise == pytest.approx(((2 * 0.01**2 + 2 * 0.03**2) / 3) ** 0.5)
    assert report.seeds == {0: 2, 1: 3}
    assert f"seed noise {report.seed_noise:.4f}" in report.verdict
    assert "mean of up to 3 seeds" in report.basis


def test_a_reference_trained_alone_leaves_the_searchs_own_scores_in_place():
    study = study_of((0.80, 1000), (0.70, 10))
    trained(study, "full", 400, (0, 0.99))
    report = report_front(study)
    assert report.basis == "one short training each"
    assert report.reference.scores.ssim == 0.80


def test_after_halving_the_front_is_that_of_the_highest_rung():
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.60, 500))
    trained(study, "rung", 30, (0, 0.81), (1, 0.72), (2, 0.83))
    trained(study, "rung", 90, (0, 0.84), (2, 0.86))
    report = report_front(study, score="halving")
    assert [(c.number, c.scores.ssim) for c in report.front] == [(2, 0.86)]
    assert report.reference.scores.ssim == 0.84
    assert report.basis == "training of 90 steps, from scratch"


def test_a_rung_that_only_the_reference_has_reached_is_not_yet_the_basis():
    """The reference goes all the way at once, before there is a candidate to compare it with there."""
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), over_budget={0})
    trained(study, "rung", 30, (0, 0.81), (2, 0.83))
    trained(study, "rung", 90, (0, 0.84))
    report = report_front(study, score="halving")
    assert [(c.number, c.scores.ssim) for c in report.front] == [(2, 0.83)]
    assert report.reference.scores.ssim == 0.81
    assert report.basis == "training of 30 steps, from scratch"


def test_while_only_the_reference_is_above_the_first_rung_the_first_rung_counts():
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), over_budget={0})
    trained(study, "rung", 90, (0, 0.84))
    report = report_front(study, score="halving")
    assert [c.number for c in report.front] == [1, 2]
    assert report.reference.scores.ssim == 0.80


def test_the_verdict_names_the_cost_that_was_made_small():
    report = report_front(study_of((0.80, 1000), (0.82, 100)), cost="latency")
    assert "at no more latency candidate 1" in report.verdict
    assert report.to_json()["hypervolume_unit"] == "SSIM x decades of latency"


def test_inherited_weights_are_not_compared_with_the_reference_and_full_trainings_are():
    study = study_of((0.80, 1000), (0.82, 100))
    inherited = report_front(study, score="supernet")
    assert inherited.comparison is None
    assert inherited.to_json()["cost_ratio_at_equal_ssim"] is None
    assert "Not compared with the reference" in inherited.verdict
    for number in (0, 1):
        record_training(study, Trained(number, "full", 9, 0, "scratch", 0.9 + number / 100, 30.0))
    assert report_front(study, score="supernet").comparison.cost_ratio == 10


def on_photographs(study, number, *levels, start="scratch"):
    """Record full trainings that come to these levels, each a little different on nine photographs."""
    for seed, level in enumerate(levels):
        test = tuple(PhotoScore(f"{at}.png", level + at / 100 + number * at % 3 / 10_000, 30.0) for at in range(9))
        record_training(study, Trained(number, "full", 400, seed, start, level, 31.0, test))


def test_the_verdict_on_the_best_candidate_is_of_the_test_photographs_and_allows_for_the_choice():
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.99, 2000))
    record_test_input(study, 0.5)
    for number, level in ((0, 0.80), (1, 0.70), (2, 0.83), (3, 0.90)):
        on_photographs(study, number, level, level + 0.001, level + 0.002)
    report = report_front(study)
    assert report.judged.names == ("candidate 2", "the reference")
    assert report.judged.word == "better"
    assert report.judged.gain == pytest.approx(report.comparison.ssim_gain)
    assert report.judged.chosen_of == 2  # 3 costs more than the reference
    assert report.judged.sentence in report.verdict
    assert report.to_json()["judged"] == report.judged.to_json()


def test_one_training_each_is_not_called_better_however_far_it_is_above():
    study = study_of((0.80, 1000), (0.82, 100))
    record_test_input(study, 0.5)
    on_photographs(study, 0, 0.80)
    on_photographs(study, 1, 0.90)
    report = report_front(study)
    assert report.judged.word == "cannot be said: one training each"
    assert report.verdict.startswith("The front is not shown to beat the reference in SSIM")


def test_three_trainings_from_one_supernet_are_judged_as_one():
    study = study_of((0.80, 1000), (0.82, 100))
    record_test_input(study, 0.5)
    on_photographs(study, 0, 0.80, 0.81, 0.82)
    on_photographs(study, 1, 0.90, 0.901, 0.902, start="inherited weights")
    assert report_front(study).judged.trainings == (1, 3)


def test_trainings_without_scores_by_test_photograph_give_no_verdict():
    study = study_of((0.80, 1000), (0.82, 100))
    trained(study, "full", 400, (0, 0.85), (0, 0.86), (1, 0.9), (1, 0.91))
    report = report_front(study)
    assert report.judged is None
    assert report.to_json()["judged"] is None
    assert "not tested against chance" in report.verdict


def test_every_candidate_that_was_trained_fully_is_shown_on_the_front_or_as_dominated():
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.81, 200), (0.60, 500), over_budget={0})
    trained(study, "full", 400, (0, 0.85), (1, 0.75), (2, 0.83), (3, 0.81), (4, 0.82))
    report = report_front(study)
    assert [c.number for c in report.front] == [1, 2]
    assert [(c.number, c.scores.ssim) for c in report.trained_and_dominated] == [(3, 0.81), (4, 0.82)]
    assert [c["number"] for c in report.to_json()["dominated"]] == [3, 4]
    table = Console(width=80, record=True, file=io.StringIO())
    table.print(front_table(report, (256, 256)))
    shown = table.export_text()
    assert all(f" {number} dominated" in shown for number in (3, 4))
    assert "2 knee" in shown


def test_before_full_training_nothing_is_called_dominated_in_the_table(report):
    assert report.trained_and_dominated == []


# Validation and test disagree: 2 and 3 change places, and 1 is the worst of all. The reference is 0.
VALIDATION = {0: 0.85, 1: 0.75, 2: 0.84, 3: 0.86}
TEST = {0: 0.70, 1: 0.40, 2: 0.80, 3: 0.72}


def judged_study(test=TEST):
    study = study_of((0.80, 1000), (0.70, 10), (0.82, 100), (0.84, 200))
    record_test_input(study, 0.3)
    for number, ssim in VALIDATION.items():
        photographs = (PhotoScore("a", test[number] - 0.1, 20.0), PhotoScore("b", test[number] + 0.1, 24.0))
        record_training(study, Trained(number, "full", 400, 0, "scratch", ssim, 31.0, photographs))
    return study


def test_validation_chooses_and_the_test_photographs_report():
    report = report_front(judged_study())
    assert [candidate.number for candidate in report.front] == [1, 2, 3]
    assert [report.final(candidate) for candidate in report.front] == [
        pytest.approx((TEST[number], 22.0)) for number in (1, 2, 3)
    ]
    assert [candidate.scores.ssim for candidate in report.front] == [0.75, 0.84, 0.86]
    assert report.comparison.best.number == report.comparison.cheapest.number == 3
    assert report.comparison.ssim_gain == pytest.approx(0.72 - 0.70)
    assert report.comparison.cost_ratio == 5
    # the rectangles of 1 and 2 below the corner of 10,000; 3 adds nothing to what 2 covers
    assert report.test.hypervolume == pytest.approx((0.40 - 0.3) * 3 + (0.80 - 0.40) * 2)
    assert report.hypervolume == pytest.approx((0.75 - 0.5) * 3 + (0.84 - 0.75) * 2 + (0.86 - 0.84) * 1.69897)
    assert "2 test photographs, which chose nothing, at most 384x384 pixels around the centre" in report.verdict


@pytest.mark.parametrize("test", [TEST, {0: 0.1, 1: 0.9, 2: 0.2, 3: 0.0}, {0: 0.9, 1: 0.5, 2: 0.5, 3: 0.5}])
def test_whatever_the_test_photographs_say_the_same_is_chosen(test):
    report = report_front(judged_study(test))
    assert [candidate.number for candidate in report.front] == [1, 2, 3]
    assert report.knee.number == 2
    assert [candidate.number for candidate in report.fell_off] == []
    assert report.comparison.best.number == 3


def test_a_gain_that_only_the_validation_photographs_saw_is_no_gain():
    report = report_front(judged_study({0: 0.9, 1: 0.4, 2: 0.5, 3: 0.85}))
    assert report.comparison.ssim_gain == pytest.approx(-0.05)
    assert report.comparison.cheapest is None
    assert report.verdict.startswith("The front does not beat the reference: at no more MACs its best candidate, 3, is")


def test_the_noise_of_seeds_is_that_of_the_figures_it_stands_beside():
    study = judged_study()
    again = (PhotoScore("a", TEST[0] - 0.06, 20.0), PhotoScore("b", TEST[0] + 0.1, 24.0))  # mean 0.02 above
    record_training(study, Trained(0, "full", 400, 1, "scratch", VALIDATION[0], 31.0, again))
    assert report_front(study).seed_noise == pytest.approx(0.02 / 2**0.5)


def test_trainings_without_test_photographs_are_called_not_final():
    study = judged_study()
    record_training(study, Trained(2, "full", 400, 0, "scratch", VALIDATION[2], 31.0))
    report = report_front(study)
    assert (report.split, report.test) == ("validation", None)
    assert report.final(report.front[0])[0] == VALIDATION[1]
    assert "validation photographs, which chose them, so not final" in report.verdict
    assert report.to_json()["front"][1]["test_ssim"] is None


def test_a_reference_that_was_not_tested_is_not_compared_with():
    study = study_of((0.80, 1000), (0.70, 10))
    record_test_input(study, 0.3)
    record_training(study, Trained(1, "full", 400, 0, "scratch", 0.75, 31.0, (PhotoScore("a", 0.4, 20.0),)))
    report = report_front(study)
    assert report.split == "test"
    assert report.comparison is None
