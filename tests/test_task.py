"""Task: three parts with random numbers of their own, and nothing that is chosen by the test part."""

from dataclasses import replace

import pytest
import torch

from compress.asked import asked_on
from compress.int8.ways import Quantizing, to_int8
from compress.pipeline import compress
from compress.settings import CompressSettings
from nas.confirm import Confirming, ConfirmSettings, confirm
from nas.scoring.full import score_on_test, train_fully
from nas.scoring.training import Training
from nas.search import search
from nas.searching import Searching, SearchSettings
from nas.task.data.photos import Photo
from nas.task.evaluation import evaluate_each, input_quality
from nas.task.task import Task, TaskSettings, calibration_images, make_task, pairs_to_test
from nas.task.training import Recipe
from nas.where.here import Here
from results.files import load_network
from results.progress import Silent
from results.record import RunSettings
from results.report import report_front
from results.run import Run
from results.store import Store
from results.study import open_study, trainings
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import default_space
from tests.finished_search import few_are_tried


def with_other_test(task: Task) -> Task:
    """The same task, its test photographs replaced by flat ones, on which every network scores otherwise."""
    flat = tuple(
        Photo(f"flat{level}", torch.full((3, 64, 64), level, dtype=torch.uint8), None) for level in (40, 90, 200)
    )
    return make_task(task.settings, replace(task.photos, test=flat), task.device)


def test_the_test_photographs_are_judged_like_the_validation_ones_and_are_others(task):
    names = {part: {name for name, *_ in getattr(task, part)} for part in ("validation", "test")}
    assert names == {"validation": {"chelsea", "coffee"}, "test": {"flower", "grace_hopper", "ihc"}}
    assert task.test_input == input_quality(task.test)
    assert not names["test"] & {photo.name for photo in task.photos.training}


def test_the_noise_of_the_test_photographs_is_drawn_apart_from_that_of_the_validation_ones(task):
    same = replace(task.photos, test=task.photos.validation)
    both = make_task(task.settings, same, task.device)
    for (_, one, clean), (_, other, again) in zip(both.validation, both.test, strict=True):
        assert torch.equal(clean, again)
        correlation = torch.corrcoef(torch.stack([(one - clean).flatten(), (other - clean).flatten()]))[0, 1]
        assert abs(correlation) < 0.1  # 1 where the noise is the same


def test_the_pairs_to_test_follow_from_the_seed(task):
    settings = TaskSettings(seed=3)
    first, again, other = (pairs_to_test(task.photos.test, s, 32) for s in (settings, settings, TaskSettings(seed=4)))
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def small(width: int) -> Genotype:
    return Genotype((Stage(1, width, 1.0, "none"),) * 3, activation="relu", head="conv3x3", levels=2)


def test_a_full_training_keeps_the_score_of_every_test_photograph_beside_its_network(task, tmp_path):
    store, training = Store(tmp_path), Training.on(task, Blueprint.from_genotype(small(4)), Recipe(2), 0)
    quality, test = train_fully(task, lambda step, loss: None, training, store)
    folder = store.at(training.key)
    assert test == evaluate_each(load_network(folder / "network"), task.test, torch.device("cpu"))
    assert (folder / "test.json").exists()
    assert score_on_test(task, folder) == test
    assert train_fully(task, lambda step, loss: None, training, store) == (quality, test)


@pytest.fixture(scope="module")
def searched(task, tmp_path_factory) -> list[tuple[Run, Task]]:
    """The same small search, its best trained fully, with two sets of test photographs."""
    made = []
    for each in (task, with_other_test(task)):
        run = Run(tmp_path_factory.mktemp("search") / "run")
        run.describe(RunSettings(score="short"))
        settings = SearchSettings(trials=5, recipe=Recipe(2), sampler="tpe", budget=10**8)
        space = default_space().fixed(["depth=1", "levels=2"])
        search(
            Searching(run, space, each, settings, lambda blueprint: float(macs_of(blueprint, (256, 256)))),
            Here(each),
            Silent(),
        )
        confirm(Confirming(run, each), ConfirmSettings(Recipe(3), count=3, seeds=1), Here(each), Silent())
        made.append((run, each))
    return made


def test_other_test_photographs_change_no_candidate_no_front_and_no_knee(searched):
    reports, scores, tests = [], [], []
    for run, _ in searched:
        study = open_study(run.study)
        report = report_front(study)
        reports.append(([c.number for c in report.front], report.knee.number, [c.number for c in report.fell_off]))
        scores.append([(t.number, t.ssim, t.psnr) for t in trainings(study, "full")])
        scores[-1] += [(trial.number, *trial.values) for trial in study.trials if trial.values]
        tests.append([score.ssim for t in trainings(study, "full") for score in t.test])
    assert reports[0] == reports[1]
    assert scores[0] == scores[1]
    assert len(tests[0]) == len(tests[1]) > 0
    assert tests[0] != tests[1]


def test_other_test_photographs_change_no_weight_of_any_stage(searched):
    made = []
    for run, each in searched:
        settings = CompressSettings(Recipe(3), Recipe(2), Recipe(2), prune=0.3, int8="float")
        asked = asked_on(run, report_front(open_study(run.study)).front[-1], settings, each)
        compression = compress(run, asked, each, Silent())
        scores = compression.scores
        weights = {stage: load_network(compression.network(stage)).state_dict() for stage in scores}
        validation = {stage: (figures["ssim"], figures["psnr"]) for stage, figures in scores.items()}
        test = {stage: figures["test_ssim"] for stage, figures in scores.items()}
        made.append((weights, validation, scores["float"]["made_by"], test))
    (weights, *chosen, test), (others, *chosen_again, other_test) = made
    assert chosen == chosen_again
    for stage, state in weights.items():
        assert all(torch.equal(state[name], others[stage][name]) for name in state)
        assert test[stage] != other_test[stage]


def test_other_test_photographs_change_no_way_to_int8_and_no_layer_in_float(task, monkeypatch):
    asked = []

    def costly(network, calibration, pairs, watcher):  # which takes minutes: its pairs decide, so they are looked at
        asked.append({name for name, *_ in pairs})
        return ["head"]

    few_are_tried(monkeypatch)
    monkeypatch.setattr("compress.int8.ways.costly_layers", costly)
    network = build(Blueprint.from_genotype(small(8)), seed=0)
    made = []
    for each in (task, with_other_test(task)):
        found = to_int8(
            network, each, Quantizing("best", Recipe(2), calibration_images(each, 2, 0), ("auto",), 0), Silent()
        )
        figures = found.figures
        ways = ("post_training", "quantization_aware", "float_fine_tuned")
        made.append((figures["method"], [figures[way]["ssim"] for way in ways], figures["learning_rate"]))
        best = max(ways, key=lambda way: figures[way]["ssim"])
        assert figures["test_ssim"] == figures[best]["test_ssim"]
    assert made[0] == made[1]
    assert asked == [{"chelsea", "coffee"}] * 2
