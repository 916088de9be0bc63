"""Halving: the best third of a rung by brute force, and a search that promotes the same ones after any interruption."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import optuna
import pytest
import torch

import nas.search
import nas.seen
from nas.scoring.halving import ETA, promotable, rungs_of
from nas.scoring.short import score_by_training
from nas.scoring.training import Training, in_rungs
from nas.search import search
from nas.searching import Searching, SearchSettings
from nas.suggest import derive_seed
from nas.task.evaluation import Quality
from nas.task.training import Diverged, Recipe
from nas.where.here import Here
from results.files import load_network
from results.progress import Silent
from results.run import Run
from results.store import Store
from results.study import REFERENCE_NUMBER, trainings
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.space import default_space
from tests.finished_search import Told

TINY = Blueprint.from_genotype(Genotype(tuple(Stage(1, 4, 1.0, "none") for _ in range(5)), head="conv3x3"))
STEPS = (10, 30, 90)  # rungs of a training of 90 steps
NUMBERS = {  # of a trial, by the seeds of the search and of its training
    (seed, derive_seed(seed, number, "training")): number for seed in range(10) for number in range(40)
}


class Killed(BaseException):
    """Stands for a kill."""


def rung_of(points: list[tuple[float, float]]) -> tuple[dict[int, float], dict[int, float]]:
    """SSIM and costs of (SSIM, cost), numbered from 1 on."""
    return {n: ssim for n, (ssim, _) in enumerate(points, 1)}, {n: cost for n, (_, cost) in enumerate(points, 1)}


def random_points(seed: int) -> list[tuple[float, float]]:
    """Up to 20 points of a coarse grid, so that ties in one objective and in both are common."""
    drawn = random.Random(seed)
    return [(drawn.randrange(10) / 10, float(10 ** drawn.randrange(1, 6))) for _ in range(drawn.randrange(1, 21))]


def ranks_by_removal(points: dict[int, tuple[float, float]]) -> dict[int, int]:
    """Ranks by taking away, again and again, what nothing that is left dominates."""
    left, rank, level = dict(points), {}, 0
    while left:
        front = [
            n
            for n, (ssim, cost) in left.items()
            if not any(s >= ssim and c <= cost and (s, c) != (ssim, cost) for s, c in left.values())
        ]
        for n in front:
            rank[n] = level
            del left[n]
        level += 1
    return rank


@pytest.mark.parametrize(("steps", "rungs"), [(900, (100, 300, 900)), (4, (1, 4)), (1, (1,)), (10, (1, 3, 10))])
def test_rungs_are_a_ninth_a_third_and_all_of_the_steps_as_far_as_they_differ(steps, rungs):
    assert rungs_of(steps) == rungs


@pytest.mark.parametrize("seed", range(100))
def test_who_is_promoted_has_no_higher_rank_than_who_is_not(seed):
    points = random_points(seed)
    ssim, costs = rung_of(points)
    promoted, rank = promotable(ssim, costs), ranks_by_removal(dict(enumerate(points, 1)))
    assert len(promoted) == len(set(promoted)) == len(points) // ETA
    stopped = set(costs) - set(promoted)
    assert all(rank[one] <= rank[other] for one in promoted for other in stopped)
    assert [rank[n] for n in promoted] == sorted(rank[n] for n in promoted)


@pytest.mark.parametrize("seed", range(50))
def test_the_smallest_network_is_never_stopped_for_being_small(seed):
    """Whatever its SSIM: nothing else costs as little, so it has rank 0 and is at an end of the front."""
    drawn = random.Random(seed)
    points = [(drawn.uniform(0.5, 0.9), cost) for cost in drawn.sample(range(100, 10_000), drawn.randrange(5, 20))]
    ssim, costs = rung_of([*points, (0.1, 50.0)])
    assert len(costs) in promotable(ssim, costs)


@dataclass
class Log:
    """What a search had trained: (trial, rung) in order, with all that decides the outcome."""

    seed: int  # of the made-up qualities
    entries: list[tuple[int, int, int, int]] = field(default_factory=list)  # trial, rung, steps, seed
    quality: dict[str, Quality] = field(default_factory=dict)  # of what is finished, by its key
    points: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    calls: int = 0
    kill: tuple[int, str] | None = None  # at which call, "before" or "after" it was finished
    diverges: tuple[int, int] | None = None  # trial, rung
    keeps: bool = True  # or networks are where a version before kept them

    def score(self, task, on_step, trainings, store) -> Quality:
        killed, self.calls = (self.calls, "before") == self.kill, self.calls + 1
        if killed:
            raise Killed
        training, rung, key = trainings[-1], len(trainings) - 1, trainings[-1].scoring.key
        number = NUMBERS[self.seed, trainings[0].seed]
        if (number, rung) == self.diverges:
            raise Diverged("the loss became nan")
        if key not in self.quality:
            drawn = random.Random(f"{self.seed}/{number}/{rung}")
            self.quality[key] = Quality(0.5 + drawn.randrange(6) / 20, 30.0)
            below = trainings[-2].scoring.key if rung else None
            assert training.first == below
            assert below is None or below in self.quality
            self.entries.append((number, rung, training.recipe.steps, training.seed))
            self.points[number, rung] = self.quality[key].ssim, cost(training.blueprint)
            if self.keeps:
                store.keep(training.scoring, training.label, self.quality[key].to_json(), 0.0)
        if (self.calls - 1, "after") == self.kill:
            raise Killed
        return self.quality[key]


def cost(blueprint: Blueprint) -> float:
    return float(macs_of(blueprint, (256, 256)))


@pytest.fixture
def halved(tmp_path, task, monkeypatch):
    """A function that runs one search in memory, again after each kill; returns its log and its study."""

    def run(seed: int, trials: int = 12, told: Told | None = None, **changed):
        study = optuna.create_study(directions=["maximize", "minimize"])
        log = Log(seed, **changed)
        monkeypatch.setattr(nas.search, "open_study", lambda path, **_: study)
        monkeypatch.setattr(nas.search, "score_by_training", log.score)
        settings = SearchSettings(trials, Recipe(STEPS[-1]), score="halving", sampler="random", seed=seed)
        arguments = (Searching(Run(tmp_path), default_space(), task, settings, cost), Here(task), told or Silent())
        try:
            search(*arguments)
        except Killed:
            search(*arguments)
        return log, study

    return run


def promotions(log: Log) -> Iterator[tuple[int, dict[int, tuple[float, float]]]]:
    """Every promotion of a candidate, with all that was known of its rung at that moment."""
    known: dict[int, dict[int, tuple[float, float]]] = {0: {}, 1: {}, 2: {}}
    for number, rung, *_ in log.entries:
        if number == REFERENCE_NUMBER:
            continue
        if rung:
            yield number, dict(known[rung - 1])
        known[rung][number] = log.points[number, rung]


@pytest.mark.parametrize("seed", range(10))
def test_every_promotion_was_of_one_of_the_best_third_of_its_rung_by_brute_force(seed, halved):
    log, _ = halved(seed, trials=20)
    assert any(rung == 2 for number, rung, *_ in log.entries if number != REFERENCE_NUMBER)
    for number, rung in promotions(log):
        rank = ranks_by_removal(rung)
        assert sum(rank[other] < rank[number] for other in rank) < len(rung) // ETA


@pytest.mark.parametrize("trials", [4, 12])
def test_at_the_end_each_rung_has_sent_a_third_of_its_candidates_up(trials, halved):
    log, _ = halved(0, trials=trials)
    sizes = [sum(rung == at and number != REFERENCE_NUMBER for number, rung, *_ in log.entries) for at in range(3)]
    assert sizes[0] == trials - 1
    assert sizes[1] >= sizes[0] // ETA
    assert sizes[2] >= sizes[1] // ETA


@pytest.mark.parametrize("trials", [1, 2, 5])
def test_the_reference_goes_all_the_way(trials, halved):
    log, study = halved(0, trials=trials)
    assert [rung for number, rung, *_ in log.entries if number == REFERENCE_NUMBER] == [0, 1, 2]
    assert [t.steps for t in trainings(study, "rung") if t.number == REFERENCE_NUMBER] == [30, 90]


def test_a_rung_adds_the_steps_that_are_missing_and_starts_from_the_rung_below(halved):
    log, study = halved(0)
    for _, rung, steps, _ in log.entries:  # where each starts from the log looks at itself
        assert steps == STEPS[rung] - (STEPS[rung - 1] if rung else 0)
    assert {training.key for training in trainings(study, "rung")} < set(log.quality)
    recorded = {(t.number, t.steps): t.ssim for t in trainings(study, "rung")}
    assert recorded == {(n, STEPS[rung]): point[0] for (n, rung), point in log.points.items() if rung}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("seed", [3, 4])
def test_a_search_killed_at_any_point_and_started_again_trains_what_an_unbroken_one_does(seed, moment, halved):
    """`after`: the training was finished and kept, but the study was not told."""
    whole, _ = halved(seed)
    for at in range(whole.calls):
        log, study = halved(seed, kill=(at, moment))
        assert log.entries == whole.entries
        assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_the_order_in_which_rungs_were_told_decides_nothing(halved, monkeypatch):
    """A resumed search reads them by number; several workers tell them as they come."""
    whole, _ = halved(5, trials=20)
    told = nas.seen.Seen.trained

    def told_first(self, training):
        told(self, training)
        self.higher[training.steps] = {training.number: training} | self.higher[training.steps]

    monkeypatch.setattr(nas.seen.Seen, "trained", told_first)
    assert halved(5, trials=20)[0].entries == whole.entries


def test_a_training_that_diverges_above_the_first_rung_ends_there_with_the_score_that_it_had(halved):
    whole, _ = halved(0)
    number = next(number for number, rung, *_ in whole.entries if rung == 1 and number != REFERENCE_NUMBER)
    log, study = halved(0, diverges=(number, 1))
    (training,) = [t for t in trainings(study, "rung") if t.number == number and t.steps == STEPS[1]]
    assert training.ssim == log.points[number, 0][0]
    assert study.trials[number].state.name == "COMPLETE"
    assert len(study.trials) == 12


def ignore(step: int, loss: float) -> None: ...


def rungs_on(task, *rungs: int) -> tuple[Training, ...]:
    return in_rungs(Training.on(task, TINY, Recipe(rungs[-1], learning_rate=1e-7), 0), rungs)


def test_where_a_rung_below_is_trained_again_the_search_says_so_and_else_nothing(halved):
    said = "what it was trained to is not in the run's made/, and made again (10 steps from scratch"
    for keeps in (False, True):  # in one folder: the first leaves nothing there
        told = Told()
        halved(0, told=told, keeps=keeps)
        assert any(said in line for line in told.lines) == (not keeps)


def test_a_higher_rung_begins_with_the_weights_of_the_rung_below(tmp_path, task):
    store, (below, above) = Store(tmp_path), rungs_on(task, 3, 4)
    score_by_training(task, ignore, [below], store)
    score_by_training(task, ignore, [below, above], store)
    first, last = (load_network(store.at(one.scoring.key) / "network").state_dict() for one in (below, above))
    assert all(torch.allclose(first[name], last[name], atol=1e-6) for name in first)
    assert any(not torch.equal(first[name], last[name]) for name in first)


def test_a_rung_whose_rung_below_is_not_in_the_store_makes_it_again_first(tmp_path, task):
    """As in a run of a version before, which kept networks by the number of their trial."""
    store, other, (below, above) = Store(tmp_path / "one"), Store(tmp_path / "other"), rungs_on(task, 3, 4)
    score_by_training(task, ignore, [below], other)
    whole = score_by_training(task, ignore, [below, above], other)
    assert score_by_training(task, ignore, [below, above], store) == whole
    assert store.is_made(below.scoring.key)


def test_the_record_of_a_rung_says_how_long_it_was_trained_and_from_what(tmp_path, task):
    store, (below, above) = Store(tmp_path), rungs_on(task, 3, 4)
    score_by_training(task, ignore, [below, above], store)
    assert store.record(below.scoring.key)["label"] == "3 steps from scratch, seed 0"
    assert store.record(above.scoring.key)["label"].startswith(f"1 steps from {below.scoring.key}, seed ")


def test_a_finished_rung_is_trained_by_nobody_again(tmp_path, task):
    store, trainings = Store(tmp_path), rungs_on(task, 3, 4)
    first = score_by_training(task, ignore, trainings, store)
    assert score_by_training(task, lambda step, loss: pytest.fail("trained"), trainings, store) == first
