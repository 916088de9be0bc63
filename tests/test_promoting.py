"""Promoting: of two searches that see the same rungs each trains other candidates further, from where it has them."""

import random

import optuna
import pytest

from nas.promoting import Promotions
from nas.seen import Seen
from results.candidate import Candidate, Scores
from results.leases import Alone, Among
from results.storage import Shared, connected
from results.study import Trained
from search_spaces.space import default_space

RUNGS = (4, 12, 36)
LUCK = random.Random(0)
GENOTYPES = [default_space().sample(LUCK) for _ in range(12)]


@pytest.fixture
def leases(tmp_path, monkeypatch):
    monkeypatch.setattr(Among, "_beat_on", lambda self: None)
    where, made = Shared(f"sqlite:///{tmp_path / 'shared.db'}", "night"), []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made.append(Among(connected(where, lambda line: None), where.study, tmp_path / name).__enter__())
    return made


def promotions(leases):
    """Of a search that has seen twelve candidates, of which the best four are to go on, and the reference."""
    seen = Seen(optuna.create_study(directions=["maximize", "minimize"]), Alone(), in_rungs=True)
    for number, genotype in enumerate(GENOTYPES):
        seen.scored(Candidate(number, genotype, Scores(0.5 + number / 100, 30.0, 10**8, 1000)), within=True)
    return Promotions(RUNGS, seen, leases), seen


def all_of(promoting, is_here=None, begun=()):
    found = list(begun)
    while (one := promoting.next(found, is_here)) is not None:
        found.append(one)
    return found


def test_alone_the_yardstick_and_the_best_third_of_the_others_go_on():
    promoting, _ = promotions(Alone())
    assert all_of(promoting) == [(0, 1), (11, 1), (10, 1), (9, 1)]
    assert promoting.left()


def test_two_searches_never_train_the_same_candidate_to_the_same_rung(leases):
    (one, _), (other, _) = (promotions(one) for one in leases)
    mine = [one.next([], None)]
    theirs = all_of(other)
    mine = all_of(one, begun=mine)
    assert not set(mine) & set(theirs)
    assert len(mine) + len(theirs) == 4


def test_what_was_trained_elsewhere_is_left_to_who_has_it(leases):
    promoting, _ = promotions(leases[0])
    assert all_of(promoting, lambda number, rung: number == 10) == [(10, 1)]


def test_nothing_is_left_once_every_rung_is_trained(leases):
    promoting, seen = promotions(leases[0])
    for last in ([(0, 1), (11, 1), (10, 1), (9, 1)], [(0, 2), (11, 2)], []):
        assert promoting.left() == bool(last)
        assert all_of(promoting) == last
        for number, rung in last:
            seen.trained(Trained(number, "rung", RUNGS[rung], 0, "scratch", 0.6 + number / 1000, 30.0))
