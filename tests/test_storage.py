"""Storage: an address never shows its password, and a storage that is silent is asked again."""

import itertools
import os
import random
import sys

import optuna
import pytest
import sqlalchemy.exc
from optuna.trial import TrialState

from lpienas.command import main
from lpienas.command.hidden import without_password as hidden
from nas.propose import SEEN, worth_seeing
from results.candidate import Scores
from results.patient import ASKED_AS, Patience, Patient, Unanswered
from results.record import RunSettings
from results.rows import Rows
from results.run import Run, command
from results.storage import PASSWORD, Shared, kept_apart, without_password
from results.study import candidates, genotype_of, open_study
from results.trials import BY, TakenOver, attributes_of, take_over, tell_scores, withdraw, write_running
from search_spaces.space import REFERENCE, default_space

SECRET = "s3cret"
OTHER = default_space().sample(random.Random(0))
SCORES = Scores(ssim=0.8123, psnr=31.25, macs=1_198_063_616, parameters=133_652)


@pytest.fixture
def where(tmp_path):
    return Shared(f"sqlite:///{tmp_path / 'shared.db'}", "night")


@pytest.fixture
def study(where):
    return open_study(where, create=True)


def proposed(genotype=REFERENCE, number=0):
    trial = optuna.create_study(directions=["maximize", "minimize"]).ask()
    trial.suggest_categorical("head", ("gated", "conv3x3"))
    trial.suggest_int("encoder1.width", 8, 64, step=8)
    for name, value in attributes_of(genotype, SCORES.macs, SCORES.parameters, SCORES.cost).items():
        trial.set_user_attr(name, value)
    trial.set_constraint("over budget", -0.5)
    frozen = trial.study.trials[0]
    frozen.number = number
    return frozen


@pytest.mark.parametrize(
    ("typed", "address", "secret"),
    [
        ("postgresql://u:s3cret@h:5432/db", "postgresql://u@h:5432/db", "s3cret"),
        ("postgresql+psycopg://u:p%40s%2Fs@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require", "p@s/s"),
        ("postgresql://u@h/db?password=s3cret", "postgresql://u@h/db", "s3cret"),
        ("postgresql://h/db", "postgresql://h/db", None),
        ("grpc://h:13000", "grpc://h:13000", None),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db", None),
    ],
)
def test_an_address_is_kept_without_its_password(typed, address, secret):
    assert without_password(typed) == (address, secret)


@pytest.mark.parametrize(
    "typed",
    ["mysql://u:s3cret@h/d", "postgresql://u:s3cret@h", "grpc://u:s3cret@h:1", "u:s3cret", "pg://u:s3cret@h:x/d"],
)
def test_an_address_of_no_use_is_refused_without_a_word_of_its_password(typed):
    with pytest.raises(ValueError, match="must be") as refused:
        without_password(typed)
    assert SECRET not in str(refused.value)


