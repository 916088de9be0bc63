"""Study: scores come back as they were told, also after a kill, and the budget decides who is a candidate."""

import math
import random

import optuna
import pytest
from optuna.trial import TrialState

from results.candidate import Candidate, Scores
from results.front import ReferencePoint
from results.study import (
    BUDGET,
    candidates,
    count_states,
    fix_reference_point,
    genotype_of,
    in_flight,
    is_within_budget,
    open_study,
    record_genotype,
    reference_of,
    reference_point,
    tell_scores,
    tell_unscored,
)  # fmt: skip
from search_spaces.space import REFERENCE, default_space

OTHER = default_space().sample(random.Random(0))
SCORES = Scores(ssim=0.8123456789, psnr=31.25, macs=1_198_063_616, parameters=133_652)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


@pytest.fixture
def stored(path):
    """A study in a file, which the tests open again as another process would."""
    return open_study(path, create=True)


@pytest.fixture
def study():
    """A study in memory: the same, where it need not be opened again."""
    return optuna.create_study(directions=["maximize", "minimize"])


def begun(study, genotype=REFERENCE, scores=SCORES):
    trial = study.ask()
    record_genotype(trial, genotype, scores.macs, scores.parameters)
    return trial


def scored(study, genotype=REFERENCE, scores=SCORES, over_budget=None):
    trial = begun(study, genotype, scores)
    if over_budget is not None:
        trial.set_constraint(BUDGET, over_budget)
    tell_scores(study, trial, scores)


def test_genotype_and_scores_come_back_when_the_study_is_opened_again(stored, path):
    scored(stored)
    scored(stored, OTHER, Scores(0.7, 30.0, 12_345, 678))
    assert candidates(open_study(path).trials) == [
        Candidate(0, REFERENCE, SCORES),
        Candidate(1, OTHER, Scores(0.7, 30.0, 12_345, 678)),
    ]


def test_the_sampler_sees_ssim_to_maximise_and_the_logarithm_of_macs_to_minimise(stored):
    scored(stored)
    assert stored.trials[0].values == [SCORES.ssim, math.log10(SCORES.macs)]
    assert [direction.name for direction in stored.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_a_study_that_is_not_there_is_not_made_unless_asked_for(path):
    with pytest.raises(FileNotFoundError, match="lpienas search --out"):
        open_study(path)
    assert not path.exists()


def test_a_path_with_characters_that_mean_something_in_an_address_works(tmp_path):
    path = tmp_path / "50% off?#1 of:us@home" / "study.db"
    open_study(path, create=True)
    assert path.exists()


def test_trials_that_a_killed_process_left_running_are_given_oldest_first(stored, path):
    scored(stored)
    begun(stored, OTHER)
    begun(stored, REFERENCE)
    again = open_study(path)
    left = in_flight(again)
    assert [trial.number for trial in left] == [1, 2]
    assert genotype_of(again.trials[1]) == OTHER


def test_a_trial_that_was_left_running_keeps_its_proposal_and_can_be_completed(stored, path):
    proposed = stored.ask().suggest_categorical("head", ("gated", "conv3x3"))
    again = open_study(path)
    again.sampler = optuna.samplers.RandomSampler(seed=1)
    (left,) = in_flight(again)
    assert left.suggest_categorical("head", ("gated", "conv3x3")) == proposed
    record_genotype(left, REFERENCE, SCORES.macs, SCORES.parameters)
    tell_scores(again, left, SCORES)
    assert in_flight(again) == []
    assert candidates(open_study(path).trials) == [Candidate(0, REFERENCE, SCORES)]


def test_a_trial_that_was_killed_before_its_genotype_was_recorded_has_none(study):
    study.ask()
    assert genotype_of(study.trials[0]) is None


def test_waiting_and_finished_trials_are_not_in_flight(study):
    study.enqueue_trial({"head": "gated"})
    assert in_flight(study) == []


def test_candidates_over_the_budget_are_left_out(study):
    scored(study, REFERENCE, over_budget=-0.5)
    scored(study, OTHER, over_budget=0.25)
    assert [candidate.number for candidate in candidates(study.trials)] == [0]
    assert [is_within_budget(trial) for trial in study.trials] == [True, False]


@pytest.mark.parametrize(("excess", "within"), [(0.0, True), (1e-9, False), (None, True)])
def test_a_candidate_that_costs_the_budget_exactly_is_within_it(study, excess, within):
    scored(study, over_budget=excess)
    assert is_within_budget(study.trials[0]) == within


def test_the_reference_is_found_even_over_the_budget(study):
    scored(study, REFERENCE, over_budget=1.0)
    assert candidates(study.trials) == []
    assert reference_of(study.trials) == Candidate(0, REFERENCE, SCORES)


def test_trials_without_scores_are_no_candidates(study):
    tell_unscored(study, begun(study), TrialState.FAIL, "diverged")
    tell_unscored(study, begun(study, OTHER), TrialState.PRUNED, "over the budget")
    begun(study)
    assert candidates(study.trials) == []
    assert [trial.user_attrs.get("reason") for trial in study.trials] == ["diverged", "over the budget", None]


def test_a_reference_without_scores_is_an_error_that_says_so(study):
    with pytest.raises(ValueError, match="no scores yet"):
        reference_of(study.trials)
    begun(study)
    with pytest.raises(ValueError, match="no scores yet"):
        reference_of(study.trials)


def test_a_reference_whose_training_failed_is_an_error_with_the_reason(study):
    tell_unscored(study, begun(study), TrialState.FAIL, "the loss became nan at step 7 of 40")
    with pytest.raises(ValueError, match=r"failed \(the loss became nan at step 7 of 40\)"):
        reference_of(study.trials)


def test_trials_are_counted_by_state(study):
    scored(study)
    scored(study)
    tell_unscored(study, begun(study), TrialState.FAIL, "diverged")
    tell_unscored(study, begun(study), TrialState.PRUNED, "over the budget")
    begun(study)
    assert count_states(study.trials) == {"COMPLETE": 2, "FAIL": 1, "PRUNED": 1, "RUNNING": 1}


def test_the_first_reference_point_stays(stored, path):
    first, second = ReferencePoint(0.6, 10**10), ReferencePoint(0.7, 10**9)
    assert fix_reference_point(stored, first) == first
    assert fix_reference_point(open_study(path), second) == first
    assert reference_point(open_study(path)) == first


def test_a_study_without_a_reference_point_says_why(study):
    with pytest.raises(ValueError, match="no reference point yet"):
        reference_point(study)


def test_scores_of_a_trial_that_holds_no_genotype_are_refused_by_its_number(study):
    study.tell(study.ask(), [0.5, 6.0])
    with pytest.raises(ValueError, match="trial 0 has scores but no genotype"):
        candidates(study.trials)


def test_a_study_file_appears_only_when_its_tables_are_complete(tmp_path, monkeypatch):
    path, created = tmp_path / "study.db", []
    create_study = optuna.create_study

    def watched(**options):
        study = create_study(**options)
        created.append(path.exists())
        return study

    monkeypatch.setattr(optuna, "create_study", watched)
    open_study(path, create=True)
    assert created == [False]
    assert path.exists()
    assert [found.name for found in tmp_path.iterdir()] == ["study.db"]
