"""Calibrate: advice, networks of every size, and a result that no earlier one leaks into."""

import io
import itertools
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

import nas.calibrate
import nas.scoring.supernet
from nas.calibrate import (
    AGAIN,
    FULL,
    Calibrating,
    CalibrationSettings,
    calibrate,
    stratified,
    summary_line,
)
from nas.scoring.supernet import SupernetSettings, SupernetTraining, open_supernet
from nas.scoring.training import INHERITED, first_weights
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from nas.where.here import Here
from results.agreement import Agreement, Interval
from results.files import read_json
from results.progress import Silent
from results.table import agreement_table
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.space import Space, default_space

SPACE = default_space()
SETTINGS = CalibrationSettings(Recipe(90), Recipe(9), SupernetSettings(Recipe(5)), networks=6)


def tau_by_pairs(one: list[float], other: list[float]) -> float:
    """Kendall's tau-b by counting pairs (Kendall, "Rank correlation methods")."""

    def sign(difference: float) -> int:
        return (difference > 0) - (difference < 0)

    pairs = [
        (sign(a - c), sign(b - d)) for (a, b), (c, d) in itertools.combinations(list(zip(one, other, strict=True)), 2)
    ]
    untied = [sum(pair[at] != 0 for pair in pairs) for at in (0, 1)]
    return sum(left * right for left, right in pairs) / math.sqrt(untied[0] * untied[1])


def one(name: str, tau: float, seconds: float, above: float = 0.1) -> Agreement:
    """A score whose tau less that of counting is at least `above`, for all that is known."""
    difference = Interval(above + 0.1, above, above + 0.2)
    return Agreement(name, tau, tau - 0.1, tau + 0.1, seconds, difference, difference)


def macs(genotype) -> int:
    return macs_of(Blueprint.from_genotype(genotype), (256, 256))


@pytest.mark.parametrize("budget", [None, 300_000_000])
def test_the_networks_are_different_within_the_budget_and_evenly_spread_in_decades(budget):
    chosen = stratified(SPACE, replace(SETTINGS, networks=12, budget=budget))
    assert len(set(chosen)) == 12
    assert budget is None or max(map(macs, chosen)) <= budget
    decades = [math.log10(macs(genotype)) for genotype in chosen]
    step = (decades[-1] - decades[0]) / 11
    assert decades[-1] - decades[0] > 0.5
    assert all(abs(found - (decades[0] + place * step)) < step / 2 for place, found in enumerate(decades))


def test_no_network_is_taken_twice_where_several_cost_the_same():
    depths = {gene: values if gene == "encoder1.depth" else values[:1] for gene, values in SPACE.choices.items()}
    six = Space(depths).fixed(["activation=elu,relu"])
    assert len(set(stratified(six, SETTINGS))) == six.size == 6


def test_the_networks_depend_on_the_seed_alone():
    assert stratified(SPACE, SETTINGS) == stratified(SPACE, SETTINGS)
    assert stratified(SPACE, SETTINGS) != stratified(SPACE, replace(SETTINGS, seed=1))


def test_a_budget_that_too_few_networks_fit_is_refused():
    with pytest.raises(ValueError, match="networks were found within the budget; raise --budget"):
        stratified(SPACE, replace(SETTINGS, budget=100))


