"""Compress, inherited: candidates of a search that a supernet scored start from their slices of it."""

from dataclasses import replace

import pytest

from nas.scoring.full import train_fully
from nas.scoring.supernet import SupernetSettings, SupernetTraining, train_supernet
from nas.searching import slices_of
from nas.task.training import Recipe
from results.files import load_network
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.space import default_space
from tests.finished_search import GENOTYPES, IN_FLOAT, compressed, finished_search, require_equal


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished search."""
    return finished_search(tmp_path / "run")


@pytest.fixture
def with_supernet(run, task) -> Run:
    """The finished search, as one that was scored by a supernet of one step."""
    fix = ["activation=relu", "block=released", "levels=2", "opening=relu", "join=concat", "upsampling=bilinear"]
    made_with = RunSettings(score="supernet", steps=1, fix=tuple(fix))
    (run.folder / "run.json").unlink()  # of the search that it was
    run.describe(made_with)
    train_supernet(SupernetTraining(default_space().fixed(fix), task, SupernetSettings(Recipe(1)), 0), run.supernet)
    return run


def test_a_candidate_and_its_control_start_from_their_slices_of_the_supernet_and_the_reference_does_not(
    with_supernet, task, monkeypatch
):
    begun = []

    def train(task, on_step, training, store):
        first = None if training.first is None else load_network(store.at(training.key) / "first").state_dict()
        begun.append((training.blueprint, first))
        return train_fully(task, on_step, training, store)

    monkeypatch.setattr("compress.stages.train_fully", train)
    scores = compressed(with_supernet, 1, task, IN_FLOAT).scores
    assert [scores[stage]["start"] for stage in ("trained", "control")] == ["inherited weights"] * 2
    slices = slices_of(with_supernet, task)
    assert [blueprint for blueprint, _ in begun] == [Blueprint.from_genotype(GENOTYPES[number]) for number in (1, 2)]
    for number, (_, start) in zip((1, 2), begun, strict=True):
        require_equal(start, slices(GENOTYPES[number]).state_dict())
    begun.clear()
    scores = compressed(with_supernet, 0, task, replace(IN_FLOAT, prune=None)).scores
    assert scores["trained"]["start"] == "scratch"
    assert begun[0][1] is None


def test_slices_are_of_the_space_that_the_run_was_begun_in(run, task):
    space = default_space().fixed(["activation=relu", "block=released", "depth=1"])
    (run.folder / "run.json").unlink()
    run.describe(RunSettings(score="supernet", steps=1, space=space.to_json()))
    train_supernet(SupernetTraining(space, task, SupernetSettings(Recipe(1)), 0), run.supernet)
    assert slices_of(run, task) is not None


def test_a_run_without_a_supernet_has_no_slices(run, with_supernet, task):
    assert slices_of(with_supernet, task) is not None
    for supernet in with_supernet.supernet.iterdir():
        supernet.unlink()
    assert slices_of(with_supernet, task) is None
    assert slices_of(run, task) is None
