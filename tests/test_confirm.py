"""Confirm: who is trained fully and how often, that nothing is trained twice, and the front that it makes."""

import optuna
import pytest

import nas.confirm
from nas.confirm import Confirming, ConfirmSettings, confirm, folder_of, seed_of, too_close
from nas.task.evaluation import Quality
from nas.task.training import Diverged, Recipe
from nas.where.here import Here
from results.candidate import Candidate, Scores
from results.files import load_network
from results.front import ReferencePoint
from results.photo_score import PhotoScore
from results.progress import Silent
from results.report import report_front
from results.run import Run
from results.study import Trained, fix_reference_point, full_trainings, record_training, trainings
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from search_spaces.space import ADDITIVE, REFERENCE, scaled
from tests.scored import scored

# SSIM by the search, multiply-adds; the reference first. Rank 0: 1, 2, 3. Rank 1: 4, 5. Rank 2: 0.
SEARCHED = ((0.70, 1000), (0.60, 10), (0.80, 100), (0.90, 500), (0.75, 200), (0.79, 700), (0.10, 1100))
SETTINGS = ConfirmSettings(Recipe(40), count=3, seeds=2)
SEEDS = {seed_of(0, number, repetition): (number, repetition) for number in range(30) for repetition in range(4)}


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture
def study(monkeypatch):
    """A finished search, in memory."""
    made = optuna.create_study(directions=["maximize", "minimize"])
    fix_reference_point(made, ReferencePoint(0.05, 10_000))
    for ssim, macs in SEARCHED:
        scored(made, ssim, macs)
    monkeypatch.setattr(nas.confirm, "open_study", lambda path, **_: made)
    return made


class Trainings:
    """Stands for full trainings: their SSIM by (number, seed), and what was done."""

    def __init__(self, ssim):
        self.ssim, self.done, self.trainings = ssim, [], []
        self.kill_at, self.diverges = None, None
        self.firsts = {}  # path of the first weights, by candidate
        self.kept = {}  # what is finished, by key, as its record keeps it

    def score(self, task, on_step, training, store):
        number, repetition = SEEDS[training.seed]
        self.firsts[number] = None if training.first is None else store.at(training.key) / "first"
        if training.key in self.kept:
            return self.kept[training.key]
        if len(self.done) == self.kill_at:
            self.kill_at = None
            raise Killed
        if (number, repetition) == self.diverges:
            raise Diverged("the loss became nan")
        self.done.append((number, repetition))
        self.trainings.append(training)
        ssim = self.ssim(number, repetition)
        each = PhotoScore("a", ssim - 0.2, 29.0), PhotoScore("b", ssim, 30.0)
        self.kept[training.key] = Quality(ssim, 31.0), each
        return self.kept[training.key]


@pytest.fixture
def confirmed(study, task, tmp_path, monkeypatch):
    """A function that confirms with made-up trainings, which it returns; again after a kill."""

    def go(ssim, settings=SETTINGS, kill_at=None, diverges=None, known=()):
        made = Trainings(ssim)
        made.kill_at, made.diverges = kill_at, diverges
        monkeypatch.setattr(nas.confirm, "train_fully", made.score)
        try:
            confirm(Confirming(Run(tmp_path), task, known=known), settings, Here(task), Silent())
        except Killed:
            confirm(Confirming(Run(tmp_path), task, known=known), settings, Here(task), Silent())
        return made

    return go


def apart(number: int, seed: int) -> float:
    """Candidates far from one another, seeds close together."""
    return 0.5 + 0.05 * number + 0.001 * seed


def test_the_dearest_is_trained_first_so_that_no_processor_waits_for_it_at_the_end(confirmed):
    costs = [SEARCHED[number][1] for number, repetition in confirmed(apart).done if repetition == 0]
    assert costs == sorted(costs, reverse=True)


def alike(number: int, seed: int) -> float:
    """Candidates closer than the seeds."""
    return 0.5 + 0.001 * number + 0.05 * seed


def candidate(number: int, ssim: float, macs: int) -> Candidate:
    return Candidate(number, REFERENCE, Scores(ssim, 30.0, macs, 1000))


def test_the_front_and_the_reference_are_trained_and_the_reference_with_every_seed(confirmed):
    assert sorted(confirmed(apart).done) == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]


def test_as_many_candidates_are_trained_as_were_asked_for_beside_a_reference_that_is_one_of_the_best(confirmed):
    assert {number for number, _ in confirmed(apart, ConfirmSettings(Recipe(40), count=6, seeds=1)).done} == set(
        range(7)
    )


