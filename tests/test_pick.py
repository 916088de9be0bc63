"""Pick: the candidate that was asked for, or why there is none."""

import optuna
import pytest
from optuna.trial import TrialState

from results.candidate import Scores
from results.pick import pick
from results.study import BUDGET, record_genotype, tell_scores, tell_unscored
from search_spaces.space import REFERENCE


def trials_of(*scores, over_budget=()):
    """Trials with these (SSIM, millions of MACs), the first being the reference; None stands for a failed one."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number, pair in enumerate(scores):
        trial = study.ask()
        if pair is None:
            tell_unscored(study, trial, TrialState.FAIL, "diverged")
            continue
        ssim, millions = pair
        record_genotype(trial, REFERENCE, millions * 10**6, 1000)
        trial.set_constraint(BUDGET, 1.0 if number in over_budget else -1.0)
        tell_scores(study, trial, Scores(ssim, 30.0, millions * 10**6, 1000))
    return study.trials


# On the front: 1, 2, 3, 5. The bend is at 2. Trial 4 is dominated, 6 failed.
TRIALS = trials_of((0.80, 1200), (0.60, 100), (0.85, 200), (0.86, 900), (0.55, 500), (0.90, 1000), None)


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
    assert pick(TRIALS, choice).number == number


def test_the_best_within_a_limit_equals_a_search_through_all():
    for millions in range(100, 1300, 50):
        affordable = [trial for trial in TRIALS if trial.values and trial.user_attrs["macs"] <= millions * 10**6]
        best = max(affordable, key=lambda trial: trial.values[0])
        assert pick(TRIALS, f"under={millions}M").number == best.number


def test_a_limit_below_every_candidate_names_the_cheapest():
    with pytest.raises(ValueError, match=r"at most 99 MMACs.*the cheapest, 1, costs 100 MMACs"):
        pick(TRIALS, "under=99M")


@pytest.mark.parametrize("choice", ["6", "7"])
def test_a_number_without_scores_is_refused(choice):
    with pytest.raises(ValueError, match=f"no scored candidate has number {choice}"):
        pick(TRIALS, choice)


@pytest.mark.parametrize("choice", ["", "best", "-1", "1.5", "under"])
def test_other_text_is_refused_with_the_choices(choice):
    with pytest.raises(ValueError, match="must be knee, a candidate's number, under=600M, or reference") as caught:
        pick(TRIALS, choice)
    assert repr(choice) in str(caught.value)


def test_a_limit_that_is_no_cost_is_refused():
    with pytest.raises(ValueError, match="write multiply-adds like 600M"):
        pick(TRIALS, "under=cheap")


def test_a_study_without_scores_says_so():
    with pytest.raises(ValueError, match="no scored candidate yet"):
        pick([], "knee")


def test_a_reference_over_the_budget_can_be_picked_by_name_and_by_number():
    trials = trials_of((0.80, 1200), (0.60, 100), over_budget={0})
    assert pick(trials, "reference").number == 0
    assert pick(trials, "0").number == 0


def test_a_reference_over_the_budget_can_be_picked_by_number_when_nothing_else_is_scored():
    assert pick(trials_of((0.80, 1200), over_budget={0}), "0").number == 0


def test_a_candidate_can_be_picked_by_number_when_the_reference_failed():
    assert pick(trials_of(None, (0.60, 100)), "1").number == 1


def test_a_candidate_over_the_budget_is_never_picked():
    trials = trials_of((0.80, 1200), (0.60, 100), (0.95, 90), over_budget={0, 2})
    assert pick(trials, "knee").number == 1
    assert pick(trials, "under=5G").number == 1
    with pytest.raises(ValueError, match="no scored candidate has number 2"):
        pick(trials, "2")
