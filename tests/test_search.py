import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState
from safetensors.torch import save_file

import nas.scoring.supernet
import nas.search
import nas.searching
from lpienas.command import main
from nas.scoring.supernet import SupernetSettings
from nas.search import SearchStopped, best_so_far, search
from nas.searching import Searching, SearchSettings
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Diverged, OutOfMemory, Recipe
from nas.where.here import Here
from nas.where.killed import WorkerKilled
from results.files import write_tensors
from results.progress import Silent
from results.run import Run
from results.study import BUDGET, candidates, genotype_of, open_study, reference_of
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import GENES
from search_spaces.reach import ImpossibleBudget
from search_spaces.space import PAPER, REFERENCE, Space, default_space
from tests.small_photos import small_photos, with_known_device

ROOT = Path(__file__).parent.parent


@pytest.fixture
def trained(monkeypatch) -> list[Blueprint]:
    """Replaces training by a made-up quality, and records which blueprints would have been trained."""
    seen: list[Blueprint] = []

    def quality(task, on_step, trainings, store):
        seen.append(trainings[-1].blueprint)
        return Quality(0.5 + 0.05 * macs(trainings[-1].blueprint) / 1e9, 30.0)

    monkeypatch.setattr(nas.search, "score_by_training", quality)
    return seen


def macs(blueprint: Blueprint) -> float:
    return float(macs_of(blueprint, (256, 256)))


def run_search(folder: Path, task: Task, trials: int, budget: int | None = None, space: Space | None = None) -> Run:
    run = Run(folder)
    settings = SearchSettings(trials=trials, recipe=Recipe(1), budget=budget, sampler="tpe")
    search(Searching(run, space or default_space(), task, settings, macs), Here(task), Silent())
    return run


def test_the_reference_is_the_first_trial(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=3)
    assert trained[0] == Blueprint.from_genotype(REFERENCE)
    assert reference_of(open_study(run.study).trials).genotype == REFERENCE


def test_a_search_trains_the_asked_number_of_different_networks(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=14)
    assert len(trained) == len(set(trained)) == 14
    assert len(candidates(open_study(run.study).trials)) == 14


def test_a_search_that_is_asked_for_more_trials_continues(tmp_path, task, trained):
    run_search(tmp_path, task, trials=8)
    run_search(tmp_path, task, trials=12)
    assert len(trained) == len(set(trained)) == 12


def test_two_searches_with_one_seed_propose_the_same_networks_even_if_one_was_stopped(tmp_path, task, trained):
    run_search(tmp_path / "whole", task, trials=15)
    whole = list(trained)
    trained.clear()
    for trials in (7, 11, 15):
        run_search(tmp_path / "parts", task, trials=trials)
    assert trained == whole


def test_nothing_over_the_budget_is_trained_except_the_reference(tmp_path, task, trained):
    budget = 400_000_000
    run = run_search(tmp_path, task, trials=12, budget=budget)
    reference, *others = trained
    assert macs(reference) > budget
    assert all(macs(blueprint) <= budget for blueprint in others)
    states = [trial.state for trial in open_study(run.study).trials]
    assert TrialState.PRUNED in states
    assert states.count(TrialState.COMPLETE) == 12


def test_what_is_over_the_budget_is_told_to_the_sampler_as_infeasible(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=6, budget=400_000_000)
    for trial in open_study(run.study).trials:
        over = trial.user_attrs["macs"] > 400_000_000
        assert all((value > 0) == over for value in trial.constraints.values())
        assert set(trial.constraints.values()) == {trial.constraints[BUDGET]}  # once more for dashboards, by number


def test_a_reference_over_the_budget_is_no_candidate(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=6, budget=400_000_000)
    trials = open_study(run.study).trials
    assert reference_of(trials).number not in {candidate.number for candidate in candidates(trials)}


def test_a_budget_that_no_network_fits_is_refused_with_the_nearest_possible_one(tmp_path, task, trained):
    with pytest.raises(ImpossibleBudget, match=r"the smallest possible budget is [\d]+"):
        run_search(tmp_path, task, trials=3, budget=1_000_000)
    assert not trained


def tiny_space() -> Space:
    """Four networks."""
    flat = REFERENCE.flat()
    words = {"head": ("gated", "conv3x3"), "activation": ("elu", "relu")}
    return Space({gene: words.get(gene, (flat[gene],)) for gene in GENES})


