"""Compress: which stages run, the control beside the pruned network, the better one kept, and distillation."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compress.asked import asked_on
from compress.control import cheaper, equal_steps, paired
from compress.pipeline import compress
from nas.confirm import Confirming, ConfirmSettings, confirm
from nas.scoring.full import train_fully
from nas.task.evaluation import evaluate
from nas.task.training import Diverged, Recipe
from nas.where.here import Here
from results.compressions import compression_of, compressions, path_of
from results.files import load_network, read_json
from results.photo_score import PhotoScore
from results.progress import Silent
from results.run import Run
from results.study import (
    Trained,
    open_study,
    record_training,
    state_full,
    trainings,
)
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.lpienet import LPIENet
from tests.finished_search import (
    GENOTYPES,
    IN_FLOAT,
    SETTINGS,
    Told,
    candidate,
    compressed,
    exported,
    few_are_tried,
    finished_search,
    kinds,
    made_at,
    require_equal,
    state,
)

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished search."""
    return finished_search(tmp_path / "run")


@pytest.fixture(scope="module")
def made(tmp_path_factory, task) -> tuple[Path, Told]:
    """A finished search whose candidate 1 is compressed, and what was said meanwhile."""
    run, told = finished_search(tmp_path_factory.mktemp("made") / "run"), Told()
    compressed(run, 1, task, SETTINGS, told)
    return run.folder, told


@pytest.fixture
def done(made, tmp_path) -> Run:
    """A copy of it."""
    return Run(Path(shutil.copytree(made[0], tmp_path / "done")))


def test_the_control_costs_no_more_and_is_trained_for_as_much_computing_and_the_better_one_is_kept(made):
    run, told = Run(made[0]), made[1]
    scores = compression_of(run).scores
    assert list(scores) == ["trained", "pruned", "control", "float", "quantized"]
    control, pruned, trained = scores["control"], scores["pruned"], scores["trained"]
    assert control["candidate"] == 2
    assert control["macs"] <= pruned["macs"] <= 0.7 * trained["macs"]
    spent = 6 * trained["macs"] + 3 * pruned["macs"]
    assert control["steps"] * control["macs"] == pytest.approx(spent, abs=control["macs"])
    better = "control" if control["ssim"] > pruned["ssim"] else "pruned"
    assert scores["float"]["made_by"] == better
    assert scores["float"]["ssim"] == max(control["ssim"], pruned["ssim"])
    require_equal(state(run, "float"), state(run, better))
    assert ("pruning does not beat the control, which is kept" in told.lines) == (better == "control")


def test_it_is_said_where_the_way_down_is_drawn_and_it_ends_at_what_is_left(made):
    (said,) = (line for line in made[1].lines if line.startswith("SSIM over cost after every move: "))
    drawn = Path(said.removeprefix("SSIM over cost after every move: ").partition(";")[0])
    assert drawn.read_bytes().startswith(b"\x89PNG")
    steps = read_json(drawn.with_suffix(".json"))["steps"]
    assert steps[-1]["cost"] == compression_of(Run(made[0])).scores["pruned"]["macs"] < steps[0]["cost"]


@pytest.mark.parametrize("winner", ["pruned", "control"])
def test_whichever_is_better_goes_on(run, task, winner, monkeypatch):
    def judged(network, pairs, device):
        macs = cost_of(network.blueprint).macs if isinstance(network, LPIENet) else 0
        small = cost_of(Blueprint.from_genotype(GENOTYPES[2])).macs
        return replace(evaluate(network, pairs, device), ssim=0.9 if (macs == small) == (winner == "control") else 0.5)

    monkeypatch.setattr("compress.stages.evaluate", judged)
    monkeypatch.setattr("nas.scoring.short.evaluate", judged)
    scores = compressed(run, 1, task, IN_FLOAT).scores
    assert scores["float"]["made_by"] == winner
    require_equal(state(run, "float"), state(run, winner))