def test_what_is_trained_spreads_over_the_costs_also_where_dearer_networks_score_closely(study, confirmed):
    """Twenty more between 400 and 490, each a little better than the cheaper ones: of them one is enough."""
    record_training(study, Trained(1, "rung", 40, 0, "scratch", SEARCHED[1][0], 30.0))  # so that no score is smoothed
    for place in range(20):
        scored(study, 0.85 + 0.001 * place, 400 + 4 * place)
    done = confirmed(apart, ConfirmSettings(Recipe(40), count=3, seeds=1)).done
    assert {number for number, _ in done} == {0, 1, 2, 3}


def test_a_hand_made_network_is_trained_although_it_has_the_worst_score(study, confirmed):
    worst = scored(study, 0.06, 300, ADDITIVE)
    once = ConfirmSettings(Recipe(40), count=4, seeds=1)
    assert {number for number, _ in confirmed(apart, once).done} == {0, 1, 2, 3, 4}
    made = confirmed(apart, once, known=(ADDITIVE,)).done
    assert (worst, 0) in made


def test_candidates_closer_than_the_seed_noise_are_trained_again(confirmed):
    every = [(number, seed) for number in range(4) for seed in range(2)]
    assert sorted(confirmed(alike).done) == every


def test_only_those_that_are_close_to_a_neighbour_in_cost_are_trained_again(confirmed):
    """In order of cost 1, 2, 3, 0: 1 and 2 are close; 3 is close to 1, but not to its neighbours."""
    means = {1: 0.700, 2: 0.7001, 3: 0.60, 0: 0.80}
    done = confirmed(lambda number, seed: means[number] + 0.001 * seed).done
    assert sorted(done) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]


def test_one_seed_trains_everything_once(confirmed):
    assert sorted(confirmed(alike, ConfirmSettings(Recipe(40), count=3, seeds=1)).done) == [(n, 0) for n in range(4)]


def test_too_close_equals_a_comparison_of_all_neighbours_by_hand():
    chosen = [candidate(n, 0.5, macs) for n, macs in ((1, 30), (2, 10), (3, 20), (4, 40))]
    noise = [Trained(1, "full", 40, seed, "scratch", 0.70 + 0.01 * seed, 31.0) for seed in (0, 1)]  # mean 0.705
    once = [Trained(n, "full", 40, 0, "scratch", ssim, 31.0) for n, ssim in ((2, 0.60), (3, 0.72), (4, 0.73))]
    # noise 0.01 / sqrt(2); twice of it 0.01414. In order of cost: 0.60, 0.72, 0.705, 0.73; differences .12, .015, .025
    assert too_close(chosen, noise + once) == set()
    nearer = [Trained(3, "full", 40, 0, "scratch", 0.719, 31.0)]  # difference .014
    assert too_close(chosen, noise + [t for t in once if t.number != 3] + nearer) == {1, 3}


def test_without_a_repetition_there_is_no_noise_and_nobody_is_too_close():
    chosen = [candidate(1, 0.5, 10), candidate(2, 0.5, 20)]
    once = [Trained(n, "full", 40, 0, "scratch", 0.7, 31.0) for n in (1, 2)]
    assert too_close(chosen, once) == set()


def test_every_training_has_a_seed_and_a_folder_of_its_own_and_is_recorded(confirmed, study, tmp_path):
    made = confirmed(alike)
    assert len({training.seed for training in made.trainings}) == 8
    folders = {folder_of(Run(tmp_path), one) for one in trainings(study, "full")}
    assert folders == {tmp_path / "made" / training.key for training in made.trainings}
    assert len(folders) == 8
    assert {(t.number, t.seed): (t.ssim, t.psnr, t.steps) for t in trainings(study, "full")} == {
        (number, seed): (alike(number, seed), 31.0, 40) for number, seed in made.done
    }
    assert all([score.name for score in t.test] == ["a", "b"] for t in trainings(study, "full"))
    assert all(t.test[1].ssim == alike(t.number, t.seed) for t in trainings(study, "full"))


@pytest.mark.parametrize("kill_at", range(8))
def test_after_a_kill_nothing_is_trained_twice_and_nothing_is_missing(kill_at, confirmed):
    """Whatever was recorded, what it takes to be too close is decided as without the kill."""
    made = confirmed(alike, kill_at=kill_at)
    assert len(made.done) == len(set(made.done)) == 8


def test_what_is_confirmed_already_is_not_trained_again_and_more_adds_what_is_missing(confirmed):
    confirmed(apart)
    assert confirmed(apart).done == []
    assert confirmed(apart, ConfirmSettings(Recipe(40), count=4, seeds=2)).done == [(4, 0)]


