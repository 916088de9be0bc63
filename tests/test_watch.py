"""Watch: how far a search is, from another process, which it neither waits for nor notices."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from lpienas.command import main
from results.front import ReferencePoint
from results.standing import Asked, ask, standing_of
from results.study import fix_reference_point, open_study
from results.trials import attributes_of, tell_failed
from search_spaces.space import REFERENCE
from tests.finished_search import finished_search

NOON = datetime(2026, 1, 1, 12)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def study(tmp_path):
    made = open_study(tmp_path / "study.journal", create=True)
    fix_reference_point(made, ReferencePoint(0.5, 1e9))
    return made


def trial(study, minute, state=TrialState.COMPLETE, ssim=0.8, cost=1e8):
    """One that was begun two minutes before `minute`."""
    complete = state is TrialState.COMPLETE
    study.add_trial(
        create_trial(
            state=TrialState.RUNNING if state is TrialState.FAIL else state,
            values=[ssim, 8.0] if complete else None,
            user_attrs=attributes_of(REFERENCE, int(cost), 1000, cost) | {"psnr": 30.0},
        )
    )
    number = len(study.get_trials(deepcopy=False)) - 1
    if state is TrialState.FAIL:
        tell_failed(study, number, "it diverged")
    return number


def at(minute):
    return NOON + timedelta(minutes=minute)


def timed(trials, minutes):
    """`trials` with the minutes at which they ended, each two minutes after it began."""
    for one, minute in zip(trials, minutes, strict=True):
        one.datetime_start, one.datetime_complete = at(minute - 2), at(minute)
    return trials


def test_it_tells_what_is_scored_in_flight_rejected_and_failed_with_the_reason(study):
    trial(study, 0)
    for state in (TrialState.COMPLETE, TrialState.RUNNING, TrialState.PRUNED, TrialState.FAIL):
        trial(study, 0, state)
    now = standing_of(study, datetime.now() + timedelta(seconds=90))
    assert (now.scored, now.rejected, now.failed) == (2, 1, {4: "it diverged"})
    assert [(one.number, one.cost) for one in now.running] == [(2, 1e8)]
    assert now.running[0].seconds == pytest.approx(90, abs=30)
    assert "failed: candidate 4: it diverged" in now.lines("macs")
    assert "in flight: candidate 2, 100 MMACs" in "\n".join(now.lines("macs"))


def test_what_is_left_goes_by_the_pace_of_the_last_trials(study, monkeypatch):
    ask(study, trials=10)
    for _ in range(4):
        trial(study, 0)
    trials = timed(study.get_trials(), [2, 3, 4, 5])  # two workers: one every minute
    monkeypatch.setattr(study, "get_trials", lambda deepcopy: trials)
    assert standing_of(study, at(5)).seconds_left == pytest.approx(6 * 60)
    assert standing_of(study, at(5.5)).seconds_left == pytest.approx(6 * 60 - 30)
    timed(trials, [2, 3, 104, 105])  # killed, and gone on with the next day
    assert standing_of(study, at(105)).seconds_left <= 6 * 60 * (2 + 6) / 3


def test_it_is_done_when_all_that_was_asked_for_is_there(study):
    ask(study, trials=2)
    trial(study, 0)
    assert not standing_of(study, NOON).is_done
    trial(study, 0)
    assert standing_of(study, NOON).is_done
    ask(study, trainings=1)
    assert not standing_of(study, NOON).is_done


def test_what_is_asked_for_is_kept_in_the_study_and_written_once(study, tmp_path):
    ask(study, trials=5)
    ask(study, trainings=3)
    written = (tmp_path / "study.journal").read_bytes()
    ask(open_study(tmp_path / "study.journal"), trials=5)
    assert (tmp_path / "study.journal").read_bytes() == written
    assert standing_of(open_study(tmp_path / "study.journal"), NOON).asked == Asked(5, 3)


def test_the_front_it_shows_is_without_the_reference(study):
    trial(study, 0, ssim=0.99)
    better = trial(study, 0, ssim=0.9)
    assert [candidate.number for candidate in standing_of(study, NOON).front] == [better]


def test_a_finished_run_is_shown_at_once_and_looking_writes_nothing(tmp_path, capsys):
    run = finished_search(tmp_path / "run")
    ask(open_study(run.study), trials=1)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert main(["watch", str(run.folder)]) == 0
    assert "front: candidate" in capsys.readouterr().out
    assert main(["watch", str(run.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"]
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_a_pause_of_no_time_is_refused(tmp_path, capsys):
    run = finished_search(tmp_path / "run")
    assert main(["watch", str(run.folder), "--every", "0"]) == 1
    assert "--every 0: must be above 0" in capsys.readouterr().err


def test_one_that_watches_is_killed_and_the_study_goes_on(tmp_path):
    run = finished_search(tmp_path / "run")
    ask(open_study(run.study), trials=10**6)
    looking = subprocess.Popen(
        [sys.executable, "-m", "lpienas", "watch", str(run.folder), "--every", "0.01"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    time.sleep(4)
    assert looking.poll() is None
    looking.kill()
    looking.wait()
    study = open_study(run.study)
    before = len(study.get_trials(deepcopy=False))
    trial(study, 0)
    assert standing_of(open_study(run.study), datetime.now()).scored == before + 1