def test_of_those_that_cost_less_the_best_by_the_search_is_taken_whichever_was_trained_fully(run):
    small = cost_of(Blueprint.from_genotype(GENOTYPES[2])).macs
    study = open_study(run.study)
    record_training(study, Trained(3, "full", 6, 0, "scratch", 0.6, 28.0))
    state_full(study, 6, "scratch")
    best = cheaper(run, lambda blueprint: cost_of(blueprint).macs <= small)
    assert best is not None
    assert best.number == 2
    assert cheaper(run, lambda blueprint: False) is None


def test_no_latency_is_measured_of_candidates_behind_the_one_that_is_taken(run):
    asked = []

    def is_fast(blueprint):
        asked.append(blueprint)
        return blueprint == Blueprint.from_genotype(GENOTYPES[4])

    assert cheaper(run, is_fast).number == 4
    assert asked == [Blueprint.from_genotype(GENOTYPES[number]) for number in (0, 4)]  # by their SSIM


def test_the_verdict_on_a_pruned_network_and_its_control_is_by_the_same_test_photographs(made, task):
    run, told = Run(made[0]), made[1]
    scores = compression_of(run).scores
    verdict = scores["control"]["verdict"]
    assert verdict["photographs"] == len(task.test) > 1
    assert verdict["gain"] == pytest.approx(scores["pruned"]["test_ssim"] - scores["control"]["test_ssim"], abs=1e-6)
    assert verdict["names"] == ["the pruned network", "candidate 2, its control"]
    assert verdict["word"] == "cannot be said: one training each"
    assert verdict["sentence"] in told.lines


def test_where_the_search_trained_a_network_twice_the_verdict_knows_how_far_trainings_scatter(run):
    photographs = [f"{number}.png" for number in range(12)]
    scores = {
        seed: tuple(PhotoScore(name, 0.7 + seed / 100 + place / 1000, 30.0) for place, name in enumerate(photographs))
        for seed in (0, 1)
    }
    study = open_study(run.study)
    state_full(study, 6, "scratch")
    for seed in scores:
        record_training(study, Trained(0, "full", 6, seed, "scratch", 0.7, 30.0, scores[seed]))
    far = tuple(replace(score, ssim=score.ssim - 0.3) for score in scores[0])
    near = tuple(replace(score, ssim=score.ssim - 1e-3) for score in scores[0])
    assert paired(run, scores[0], far, ("one", "other")).word == "better"
    assert paired(run, scores[0], near, ("one", "other")).word == "not distinguishable"


@pytest.mark.parametrize(
    ("changed", "new"),
    [
        ({}, []),
        ({"in_float": ("head",)}, ["int8"]),
        ({"quantization": Recipe(4)}, ["int8"]),
        ({"prune": 0.4}, ["int8", "pruning", "training"]),  # the control is trained for as much as pruning cost
        ({"fine_tuning": Recipe(4)}, ["int8", "pruning", "training"]),
        ({"training": Recipe(7)}, ["int8", "pruning", "training", "training"]),
        ({"seed": 1}, ["int8", "pruning", "training", "training"]),
    ],
)
def test_with_other_settings_what_follows_from_them_is_made_and_nothing_is_disturbed(done, task, changed, new):
    first = compression_of(done)
    before, record = made_at(done), first.path.read_text()
    second = compressed(done, 1, task, replace(SETTINGS, **changed))
    after = made_at(done)
    assert kinds(after.keys() - before.keys()) == new
    assert {key: after[key] for key in before} == before
    if changed:
        assert first.path.read_text() == record
        assert [one.name for one in compressions(done)] == sorted([first.key, second.key])


def test_another_weight_of_distillation_prunes_again_and_keeps_the_training_of_the_control(done, task):
    before = made_at(done)
    compressed(done, 1, task, replace(IN_FLOAT, distillation=0.5))
    assert kinds(made_at(done).keys() - before.keys()) == ["pruning"]


