"""Study: scores come back as they were told, also after a kill, and the budget decides who is a candidate."""

import math
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from results.candidate import Candidate, Scores
from results.front import ReferencePoint
from results.photo_score import PhotoScore
from results.study import (
    BUDGET,
    Trained,
    candidates,
    count_states,
    fix_reference_point,
    genotype_of,
    in_flight,
    input_on_test,
    is_within_budget,
    open_study,
    record_test_input,
    record_training,
    reference_failed,
    reference_of,
    reference_point,
    trainings,
)
from results.trials import attributes_of, tell_failed, tell_scores, write_rejected, write_running
from search_spaces.space import REFERENCE, default_space

OTHER = default_space().sample(random.Random(0))
SCORES = Scores(ssim=0.8123456789, psnr=31.25, macs=1_198_063_616, parameters=133_652)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.journal"


@pytest.fixture
def stored(path):
    """A study in a file, which the tests open again as another process would."""
    return open_study(path, create=True)


@pytest.fixture
def study():
    """A study in memory: the same, where it need not be opened again."""
    return optuna.create_study(directions=["maximize", "minimize"])


def proposed(genotype=REFERENCE, scores=SCORES, over_budget=None):
    """A trial that is not yet written down."""
    trial = optuna.create_study(directions=["maximize", "minimize"]).ask()
    for name, value in attributes_of(genotype, scores.macs, scores.parameters, scores.cost).items():
        trial.set_user_attr(name, value)
    if over_budget is not None:
        trial.set_constraint(BUDGET, over_budget)
    return trial.study.trials[0]


def begun(study, genotype=REFERENCE, scores=SCORES, over_budget=None):
    """The number of a trial that runs."""
    write_running(study, proposed(genotype, scores, over_budget))
    return len(study.trials) - 1


def scored(study, genotype=REFERENCE, scores=SCORES, over_budget=None):
    return tell_scores(study, begun(study, genotype, scores, over_budget), scores)


def test_genotype_and_scores_come_back_when_the_study_is_opened_again(stored, path):
    scored(stored)
    scored(stored, OTHER, Scores(0.7, 30.0, 12_345, 678))
    assert candidates(open_study(path).trials) == [
        Candidate(0, REFERENCE, SCORES),
        Candidate(1, OTHER, Scores(0.7, 30.0, 12_345, 678)),
    ]


