"""Pick: the candidate that was asked for, or why there is none."""

from dataclasses import replace

import optuna
import pytest

from results.front import ReferencePoint
from results.pick import pick
from results.report import FrontReport, report_front
from results.study import Trained, fix_reference_point, record_training
from results.trials import tell_failed
from tests.scored import scored


def report_of(*scores, over_budget=(), full=()) -> FrontReport:
    """The report of a study with these (SSIM, millions of MACs), the first being the reference; None: it failed."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    fix_reference_point(study, ReferencePoint(0.5, 10**10))
    for number, pair in enumerate(scores):
        if pair is None:
            tell_failed(study, study.ask().number, "diverged")
            continue
        ssim, millions = pair
        scored(study, ssim, millions * 10**6, over=1 if number in over_budget else -1)
    for number, ssim in full:
        record_training(study, Trained(number, "full", 400, 0, "scratch", ssim, 30.0))
    return report_front(study)


# On the front: 1, 2, 3, 5. The bend is at 2. Trial 4 is dominated, 6 failed.
SIX = ((0.80, 1200), (0.60, 100), (0.85, 200), (0.86, 900), (0.55, 500), (0.90, 1000))
REPORT = report_of(*SIX, None)


@pytest.mark.parametrize(
    ("choice", "number"),
    [
        ("knee", 2),
        ("reference", 0),
        ("0", 0),
        ("4", 4),
        ("05", 5),
        ("under=600M", 2),
        ("under=0.9G", 3),
        ("under=100M", 1),
        ("under=1.8GFLOPs", 3),
        ("under=5G", 5),
    ],
)
def test_the_candidate_is_the_one_that_was_asked_for(choice, number):
    assert pick(REPORT, choice).number == number


def test_the_best_within_a_limit_equals_a_search_through_all():
    for millions in range(100, 1300, 50):
        affordable = [number for number, (_, cost) in enumerate(SIX) if cost <= millions]
        best = max(affordable, key=lambda number: SIX[number][0])
        assert pick(REPORT, f"under={millions}M").number == best


def test_a_limit_below_every_candidate_names_the_cheapest():
    with pytest.raises(ValueError, match=r"at most 99 MMACs.*the cheapest, 1, costs 100 MMACs"):
        pick(REPORT, "under=99M")


@pytest.mark.parametrize("choice", ["6", "7"])
def test_a_number_without_scores_is_refused(choice):
    with pytest.raises(ValueError, match=f"no scored candidate has number {choice}"):
        pick(REPORT, choice)


@pytest.mark.parametrize("choice", ["", "best", "-1", "1.5", "under"])
def test_other_text_is_refused_with_the_choices(choice):
    with pytest.raises(ValueError, match="must be knee, a candidate's number, under=600M, or reference") as caught:
        pick(REPORT, choice)
    assert repr(choice) in str(caught.value)


def test_a_limit_that_is_no_cost_is_refused():
    with pytest.raises(ValueError, match="write multiply-adds like 600M"):
        pick(REPORT, "under=cheap")


def test_a_limit_is_read_in_the_unit_of_the_runs_cost():
    milliseconds = [replace(c, scores=replace(c.scores, cost=c.scores.macs / 1e7)) for c in REPORT.front]  # 10 to 100
    latency = replace(REPORT, cost="latency", front=milliseconds)
    assert pick(latency, "under=25ms").number == 2
    assert pick(latency, "under=0.1s").number == 5
    with pytest.raises(ValueError, match=r"at most 9 ms; the cheapest, 1, costs 10 ms"):
        pick(latency, "under=9ms")
    with pytest.raises(ValueError, match="write milliseconds like 25ms"):
        pick(latency, "under=600M")


def test_after_full_training_the_knee_and_a_limit_are_of_what_was_trained_fully():
    report = report_of(*SIX, full=[(0, 0.80), (3, 0.95), (5, 0.90)])
    assert pick(report, "under=5G").number == 3
    assert pick(report, "under=5G").scores.ssim == 0.95
    with pytest.raises(ValueError, match="the cheapest, 3,"):
        pick(report, "under=600M")
    assert pick(report, "2").number == 2  # by its number any scored candidate


def test_a_reference_over_the_budget_can_be_picked_by_name_and_by_number():
    report = report_of((0.80, 1200), (0.60, 100), over_budget={0})
    assert pick(report, "reference").number == 0
    assert pick(report, "0").number == 0


def test_a_candidate_over_the_budget_is_never_picked():
    report = report_of((0.80, 1200), (0.60, 100), (0.95, 90), over_budget={0, 2})
    assert pick(report, "knee").number == 1
    assert pick(report, "under=5G").number == 1
    with pytest.raises(ValueError, match="no scored candidate has number 2"):
        pick(report, "2")