def test_the_compression_of_another_candidate_stands_beside_the_one_before(done, task):
    first = compression_of(done)
    weights = state(done, "pruned")
    second = compressed(done, 2, task, replace(IN_FLOAT, prune=None))
    assert set(second.scores) == {"trained", "float"}
    trained = load_network(second.network("trained")).blueprint  # without what computes nothing
    assert [stage.width for stage in trained.stages] == [stage.width for stage in GENOTYPES[2].stages]
    require_equal(load_network(compression_of(done, first.name).network("pruned")).state_dict(), weights)
    assert compression_of(done).name == second.name


def test_what_the_search_trained_fully_is_not_trained_again_and_says_where_it_began(run, task):
    search = Confirming(run, task)
    confirm(search, ConfirmSettings(SETTINGS.training, count=4, seeds=1), Here(task), Silent())
    before = made_at(run)
    scores = compressed(run, 1, task, replace(IN_FLOAT, prune=None)).scores
    assert made_at(run) == before
    trained = next(one for one in trainings(open_study(run.study), "full") if one.number == 1)
    assert scores["trained"]["ssim"] == trained.ssim
    assert scores["trained"]["start"] == "scratch"


def test_a_name_that_another_compression_has_is_refused_before_the_work(run, task):
    settings = replace(IN_FLOAT, prune=None)
    asked = asked_on(run, candidate(run, 3), settings, task)
    compress(run, asked, task, Silent(), "small")
    before = made_at(run)
    other = asked_on(run, candidate(run, 2), settings, task)
    with pytest.raises(ValueError, match=r"compression small of .* was made from something else.*another --name"):
        compress(run, other, task, Silent(), "small")
    assert made_at(run) == before


@pytest.mark.parametrize("name", ["../small", "/tmp/small", "..", ".small", "-small", "a\\b", ""])
def test_a_name_that_leads_elsewhere_is_refused(name, run):
    with pytest.raises(ValueError, match=r"must be a name without a folder|must begin with a letter"):
        path_of(run, name)


def test_equal_computing_is_counted_in_multiply_adds(run):
    rival = candidate(run, 2)
    macs = cost_of(Blueprint.from_genotype(rival.genotype)).macs
    scores = {"trained": {"macs": 4 * macs}, "pruned": {"macs": 2 * macs}}
    assert equal_steps(scores, SETTINGS, rival) == 4 * 6 + 2 * 3


def test_where_the_search_has_nothing_as_cheap_the_pruned_network_is_kept_and_it_is_said(run, task):
    told = Told()
    scores = compressed(run, 3, task, replace(IN_FLOAT, prune=0.2), told).scores
    assert "control" not in scores
    assert scores["float"]["made_by"] == "pruned"
    assert any("no network that costs as little" in line for line in told.lines)


def test_a_control_that_cannot_be_trained_is_named_and_the_pruned_network_goes_on(run, task, monkeypatch):
    trained = []

    def after_the_first(*arguments):
        trained.append(arguments)
        if len(trained) == 1:
            return train_fully(*arguments)
        raise Diverged("the loss became nan")

    monkeypatch.setattr("compress.stages.train_fully", after_the_first)
    told = Told()
    scores = compressed(run, 1, task, IN_FLOAT, told).scores
    assert scores["float"]["made_by"] == "pruned"
    assert any("candidate 2 could not be trained: the loss became nan" in line for line in told.lines)


def test_without_pruning_the_trained_network_is_quantized(run, task):
    scores = compressed(run, 2, task, replace(SETTINGS, prune=None)).scores
    assert list(scores) == ["trained", "float", "quantized"]
    require_equal(state(run, "float"), state(run, "trained"))
    assert scores["quantized"]["method"] == "post-training quantization"
    assert {"post_training", "quantization_aware", "float_fine_tuned"} & set(scores["quantized"]) == {"post_training"}


