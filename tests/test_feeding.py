"""Feeding: searches on one PostgreSQL lose nothing and do nothing twice, whatever is killed, suspended or restarted."""

import signal
import time
from collections import Counter
from multiprocessing import get_context

import pytest
import sqlalchemy
from optuna.trial import TrialState, create_trial

from lpienas.command import main
from results.front import ReferencePoint
from results.rows import rows_of
from results.standing import ask
from results.storage import PASSWORD, Shared, connected
from results.study import fix_reference_point, genotype_of, open_study
from results.trials import attributes_of, tell_failed
from search_spaces.space import REFERENCE
from tests.feeding import Feeder, running_proxy
from tests.postgres import PASSWORD as SECRET
from tests.postgres import binaries, running_postgres

pytestmark = pytest.mark.skipif(binaries() is None, reason="no PostgreSQL: see tests/install-postgres")


@pytest.fixture(scope="module")
def server():
    with running_postgres() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, SECRET)
        yield server


@pytest.fixture
def where(server, request):
    return Shared(server.create(f"of_{request.node.name[:50].lower()}"), "night")


@pytest.fixture
def trials(where):
    """What the study holds, asked again at every call."""
    study = open_study(where, create=True, say=lambda line: None)
    return lambda: study.get_trials(deepcopy=False)


def wait_for(what, seconds=300.0):
    for _ in range(int(seconds / 0.05)):
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds:g} s")


def running_of(trials, feeder):
    """The trial that a search scores now."""

    def find():
        mine = (t for t in trials() if t.state is TrialState.RUNNING and t.user_attrs["search"] == feeder.name)
        return next(mine, None) if feeder.name else None

    return wait_for(find)


def require_once(trials, scored, *feeders):
    """Every network once, the reference first, and each of a training that was done; returns (done, told) by key."""
    found = trials()
    states = Counter(trial.state for trial in found)
    assert states[TrialState.COMPLETE] == scored, states
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}
    complete = [trial for trial in found if trial.state is TrialState.COMPLETE]
    genotypes = [genotype_of(trial) for trial in complete]
    assert genotypes[0] == REFERENCE
    assert len(set(genotypes)) == scored
    assert [trial.number for trial in found] == list(range(len(found)))
    done = [key for feeder in feeders for key in feeder.scored]
    told = [trial.user_attrs["scored"] for trial in complete]
    assert len(set(told)) == scored
    assert set(told) <= set(done)
    return done, told


def test_a_server_is_connected_to_once_a_process(where, trials):
    opened = [open_study(where)._storage.inner for _ in range(2)] + [connected(where, lambda line: None).inner]
    assert len({id(one) for one in opened}) == 1
    with get_context("fork").Pool(1) as fork:
        assert fork.apply(_is_inner, (where, id(opened[0]))) is False


def test_a_connection_that_is_lost_at_any_question_of_a_look_is_made_again(server, where, trials, task, tmp_path):
    """Optuna asks in another way where one fails, in a transaction that went with the connection."""
    (tmp_path / "gate").touch()
    Feeder(tmp_path / "run", where, task, 2).ends()
    whole, said = trials(), []
    storage = connected(where, said.append)
    lost, left = [], [0]

    def lose(*_):
        left[0] -= 1
        if left[0] == 0:
            lost.append(server.end_connections(where.address))

    sqlalchemy.event.listen(rows_of(storage.inner).engine, "before_cursor_execute", lose)
    for question in range(1, 20):
        left[0] = question
        storage.inner._studies.clear()  # what it remembers of trials that are ended
        found = storage.get_all_trials(storage.get_study_id_from_name(where.study))
        assert [(trial.number, trial.values, trial.user_attrs) for trial in found] == [
            (trial.number, trial.values, trial.user_attrs) for trial in whole
        ]
        if len(lost) < question:  # a look is of fewer
            break
    assert len(lost) >= 4
    assert all(count >= 1 for count in lost)
    assert said


def _is_inner(where, identity):
    return id(connected(where, lambda line: None).inner) == identity