def test_the_sampler_sees_ssim_to_maximise_and_the_logarithm_of_the_cost_to_minimise(stored):
    assert scored(stored) == stored.trials[0].values == [SCORES.ssim, math.log10(SCORES.macs)]
    scored(stored, scores=replace(SCORES, cost=25.5))
    assert stored.trials[1].values == [SCORES.ssim, math.log10(25.5)]
    assert candidates(stored.trials)[1].scores.cost == 25.5
    assert [direction.name for direction in stored.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_a_study_that_is_not_there_is_not_made_unless_asked_for(path):
    with pytest.raises(FileNotFoundError, match="lpienas search --out"):
        open_study(path)
    assert not path.exists()


def test_a_path_with_characters_that_mean_something_in_an_address_works(tmp_path):
    path = tmp_path / "50% off?#1 of:us@home" / "study.journal"
    open_study(path, create=True)
    assert path.exists()


def test_trials_that_a_killed_process_left_running_are_given_oldest_first(stored, path):
    scored(stored)
    begun(stored, OTHER)
    begun(stored, REFERENCE)
    left = in_flight(open_study(path).trials)
    assert [trial.number for trial in left] == [1, 2]
    assert [genotype_of(trial) for trial in left] == [OTHER, REFERENCE]


def test_a_trial_that_was_left_running_keeps_its_proposal_and_can_be_completed(stored, path):
    asked = optuna.create_study(directions=["maximize", "minimize"]).ask()
    chosen = asked.suggest_categorical("head", ("gated", "conv3x3"))
    for name, value in attributes_of(REFERENCE, SCORES.macs, SCORES.parameters, SCORES.cost).items():
        asked.set_user_attr(name, value)
    write_running(stored, asked.study.trials[0])
    again = open_study(path)
    (left,) = in_flight(again.trials)
    assert left.params == {"head": chosen}
    tell_scores(again, left.number, SCORES)
    assert in_flight(again.trials) == []
    assert candidates(open_study(path).trials) == [Candidate(0, REFERENCE, SCORES)]


def test_a_trial_that_was_killed_before_its_genotype_was_recorded_has_none(study):
    study.ask()
    assert genotype_of(study.trials[0]) is None


def test_waiting_and_finished_trials_are_not_in_flight(study):
    study.enqueue_trial({"head": "gated"})
    tell_scores(study, begun(study), SCORES)
    tell_failed(study, begun(study), "diverged")
    write_rejected(study, proposed(), "over the budget")
    assert in_flight(study.trials) == []


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
    tell_failed(study, begun(study), "diverged")
    write_rejected(study, proposed(OTHER), "over the budget")
    begun(study)
    assert candidates(study.trials) == []
    assert [trial.user_attrs.get("reason") for trial in study.trials] == ["diverged", "over the budget", None]


def test_a_reference_without_scores_is_an_error_that_says_so(study):
    with pytest.raises(ValueError, match="no scores yet"):
        reference_of(study.trials)
    begun(study)
    with pytest.raises(ValueError, match="no scores yet"):
        reference_of(study.trials)


def test_a_reference_whose_training_failed_keeps_its_costs_and_the_reason(study):
    tell_failed(study, begun(study), "the loss became nan at step 7 of 40")
    reference = reference_of(study.trials)
    assert (reference.number, reference.genotype, reference.scores.macs) == (0, REFERENCE, SCORES.macs)
    assert reference_failed(study.trials) == "the loss became nan at step 7 of 40"
    assert candidates(study.trials) == []


def test_a_reference_with_scores_or_without_any_yet_has_not_failed(study):
    assert reference_failed(study.trials) is None
    scored(study)
    assert reference_failed(study.trials) is None


def test_trials_are_counted_by_state(study):
    scored(study)
    scored(study)
    tell_failed(study, begun(study), "diverged")
    write_rejected(study, proposed(), "over the budget")
    begun(study)
    assert count_states(study.trials) == {"COMPLETE": 2, "FAIL": 1, "PRUNED": 1, "RUNNING": 1}


def test_the_first_reference_point_stays(stored, path):
    first, second = ReferencePoint(0.6, 10**10), ReferencePoint(0.7, 10**9)
    assert fix_reference_point(stored, first) == first
    assert fix_reference_point(open_study(path), second) == first
    assert reference_point(open_study(path)) == first


def test_a_study_whose_photographs_were_degraded_otherwise_takes_no_more_scores(stored, path):
    record_test_input(stored, 0.61)
    record_test_input(open_study(path), 0.61003)  # another processor
    with pytest.raises(ValueError, match=r"SSIM 0\.6100, and now have 0\.6080: .*another --out"):
        record_test_input(open_study(path), 0.608)
    assert input_on_test(open_study(path)) == 0.61


def test_a_study_without_a_reference_point_says_why(study):
    with pytest.raises(ValueError, match="no reference point yet"):
        reference_point(study)


def test_scores_of_a_trial_that_holds_no_genotype_are_refused_by_its_number(study):
    study.tell(study.ask(), [0.5, 6.0])
    with pytest.raises(ValueError, match="trial 0 has scores but no genotype"):
        candidates(study.trials)


def test_a_study_file_appears_only_when_a_study_is_in_it(tmp_path, monkeypatch):
    path, created = tmp_path / "study.journal", []
    create_study = optuna.create_study

    def watched(**options):
        study = create_study(**options)
        created.append(path.exists())
        return study

    monkeypatch.setattr(optuna, "create_study", watched)
    open_study(path, create=True)
    assert created == [False]
    assert path.exists()
    assert {found.name for found in tmp_path.iterdir()} == {"study.journal", ".study.lock"}


def training(number=3, kind="full", steps=400, seed=0, ssim=0.8):
    return Trained(number, kind, steps, seed, "scratch", ssim, 30.5)


def test_trainings_come_back_by_kind_ordered_by_trial_steps_and_seed(stored, path):
    kept = [training(12), training(3, seed=1), training(3), training(3, steps=100), training(3, kind="rung")]
    for one in kept:
        record_training(stored, one)
    again = open_study(path)
    assert trainings(again, "full") == [kept[3], kept[2], kept[1], kept[0]]
    assert trainings(again, "rung") == [kept[4]]


def test_a_training_that_is_recorded_again_replaces_the_earlier_one(study):
    record_training(study, training(ssim=0.7))
    record_training(study, training(ssim=0.9))
    assert trainings(study, "full") == [training(ssim=0.9)]


def test_a_study_without_trainings_has_none(study):
    scored(study)
    assert trainings(study, "full") == trainings(study, "rung") == []


def test_a_study_that_was_made_before_there_was_a_cost_is_read_with_its_multiply_adds(study):
    trial = study.ask()
    for name, value in (attributes_of(REFERENCE, SCORES.macs, SCORES.parameters, SCORES.cost)).items():
        if name != "cost":
            trial.set_user_attr(name, value)
    tell_scores(study, 0, SCORES)
    assert candidates(study.trials)[0].scores.cost == SCORES.macs


def test_a_line_that_was_half_written_is_dropped_and_the_study_goes_on(stored, path):
    scored(stored)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 8, "tri')
    again = open_study(path)
    assert path.read_bytes() == whole
    scored(again, OTHER, Scores(0.7, 30.0, 12_345, 678))
    assert len(candidates(open_study(path).trials)) == 2


def test_a_process_that_was_killed_while_it_wrote_does_not_hold_up_the_next(stored, path):
    dies = (
        "import os, pathlib, sys; from results.study import open_study; study = open_study(pathlib.Path(sys.argv[1]));"
        "os.fsync = lambda file: os.kill(os.getpid(), 9); study.set_user_attr('half', 'done')"
    )
    killed = subprocess.run([sys.executable, "-c", dies, str(path)], cwd=Path(__file__).parents[1])
    assert killed.returncode == -signal.SIGKILL
    began = time.monotonic()
    scored(open_study(path))
    assert time.monotonic() - began < 10  # Optuna's own lock gives up on the dead one after 30


def test_a_study_in_sqlite_of_an_older_version_is_read_and_continued(tmp_path):
    older = tmp_path / "study.db"
    scored(open_study(older, create=True))
    assert older.read_bytes().startswith(b"SQLite format 3")
    scored(open_study(older), OTHER, Scores(0.7, 30.0, 12_345, 678))
    assert [candidate.number for candidate in candidates(open_study(older).trials)] == [0, 1]


def test_the_scores_of_every_test_photograph_are_kept_with_a_training(stored, path):
    scores = (PhotoScore("b", 0.8123456789, 31.25), PhotoScore("a", 0.7, 30.0))
    record_training(stored, replace(training(), test=scores))
    record_test_input(stored, 0.5)
    again = open_study(path)
    (kept,) = trainings(again, "full")
    assert kept == replace(training(), test=scores)
    assert input_on_test(again) == 0.5


def test_a_training_of_a_version_without_test_photographs_is_read(stored, path):
    older = {"number": 3, "kind": "full", "steps": 9, "seed": 0, "start": "scratch", "ssim": 0.75, "psnr": 30.5}
    stored.set_user_attr("training 3 full 9 scratch 0", older)
    (kept,) = trainings(open_study(path), "full")
    assert (kept.ssim, kept.test) == (0.75, ())
    assert input_on_test(stored) is None