def test_another_recipe_of_as_many_steps_is_another_training_and_replaces_what_was_recorded(confirmed, study):
    confirmed(apart)
    other = ConfirmSettings(Recipe(40, learning_rate=1e-2), count=3, seeds=2)
    assert len(confirmed(lambda number, seed: apart(number, seed) / 2, other).done) == 5
    assert {t.ssim for t in full_trainings(study)} == {apart(t.number, t.seed) / 2 for t in full_trainings(study)}


def test_what_a_version_before_keys_recorded_counts_and_is_found_where_it_was_kept(confirmed, study, tmp_path):
    older = Trained(1, "full", 40, 0, "scratch", 0.55, 31.0)
    record_training(study, older)
    assert (1, 0) not in confirmed(apart).done
    assert folder_of(Run(tmp_path), older) == tmp_path / "candidates" / "0001" / "full-40-0"


def test_trainings_of_other_lengths_do_not_count(confirmed, study):
    record_training(study, Trained(1, "full", 20, 0, "scratch", 0.99, 31.0))
    assert (1, 0) in confirmed(apart).done


def test_a_training_that_diverges_is_left_out_and_the_others_go_on(confirmed, study):
    made = confirmed(apart, diverges=(2, 0))
    assert sorted(made.done) == [(0, 0), (0, 1), (1, 0), (3, 0)]
    assert 2 not in {t.number for t in trainings(study, "full")}


def test_the_front_is_rebuilt_from_the_full_trainings_and_says_what_fell_off(confirmed, study):
    final = {0: 0.70, 1: 0.65, 2: 0.62, 3: 0.95}  # 2 is no longer better than the cheaper 1
    confirmed(lambda number, seed: final[number] + 0.004 * seed)
    report = report_front(study)
    assert [(c.number, c.scores.ssim) for c in report.front] == [(1, 0.65), (3, 0.95)]
    assert [c.number for c in report.fell_off] == [2]
    assert report.reference.scores.ssim == pytest.approx(0.702)
    assert report.seed_noise == pytest.approx(0.004 / 2**0.5)
    assert report.verdict.startswith("The front beats the reference: at no more MACs candidate 3 is 0.2480 SSIM above")
    assert "seed noise 0.0028" in report.verdict
    assert "full training of 40 steps, from scratch" in report.verdict


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": 0}, "count = 0: must be at least 1"),
        ({"seeds": 0}, "least = 1, seeds = 0: must be 1 <= least <= seeds"),
        ({"least": 0}, "least = 0, seeds = 2: must be 1 <= least <= seeds"),
    ],
)
def test_settings_that_confirm_nothing_are_refused_by_name_and_value(wrong, says):
    with pytest.raises(ValueError, match=says):
        ConfirmSettings(Recipe(1), **wrong)


def test_all_are_trained_as_often_as_is_the_least_also_where_they_are_far_apart(confirmed):
    done = confirmed(apart, ConfirmSettings(Recipe(40), count=3, seeds=3, least=2)).done
    assert sorted(done) == sorted([(number, seed) for number in range(4) for seed in range(2)] + [(0, 2)])


def test_candidates_start_from_inherited_weights_and_the_reference_from_scratch(study, task, tmp_path, monkeypatch):
    made = Trainings(apart)
    monkeypatch.setattr(nas.confirm, "train_fully", made.score)
    small = build(Blueprint.from_genotype(scaled(REFERENCE, 0.25)), seed=5)
    search = Confirming(Run(tmp_path), task, lambda genotype: small)
    confirm(search, ConfirmSettings(Recipe(40), count=1, seeds=1), Here(task), Silent())
    starts = {(training.number, training.start) for training in full_trainings(study)}
    assert starts == {(3, "inherited weights"), (0, "scratch")}
    assert made.firsts[0] is None
    assert load_network(made.firsts[3]).blueprint == small.blueprint


def test_the_front_is_judged_by_the_trainings_of_the_last_confirmation(study, task, tmp_path, monkeypatch):
    once = ConfirmSettings(Recipe(40), count=2, seeds=1)
    small = build(Blueprint.from_genotype(scaled(REFERENCE, 0.25)), seed=5)
    for inherited, level in ((None, 0.5), (lambda genotype: small, 0.7)):
        made = Trainings(lambda number, seed, level=level: level + number / 100)
        monkeypatch.setattr(nas.confirm, "train_fully", made.score)
        confirm(Confirming(Run(tmp_path), task, inherited), once, Here(task), Silent())
    assert [c.scores.ssim for c in report_front(study).candidates if c.number] == pytest.approx([0.71, 0.73])
    assert report_front(study).reference.scores.ssim == 0.5  # trained once, from scratch both times
