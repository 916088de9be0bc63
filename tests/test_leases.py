"""Leases: of several searches one does a piece of work, until it is done, given up, or its search is dead."""

import itertools

import pytest

import results.leases
from results.leases import Among
from results.storage import Shared, connected
from results.study import open_study


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so, for everybody."""
    now = [1000.0]
    monkeypatch.setattr(results.leases.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def among(tmp_path, monkeypatch):
    """A search beside those that were made before, which shows signs of life when the test says so."""
    where, numbers = Shared(f"sqlite:///{tmp_path / 'shared.db'}", "night"), itertools.count()
    monkeypatch.setattr(Among, "_beat_on", lambda self: None)

    def made(folder=None, seconds=None):
        here = folder or tmp_path / f"run {next(numbers)}"
        here.mkdir(exist_ok=True)
        one = Among(connected(where, lambda line: None), where.study, here, seconds)
        return one.__enter__()

    return made


def test_of_two_searches_that_claim_one_gets_it_whichever_asks_again(among):
    one, other = among(), among()
    assert (other.claim("w"), one.claim("w"), other.claim("w"), one.claim("w")) == (True, False, True, False)
    assert other.holds("w")
    assert not one.holds("w")


def test_two_that_claim_at_the_same_moment_are_told_apart_by_the_order_of_their_tickets(among, monkeypatch):
    one, other = among(), among()
    look, views = one._tickets, [[]]  # the other's ticket appears between one's look and its own
    other._new_ticket("w")
    monkeypatch.setattr(one, "_tickets", lambda work: views.pop() if views else look(work))
    assert not one.claim("w")
    assert [ticket.number for ticket in look("w") if not ticket.state.is_finished()] == [0]
    assert len(look("w")) == 2


def test_what_is_done_is_nobodys_any_more_and_what_is_given_up_is_anybodys(among):
    one, other = among(), among()
    for work in ("done", "given up"):
        assert one.claim(work)
    one.done("done")
    one.give_up("given up")
    assert not other.claim("done")
    assert not one.claim("done")
    assert other.claim("given up")


def test_what_a_silent_search_holds_is_taken_over_after_a_lease_and_not_before(clock, among):
    silent, other = among(seconds=60), among()
    assert silent.claim("w")
    for _ in range(6):
        clock[0] += 10
        other._beat()
        assert not other.claim("w")
    clock[0] += 20
    other._beat()
    assert other.claim("w")
    assert not silent.holds("w")


def test_a_search_that_shows_signs_of_life_keeps_what_it_holds_for_any_time(clock, among):
    one, other = among(seconds=60), among()
    assert one.claim("w")
    for _ in range(30):
        clock[0] += 25
        one._beat()
        other._beat()
        assert not other.claim("w")


@pytest.mark.parametrize("beats_first", [True, False])
def test_who_was_silent_itself_measures_others_anew(beats_first, clock, among):
    one, other = among(seconds=60), among()
    assert one.claim("w")
    assert not other.claim("w")
    clock[0] += 500  # the storage answered nobody
    if beats_first:
        other._beat()
    assert not other.claim("w")
    other._beat()
    clock[0] += 20
    other._beat()
    one._beat()
    assert not other.claim("w")


def test_a_search_that_ended_leaves_its_work_at_once(among):
    one, other = among(), among()
    assert one.claim("w")
    one.__exit__(None, None, None)
    other._looked = -1e9
    assert other.claim("w")


def test_the_next_search_in_a_folder_knows_that_the_one_before_is_gone_and_one_in_a_copy_does_not(among, tmp_path):
    killed, folder, copied = among(tmp_path / "run"), tmp_path / "run", tmp_path / "copied"
    assert killed.claim("w")
    copied.mkdir()
    (copied / "shared.json").write_bytes((folder / "shared.json").read_bytes())
    assert not among(copied).claim("w")
    assert among(folder).claim("w")


def test_the_first_search_decides_how_long_a_lease_is(among):
    among(seconds=7)
    assert among().seconds == 7
    with pytest.raises(ValueError, match=r"--lease 9: searches of this study agreed on 7 s"):
        among(seconds=9)


def test_tickets_are_not_among_the_trials_of_the_study(among, tmp_path):
    where = Shared(f"sqlite:///{tmp_path / 'shared.db'}", "night")
    study = open_study(where, create=True)
    assert among().claim("w")
    assert study.get_trials() == []