def test_a_study_on_a_server_is_watched_by_its_address_and_name_alone(where, trials, capsys):
    study = open_study(where)
    fix_reference_point(study, ReferencePoint(0.5, 1e9))
    ask(study, trials=7)
    facts = attributes_of(REFERENCE, 10**8, 1000, 1e8) | {"psnr": 30.0}
    for state in (TrialState.COMPLETE, TrialState.COMPLETE, TrialState.RUNNING, TrialState.RUNNING):
        values = [0.8, 8.0] if state is TrialState.COMPLETE else None
        study.add_trial(create_trial(state=state, values=values, user_attrs=facts))
    tell_failed(study, 3, "it diverged")
    before = [(trial.number, trial.state) for trial in trials()]
    assert main(["watch", "--storage", where.address, "--study", where.study, "--once"]) == 0
    said = capsys.readouterr().out
    assert "scored 2 of 7" in said
    assert "in flight: candidate 2, 100 MMACs" in said
    assert "failed: candidate 3: it diverged" in said
    assert "front: candidate 1, SSIM 0.8000" in said
    assert [(trial.number, trial.state) for trial in trials()] == before


def test_two_searches_share_the_trials_and_what_one_leaves_that_is_killed_is_done_once(where, trials, task, tmp_path):
    killed, lives = (Feeder(tmp_path / name, where, task, 8) for name in ("killed", "lives"))
    running_of(trials, lives)
    left = running_of(trials, killed)
    killed.is_killed()
    (tmp_path / "gate").touch()
    lives.ends()
    done, told = require_once(trials, 8, killed, lives)
    assert trials()[left.number].state is TrialState.COMPLETE
    assert trials()[left.number].user_attrs["search"] == lives.name
    assert sorted(set(done)) == sorted(told)
    assert [key for key, times in Counter(done).items() if times > 1] == killed.scored  # what it had begun


def test_a_search_that_was_suspended_beyond_its_lease_tells_nothing_that_was_taken_over(where, trials, task, tmp_path):
    sleeps, lives = (Feeder(tmp_path / name, where, task, 6) for name in ("sleeps", "lives"))
    running_of(trials, lives)
    left = running_of(trials, sleeps)
    sleeps.signal(signal.SIGSTOP)
    try:
        (tmp_path / "gate").touch()
        wait_for(lambda: f"candidate {left.number} of a search that is gone" in lives.said)
        lives.ends()
    finally:
        sleeps.signal(signal.SIGCONT)
    sleeps.ends()
    require_once(trials, 6, sleeps, lives)
    assert f"candidate {left.number} was taken over by another search" in sleeps.said
    assert trials()[left.number].user_attrs["search"] == lives.name


def test_a_search_goes_on_when_its_database_crashed_and_is_there_again(server, where, trials, task, tmp_path):
    feeder = Feeder(tmp_path / "run", where, task, 5)
    running_of(trials, feeder)
    server.kill()
    wait_for(lambda: "does not answer" in feeder.said)
    server.start()
    (tmp_path / "gate").touch()
    feeder.ends()
    require_once(trials, 5, feeder)
    assert f"{where.address} does not answer; it is asked again" in feeder.said
    assert all(SECRET.encode() not in path.read_bytes() for path in feeder.folder.rglob("*") if path.is_file())


def test_a_killed_search_takes_up_its_own_trial_at_once_in_the_same_folder(where, trials, task, tmp_path):
    killed = Feeder(tmp_path / "run", where, task, 2)
    left = running_of(trials, killed)
    killed.is_killed()
    (tmp_path / "gate").touch()
    again = Feeder(tmp_path / "run", where, task, 2)
    again.ends()
    require_once(trials, 2, again)
    assert f"candidate {left.number} of a search that is gone is taken over" in again.said


def test_searches_behind_a_proxy_score_every_trial_once_though_one_is_killed(where, trials, task, tmp_path):
    with running_proxy(where.address) as address:
        behind = Shared(address, where.study)
        killed, lives = (Feeder(tmp_path / name, behind, task, 6) for name in ("killed", "lives"))
        running_of(trials, lives)
        left = running_of(trials, killed)
        killed.is_killed()
        again = Feeder(tmp_path / "killed", behind, task, 6)
        wait_for(lambda: f"candidate {left.number} of a search that is gone" in again.said)
        (tmp_path / "gate").touch()
        for feeder in (lives, again):
            feeder.ends()
    require_once(trials, 6, lives, again)  # read from the database itself
    assert trials()[left.number].state is TrialState.COMPLETE