def test_a_space_that_is_scored_whole_ends_the_search_and_says_so(tmp_path, task, trained, monkeypatch):
    lines = []
    monkeypatch.setattr(nas.search, "REJECTED_IN_A_ROW", 10)
    monkeypatch.setattr(Silent, "say", lambda self, line: lines.append(line))
    run = run_search(tmp_path, task, trials=9, space=tiny_space())
    assert len(trained) == len(candidates(open_study(run.study).trials)) == 4
    assert [line for line in lines if line.startswith("the search ends with 4 of 9 networks: the last 10 proposals")]


def test_a_search_that_finds_nothing_affordable_stops_with_what_to_change(tmp_path, task, trained, monkeypatch):
    monkeypatch.setattr(nas.search, "REJECTED_IN_A_ROW", 10)
    monkeypatch.setattr(nas.searching, "require_possible", lambda *_: None)
    with pytest.raises(SearchStopped, match="raise --budget"):
        run_search(tmp_path, task, trials=9, budget=1_000_000, space=tiny_space())


@pytest.mark.parametrize("kind", [Diverged, OutOfMemory, WorkerKilled])
def test_a_candidate_that_fails_is_recorded_with_its_reason_and_the_search_goes_on(kind, tmp_path, task, monkeypatch):
    calls = []

    def sometimes(task, on_step, trainings, store):
        calls.append(trainings)
        if len(calls) == 2:
            raise kind("the loss became nan at step 7 of 9")
        return Quality(0.6, 30.0)

    monkeypatch.setattr(nas.search, "score_by_training", sometimes)
    run = run_search(tmp_path, task, trials=4)
    trials = open_study(run.study).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert "step 7 of 9" in trials[1].user_attrs["reason"]


def test_the_best_so_far_names_the_front(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=5)
    found = candidates(open_study(run.study).trials)
    best = max(found, key=lambda candidate: candidate.scores.ssim)
    assert best_so_far(found, "macs").startswith(f"SSIM best {best.scores.ssim:.3f}, knee 0.5")
    assert best_so_far([], "macs") == ""


def test_every_trial_keeps_its_genotype(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=5)
    genotypes = [genotype_of(trial) for trial in open_study(run.study).trials if trial.state is TrialState.COMPLETE]
    assert [Blueprint.from_genotype(genotype) for genotype in genotypes] == trained
    assert PAPER not in genotypes


def test_every_trial_names_the_training_that_scored_it(tmp_path, task, trained):
    run = run_search(tmp_path, task, trials=3)
    settings = SearchSettings(trials=3, recipe=Recipe(1), sampler="tpe")
    searching = Searching(run, default_space(), task, settings, macs)
    scored = [trial for trial in open_study(run.study).trials if trial.state is TrialState.COMPLETE]
    for trial in scored:
        (training,) = searching.trainings(trial.number, genotype_of(trial))
        assert trial.user_attrs["scored"] == training.scoring.key
    assert len({trial.user_attrs["scored"] for trial in scored}) == 3


def test_the_cost_is_the_one_that_the_search_was_given(tmp_path, task, trained):
    def memory(blueprint: Blueprint) -> float:
        return float(sum(stage.width for stage in blueprint.stages))

    run, budget = Run(tmp_path), 100.0
    settings = SearchSettings(6, Recipe(1), cost="memory", budget=budget, sampler="tpe")
    search(Searching(run, default_space(), task, settings, memory), Here(task), Silent())
    reference, *others = trained
    assert memory(reference) > budget
    assert all(memory(blueprint) <= budget for blueprint in others)
    found = candidates(open_study(run.study).trials)
    assert [c.scores.cost for c in found] == [memory(blueprint) for blueprint in others]
    assert [c.scores.macs for c in found] == [macs(blueprint) for blueprint in others]