class Made:
    """Stands for trainings: SSIM by blueprint and steps; a finished one is kept in its folder, as a real one is."""

    def __init__(self):
        self.trained: list[tuple[Blueprint, int, str]] = []
        self.scatter = 0.0  # by which each further seed of a network is better
        self.seeds: dict[tuple[Blueprint, int], list[int]] = {}
        self.supernets = 0
        self.diverges: set[Blueprint] = set()
        self.kill_at: int | None = None

    def score(self, task, on_step, trainings, store):
        done = 0
        for training in trainings:
            done += training.recipe.steps
            if not store.is_made(training.scoring.key):
                self._train(training, done, store)

    def _train(self, training, done, store):
        blueprint = training.blueprint
        if len(self.trained) == self.kill_at:
            self.kill_at = None
            raise KeyboardInterrupt
        if blueprint in self.diverges:
            raise Diverged("the loss became nan")
        assert not training.continues or store.is_made(training.first)
        self.trained.append((blueprint, training.recipe.steps, training.start.split("-")[0]))
        self.seeds.setdefault((blueprint, done), []).append(training.seed)
        again = len(self.seeds[blueprint, done]) - 1
        figures = {"ssim": ssim_of(blueprint, done) + self.scatter * again, "psnr": 30.0}
        store.keep(training.scoring, training.label, figures, 1.0)

    def train(self, training, folder, on_step):
        self.supernets += 1
        path = training.at(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def ssim_of(blueprint: Blueprint, steps: int) -> float:
    return random.Random(f"{blueprint}/{steps}").random()


def by_supernet(task, on_step, path, space, blueprint) -> Quality:
    assert path.exists()
    return Quality(1e-12 * macs_of(blueprint, (256, 256)), 30.0)


@pytest.fixture
def made(monkeypatch) -> Made:
    stand_in = Made()
    monkeypatch.setattr(nas.calibrate, "score_by_training", stand_in.score)
    monkeypatch.setattr(nas.scoring.supernet, "train_supernet", stand_in.train)
    monkeypatch.setattr(nas.calibrate, "score_by_supernet", by_supernet)
    return stand_in


def calibrated(folder: Path, task: Task, settings: CalibrationSettings = SETTINGS):
    return calibrate(Calibrating(folder, SPACE, task, settings), Here(task), Silent())


def require_right(result, settings: CalibrationSettings = SETTINGS) -> None:
    """Every figure of every network is that of the network itself, and every agreement that of the figures."""
    networks = stratified(SPACE, settings)
    assert [row["genotype"] for row in result["networks"]] == [genotype.to_json() for genotype in networks]
    for row, genotype in zip(result["networks"], networks, strict=True):
        blueprint = Blueprint.from_genotype(genotype)
        assert row[FULL] == ssim_of(blueprint, settings.full.steps)
        assert row["supernet"] == 1e-12 * macs(genotype)
        assert row["MACs alone"] == macs(genotype)
        assert row["parameters alone"] == parameters_of(blueprint)
        for steps in (settings.short.steps // 9, settings.short.steps // 3, settings.short.steps):
            assert row[f"short, {steps} steps"] == ssim_of(blueprint, steps)
    truth = [row[FULL] for row in result["networks"]]
    for found in result["agreements"]:
        score = [row[found["name"]] for row in result["networks"]]
        assert found["tau"] == pytest.approx(tau_by_pairs(score, truth))


def test_a_calibration_compares_every_score_with_full_training(tmp_path, task, made):
    result = calibrated(tmp_path, task)
    require_right(result)
    assert [found["name"] for found in result["agreements"]] == [
        "supernet",
        "short, 1 steps",
        "short, 3 steps",
        "short, 9 steps",
        "MACs alone",
        "parameters alone",
    ]
    assert read_json(tmp_path / "calibration.json") == result
    assert result["left_out"] == []
    assert made.supernets == 1


def test_full_training_is_the_mean_of_its_seeds_and_is_compared_with_itself(tmp_path, task, made):
    made.scatter = 0.25
    result = calibrated(tmp_path, task, replace(SETTINGS, seeds=3))
    for row, genotype in zip(result["networks"], stratified(SPACE, SETTINGS), strict=True):
        single = ssim_of(Blueprint.from_genotype(genotype), SETTINGS.full.steps)
        assert row[f"{FULL}, each seed"] == pytest.approx([single, single + 0.25, single + 0.5])
        assert row[FULL] == pytest.approx(single + 0.25)
    assert result["agreements"][-1]["name"] == AGAIN
    assert result["agreements"][-1]["tau"] == pytest.approx(1)
    assert all(len(set(seeds)) == 3 for (_, steps), seeds in made.seeds.items() if steps == SETTINGS.full.steps)


def test_the_short_and_every_full_training_of_a_network_have_seeds_of_their_own(tmp_path, task, made):
    """With one seed they would share first weights and patches, and agree better than a short training can."""
    calibrated(tmp_path, task, replace(SETTINGS, seeds=2))
    for genotype in stratified(SPACE, SETTINGS):
        blueprint = Blueprint.from_genotype(genotype)
        short, full = (made.seeds[blueprint, steps] for steps in (SETTINGS.short.steps // 9, SETTINGS.full.steps))
        assert len({*short, *full}) == 3


def test_more_seeds_train_again_only_what_is_new(tmp_path, task, made):
    calibrated(tmp_path, task)
    calibrated(tmp_path, task, replace(SETTINGS, seeds=2))
    assert len(made.trained) == 5 * SETTINGS.networks


def test_each_rung_starts_from_the_one_below_and_full_training_from_scratch(tmp_path, task, made):
    calibrated(tmp_path, task)
    first = [(steps, start) for _, steps, start in made.trained[:4]]
    assert first == [(90, "scratch"), (1, "scratch"), (2, "scoring"), (6, "scoring")]
    assert len(made.trained) == 4 * SETTINGS.networks


@pytest.mark.parametrize("kill_at", [0, 2, 9, 23])
def test_an_interrupted_calibration_goes_on_to_the_same_result(kill_at, tmp_path, task, made):
    made.kill_at = kill_at
    with pytest.raises(KeyboardInterrupt):
        calibrated(tmp_path, task)
    assert not (tmp_path / "calibration.json").exists()
    require_right(calibrated(tmp_path, task))
    assert len(made.trained) == len(set(made.trained)) == 4 * SETTINGS.networks
    assert made.supernets == 1


@pytest.mark.parametrize(
    "change",
    [
        {"networks": 8},
        {"budget": 200_000_000},
        {"seed": 1},
        {"short": Recipe(90), "full": Recipe(9)},
        {"short": Recipe(90)},
        {"size": (512, 512)},
    ],
)
def test_a_calibration_with_other_settings_in_one_folder_takes_nothing_that_is_not_its_own(
    change, tmp_path, task, made
):
    calibrated(tmp_path, task)
    other = replace(SETTINGS, **change)
    result = calibrated(tmp_path, task, other)
    if "size" not in change:
        require_right(result, other)


def test_other_patches_are_another_training(tmp_path, task, made):
    calibrated(tmp_path, task)
    before = len(made.trained)
    calibrated(tmp_path, replace(task, settings=replace(task.settings, batch=3)))
    assert len(made.trained) == 2 * before


def test_a_network_that_cannot_be_trained_is_left_out_and_named(tmp_path, task, made):
    networks = stratified(SPACE, SETTINGS)
    made.diverges = {Blueprint.from_genotype(networks[2])}
    result = calibrated(tmp_path, task)
    assert result["left_out"] == [networks[2].to_json()]
    assert len(result["networks"]) == 5


def test_full_trainings_start_from_the_supernet_where_that_is_asked_for_and_short_ones_do_not(
    tmp_path, task, monkeypatch
):
    made = Made()
    begun = []

    def score(task, on_step, trainings, store):
        begun.append((trainings[0], first_weights(store, trainings[0], trainings[0].scoring)))
        made.score(task, on_step, trainings, store)

    monkeypatch.setattr(nas.calibrate, "score_by_training", score)
    monkeypatch.setattr(nas.calibrate, "score_by_supernet", by_supernet)
    settings = replace(SETTINGS, supernet=SupernetSettings(Recipe(1)), start=INHERITED)
    result = calibrated(tmp_path, task, settings)
    assert result["start"] == INHERITED
    path = SupernetTraining(SPACE, task, settings.supernet, settings.seed).at(tmp_path / "supernet")
    slices = open_supernet(path, SPACE)
    full = [(training.blueprint, first) for training, first in begun if training.recipe == settings.full]
    assert len(full) == settings.networks
    for blueprint, first in full:
        own = slices.network(blueprint).state_dict()
        assert all(torch.equal(own[name], value) for name, value in first.state_dict().items())
    first_rungs = [first for training, first in begun if training.recipe.steps == settings.short.steps // 9]
    assert first_rungs == [None] * settings.networks


def test_too_few_networks_that_could_be_trained_are_refused(tmp_path, task, made):
    made.diverges = {Blueprint.from_genotype(genotype) for genotype in stratified(SPACE, SETTINGS)[:3]}
    with pytest.raises(ValueError, match="only 3 of 6 networks could be trained"):
        calibrated(tmp_path, task)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"networks": 3}, "networks = 3"),
        ({"seeds": 0}, "seeds = 0"),
        ({"target": 0.0}, r"target = 0\.0"),
        ({"target": 1.1}, r"target = 1\.1"),
        ({"start": "inherited"}, "start = 'inherited': must be 'scratch' or 'inherited weights'"),
    ],
)
def test_settings_that_no_calibration_can_have_are_refused_by_name_and_value(wrong, says):
    with pytest.raises(ValueError, match=says):
        replace(SETTINGS, **wrong)


def test_the_table_shows_every_score_with_its_intervals_beside_counting_in_80_columns():
    above, within = Interval(0.23, -0.04, 0.41), Interval(0.52, 0.33, 0.71)
    one = Agreement("supernet", 0.81, 0.55, 0.96, 1234.2, above, above, within, 12).to_json()
    result = {"agreements": [one], "networks": [{}] * 12, "full_steps": 1500, "seeds": 2}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(agreement_table(result))
    shown = " ".join(console.export_text().split())
    for part in ("12 networks, 1500 steps, 2 seeds", "supernet", "0.81 (0.55, 0.96)", "1234.2"):
        assert part in shown
    for part in ("+0.23 (-0.04, 0.41)", "0.52 (0.33, 0.71)", "at most 1.25 times"):
        assert part in shown


def test_a_calibration_of_an_earlier_version_is_shown_without_the_comparison():
    one = {"score": "supernet", "tau": 0.81, "low": 0.55, "high": 0.96, "seconds": 0.2}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(agreement_table({"agreements": [one], "networks": [{}] * 12, "full_steps": 1500}))
    shown = console.export_text()
    assert "0.81 (0.55, 0.96)" in shown
    assert "above MACs" not in shown
    stored = {"agreements": [one], "networks": [{}] * 12, "advice": "-"}
    assert summary_line(stored, "supernet", 9).endswith("Kendall tau 0.81 (0.55 to 0.96) over 12 networks")