def test_a_password_reaches_neither_run_json_nor_an_error_nor_the_list_of_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lpienas", "search", "--storage", "postgresql://u:s3cret@127.0.0.1:9/db"])
    monkeypatch.setenv(PASSWORD, "")
    address = kept_apart(sys.argv[-1])
    assert os.environ[PASSWORD] == SECRET
    run = Run(tmp_path)
    run.describe(RunSettings(storage=address))
    assert SECRET not in (tmp_path / "run.json").read_text()
    assert command() == "lpienas search --storage postgresql://u@127.0.0.1:9/db"
    assert run.study == Shared("postgresql://u@127.0.0.1:9/db", "lpienas")
    monkeypatch.setattr("results.storage._BEGINS", 0.0)
    assert main(["watch", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "postgresql://u@127.0.0.1:9/db did not answer" in said
    assert SECRET not in said


def test_a_command_begins_again_without_a_password_that_was_typed():
    words = ["python", "-m", "lpienas", "search", "--storage=postgresql://u:p%40/s@h/db", "--out", "a:b@c"]
    plain, secret = hidden(words)
    assert plain == [*words[:4], "--storage=postgresql://u@h/db", "--out", "a:b@c"]
    assert secret == "p@/s"
    assert hidden(plain) == (plain, None)


def test_a_password_among_the_parameters_of_an_address_is_hidden_as_well():
    words = [
        "lpienas",
        "search",
        "--storage",
        "postgresql://u@h/db?password=p%40s&sslmode=require",
        "--out",
        "password=a",
    ]
    plain, secret = hidden(words)
    assert plain == [*words[:3], "postgresql://u@h/db?sslmode=require", *words[4:]]
    assert secret == "p@s"
    assert hidden(["postgresql://u@h/db?sslmode=require&password=p"]) == (["postgresql://u@h/db?sslmode=require"], "p")


def test_a_trial_that_is_written_in_few_statements_is_the_one_that_optuna_writes(tmp_path):
    found, running, finished = [], proposed(), proposed(OTHER)
    finished.state, finished.values = TrialState.COMPLETE, [0.5, 6.0]
    finished.datetime_complete = finished.datetime_start
    for kind in (Rows, optuna.storages.RDBStorage):
        storage = kind(f"sqlite:///{tmp_path / kind.__name__}.db")
        written = optuna.create_study(storage=storage, directions=["maximize", "minimize"])
        written.add_trial(running)
        written.add_trial(finished)
        found.append(written.get_trials())
    ours, theirs = found
    for one, other in zip(ours, theirs, strict=True):
        for name in ("number", "state", "params", "distributions", "user_attrs", "constraints", "values"):
            assert getattr(one, name) == getattr(other, name)


def test_a_trial_is_told_once_by_the_search_that_has_it(study):
    number = write_running(study, proposed(), "one")
    assert take_over(study, number, "other")
    with pytest.raises(TakenOver, match="trial 0"):
        tell_scores(study, number, SCORES, by="one")
    tell_scores(study, number, SCORES, by="other")
    with pytest.raises(TakenOver, match="trial 0"):
        tell_scores(study, number, SCORES, by="other")
    assert not take_over(study, number, "one")
    (told,) = candidates(study.get_trials())
    assert (told.scores.ssim, study.trials[0].user_attrs[BY]) == (SCORES.ssim, "other")


def test_a_trial_gets_the_number_that_is_free_whatever_its_search_expected(study, where):
    assert write_running(open_study(where), proposed(number=0), "other") == 0
    assert write_running(study, proposed(OTHER, number=0), "one") == 1
    withdraw(study, 1, "the same genotype as trial 0", "one")
    assert [trial.state.name for trial in open_study(where).trials] == ["RUNNING", "PRUNED"]
    assert genotype_of(open_study(where).trials[1]) == OTHER


class Failing:
    """A storage that is lost before it is asked, or after it has done what it was asked, so many times."""

    def __init__(self, inner, asked, times, after):
        self._inner, self._asked, self._left, self._after = inner, asked, times, after

    def __getattr__(self, name):
        def ask(*arguments, **named):
            fails = name == self._asked and self._left > 0
            self._left -= fails
            found = getattr(self._inner, name)(*arguments, **named) if self._after or not fails else None
            if fails:
                lost = sqlalchemy.exc.OperationalError("", {}, Exception("server closed the connection unexpectedly"))
                raise optuna.exceptions.StorageInternalError("during the commit") from lost
            return found

        return ask


@pytest.mark.parametrize("after", [True, False])
def test_a_trial_is_made_once_though_the_storage_was_lost_before_or_after_it_was_made(after, monkeypatch):
    monkeypatch.setattr("results.patient.time.sleep", lambda seconds: None)
    inner, said = optuna.storages.InMemoryStorage(), []
    made = optuna.create_study(storage=inner, directions=["maximize", "minimize"])
    patient = Patient(Failing(inner, "create_new_trial", 2, after), Patience("the storage", said.append, 60))
    trial = proposed()
    trial.user_attrs = trial.user_attrs | {ASKED_AS: "once"}
    assert patient.create_new_trial(made._study_id, trial) == 0
    assert len(made.get_trials()) == 1
    assert said == ["the storage does not answer; it is asked again for 60 s", "the storage answers again"]


def test_scores_that_were_kept_though_the_storage_did_not_say_so_are_no_others(study, monkeypatch):
    monkeypatch.setattr("results.patient.time.sleep", lambda seconds: None)
    number = write_running(study, proposed(), "one")
    study._storage.inner = Failing(study._storage.inner, "set_trial_state_values", 1, after=True)
    assert tell_scores(study, number, SCORES, by="one")[0] == SCORES.ssim
    assert candidates(study.get_trials())[0].scores.psnr == SCORES.psnr


def test_a_trial_whose_telling_breaks_off_is_not_half_told(study, monkeypatch):
    number = write_running(study, proposed(), "one")
    monkeypatch.setattr("results.rows._values", lambda of_it, values: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tell_scores(study, number, SCORES, by="one")
    (left,) = study.get_trials()
    assert (left.state, "psnr" in left.user_attrs) == (TrialState.RUNNING, False)


def test_a_trial_that_was_told_in_one_transaction_of_which_nothing_was_heard_is_told(study, monkeypatch):
    monkeypatch.setattr("results.patient.time.sleep", lambda seconds: None)
    number, end, lost = write_running(study, proposed(), "one"), Rows.end, []

    def told_and_lost(self, *how):
        end(self, *how)
        lost.append(how)
        raise sqlalchemy.exc.OperationalError("", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(Rows, "end", lambda self, *how: (end if lost else told_and_lost)(self, *how))
    assert tell_scores(study, number, SCORES, by="one")[0] == SCORES.ssim
    assert len(lost) == 1
    assert candidates(study.get_trials())[0].scores.psnr == SCORES.psnr


def test_a_storage_that_stays_silent_is_given_up_with_what_to_do(monkeypatch):
    silent = Failing(optuna.storages.InMemoryStorage(), "create_new_trial", 10**6, after=False)
    patient = Patient(silent, Patience("h", lambda line: None, 0.0))
    with pytest.raises(Unanswered, match=r"h did not answer for 0 s: see that .*the same command then"):
        patient.create_new_trial(0)


def test_of_very_many_trials_a_sampler_sees_those_that_run_the_best_and_a_part_of_the_rest():
    luck, found = random.Random(0), []
    for number in range(4 * SEEN):
        running = number % 100 == 99
        state = TrialState.RUNNING if running else TrialState.COMPLETE
        values = None if running else [luck.random(), 6 + luck.random()]
        trial = optuna.trial.create_trial(state=state, values=values)
        trial.number = number
        found.append(trial)
    seen = worth_seeing(found)
    numbers = [trial.number for trial in seen]
    assert numbers == sorted(set(numbers))
    assert {trial.number for trial in found if trial.state is TrialState.RUNNING} <= set(numbers)
    front = [
        one.number
        for one in found
        if one.values
        and not any(o.values and o.values[0] > one.values[0] and o.values[1] < one.values[1] for o in found)
    ]
    assert set(front) <= set(numbers)
    assert SEEN * 0.9 <= len(seen) <= SEEN + 1
    assert max(later - before for before, later in itertools.pairwise(numbers)) < 20