@pytest.mark.parametrize("score", ["supernet", "tuned"])
def test_a_search_by_supernet_trains_one_and_asks_it_for_every_score(score, tmp_path, task, monkeypatch):
    made: list[tuple[Path, SupernetSettings]] = []
    asked: list[Path] = []

    def train(training, folder, on_step):
        path = training.at(folder)
        write_tensors(path, {"weight": torch.zeros(3)})
        made.append((path, training.settings))

    def quality(task, on_step, path, *of):
        asked.append(path)
        return Quality(0.6, 30.0)

    monkeypatch.setattr(nas.scoring.supernet, "train_supernet", train)
    monkeypatch.setattr(nas.search, {"supernet": "score_by_supernet", "tuned": "score_tuned"}[score], quality)
    settings = SearchSettings(4, Recipe(9), score=score, budget=400_000_000, sampler="tpe")
    for trials in (4, 6):
        search(
            Searching(Run(tmp_path), default_space(), task, replace(settings, trials=trials), macs),
            Here(task),
            Silent(),
        )
    assert made == [(asked[0], SupernetSettings(Recipe(9), ceiling=400_000_000))]
    assert asked == [asked[0]] * 6


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: write_tensors(path, {"weight": torch.ones(3)}), "is another one than the scores of this study"),
        (lambda path: save_file({"weight": torch.ones(3)}, path), "is another one than the scores of this study"),
        (one_bit, "its values are not those that were written: put a copy of it back"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "cannot be read"),
        (lambda path: path.write_text("no tensors"), "cannot be read"),
    ],
)
def test_a_supernet_that_was_swapped_or_damaged_scores_nothing_and_is_named(change, says, tmp_path, task, monkeypatch):
    def train(training, folder, on_step):
        write_tensors(training.at(folder), {"weight": torch.zeros(3)})

    monkeypatch.setattr(nas.scoring.supernet, "train_supernet", train)
    monkeypatch.setattr(nas.search, "score_by_supernet", lambda *_: Quality(0.6, 30.0))
    settings = SearchSettings(2, Recipe(9), score="supernet", sampler="tpe")
    search(Searching(Run(tmp_path), default_space(), task, settings, macs), Here(task), Silent())
    search(Searching(Run(tmp_path), default_space(), task, settings, macs), Here(task), Silent())  # nothing has changed
    (path,) = Run(tmp_path).supernet.iterdir()
    change(path)
    with pytest.raises(ValueError, match=rf"{path.name}.*{says}"):
        search(Searching(Run(tmp_path), default_space(), task, replace(settings, trials=4), macs), Here(task), Silent())
    assert len(candidates(open_study(Run(tmp_path).study).trials)) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"trials": 0}, "trials = 0"),
        ({"budget": 0}, "budget = 0"),
        ({"score": "guess"}, "score = 'guess': must be one of short, halving, supernet, tuned"),
        ({"cost": "beauty"}, "cost = 'beauty': must be one of macs, latency, memory"),
    ],
)
def test_settings_that_no_search_can_have_are_refused_by_name_and_value(wrong, says):
    with pytest.raises(ValueError, match=says):
        SearchSettings(**({"trials": 1, "recipe": Recipe(1)} | wrong))


@pytest.mark.slow
def test_a_search_killed_in_the_middle_and_started_again_is_the_search_that_was_not_killed(tmp_path):
    killed, whole = (with_known_device(tmp_path / name).folder for name in ("killed", "whole"))
    words = of_search(killed, small_photos(tmp_path / "photos"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "lpienas", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until_training(killed, number=2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    states = [trial.state.name for trial in open_study(killed / "study.journal").trials]
    assert states[:3] == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert main(words) == 0
    assert main(of_search(whole, tmp_path / "photos")) == 0
    assert outcome(killed) == outcome(whole)
    assert [state for _, state, _, _ in outcome(killed)] == ["COMPLETE"] * 4


def of_search(folder: Path, photos: Path) -> list[str]:
    """Words of a search each of whose trainings takes longer than it takes to see that it has begun."""
    options = ["--trials", "4", "--score", "short", "--steps", "25", "--patch", "32", "--batch", "4"]
    return ["search", "--out", str(folder), "--data", str(photos), *options, "--workers", "1", "--confirm", "0"]


def wait_until_training(folder: Path, number: int) -> None:
    for _ in range(3000):
        time.sleep(0.1)
        if (folder / "study.journal").exists():
            states = [trial.state.name for trial in open_study(folder / "study.journal").trials]
            if states[number : number + 1] == ["RUNNING"]:
                return
    raise AssertionError(f"trial {number} did not start within five minutes")


def outcome(folder: Path) -> list[tuple[int, str, object, list[float] | None]]:
    return [(t.number, t.state.name, genotype_of(t), t.values) for t in open_study(folder / "study.journal").trials]