@pytest.mark.parametrize(
    ("int8", "ways"),
    [
        ("qat", {"quantization_aware"}),
        ("best", {"post_training", "quantization_aware", "float_fine_tuned"}),
    ],
)
def test_int8_is_made_in_the_ways_that_were_asked_for_and_the_best_is_kept(run, task, int8, ways, monkeypatch):
    few_are_tried(monkeypatch)
    settings = replace(SETTINGS, prune=None, int8=int8)
    quantized = compressed(run, 2, task, settings).scores["quantized"]
    assert {"post_training", "quantization_aware", "float_fine_tuned"} & set(quantized) == ways
    assert quantized["ssim"] == max(quantized[way]["ssim"] for way in ways)


@pytest.mark.parametrize("better", [True, False])
def test_the_float_network_is_the_one_trained_for_longer_where_that_is_the_better(run, task, better, monkeypatch):
    def judged(network, pairs, device, margin=None):
        quality = evaluate(network, pairs, device, margin)
        return replace(quality, ssim=float(better)) if isinstance(network, LPIENet) else quality

    few_are_tried(monkeypatch)
    monkeypatch.setattr("compress.int8.ways.evaluate", judged)
    settings = replace(SETTINGS, prune=None, int8="best")
    for told in (Told(), Told()):  # the second call finds everything made
        scores = compressed(run, 2, task, settings, told).scores
        longer = scores["quantized"]["float_fine_tuned"]["float"]
        assert scores["float"]["ssim"] == (longer if better else scores["trained"])["ssim"]
        assert scores["float"]["made_by"] == "trained"
        longer = compression_of(run).network("quantized").with_name("longer")
        expected = load_network(longer).state_dict() if better else state(run, "trained")
        require_equal(state(run, "float"), expected)
        line = "float: the trained network after a longer float training: SSIM 1.0000"
        assert any(said.startswith(line) for said in told.lines) == better
    scores = compressed(run, 2, task, replace(settings, int8="ptq")).scores
    assert "method" not in scores["float"]
    require_equal(state(run, "float"), state(run, "trained"))


def test_two_compressions_are_exported_side_by_side_and_a_layer_that_is_asked_for_is_float_in_the_file(run, task):
    settings = replace(SETTINGS, prune=None)
    first = compressed(run, 3, task, settings)
    whole = exported(run, task)
    assert set(whole) == {"lpienet_float.onnx", "lpienet_int8.onnx"}
    files = {path: path.read_bytes() for path in first.exported.rglob("*.*")}
    second = compressed(run, 3, task, replace(settings, in_float=("head",)))
    assert second.scores["quantized"]["in_float"] == ["head"]
    partly = exported(run, task)
    assert {path.name for path in second.exported.iterdir()} == {*partly, "MODEL_CARD.md", "files.json", "kit"}
    assert {path: path.read_bytes() for path in first.exported.rglob("*.*")} == files
    made_from = [one.listed()["files"]["lpienet_float.onnx"]["made_from"] for one in (first, second)]
    assert made_from == [first.made_from("float")] * 2  # one training for both
    assert partly["lpienet_int8.onnx"]["bytes"] != whole["lpienet_int8.onnx"]["bytes"]
    assert partly["lpienet_int8.onnx"]["ssim"] == pytest.approx(second.scores["quantized"]["test_ssim"], abs=1e-3)


def test_without_int8_the_float_file_alone_is_exported(run, task):
    assert "quantized" not in compressed(run, 3, task, replace(IN_FLOAT, prune=None)).scores
    assert set(exported(run, task)) == {"lpienet_float.onnx"}


def test_a_layer_that_the_candidate_does_not_have_is_refused_before_anything_is_trained(run, task):
    with pytest.raises(ValueError, match=r"in_float = encoder7: candidate 3 has encoder1\.0, "):
        compressed(run, 3, task, replace(SETTINGS, in_float=("encoder7",)))
    assert not run.made.exists()
