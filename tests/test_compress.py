"""Compress: which stages run, the control beside the pruned network, the better one kept, and distillation."""

from dataclasses import replace

import pytest
import torch

from compress.bench.latency import latency_cost
from compress.export.ship import ship
from compress.pipeline import cheaper, compress, equal_steps
from compress.settings import Fast
from nas.scoring.supernet import SupernetSettings, train_supernet
from nas.search import slices_of
from nas.task.evaluation import Quality, evaluate
from nas.task.training import Diverged, Recipe
from results.files import has_network, load_network, read_json
from results.progress import Silent
from results.run import Run
from results.study import (
    Training,
    open_study,
    record_training,
    state_full,
)
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.lpienet import LPIENet, build
from search_spaces.space import default_space
from tests.finished_search import (
    GENOTYPES,
    SETTINGS,
    Told,
    candidate,
    finished_search,
    require_equal,
    state,
)

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished search."""
    return finished_search(tmp_path / "run")


def test_the_control_costs_no_more_and_is_trained_for_as_much_computing_and_the_better_one_is_kept(run, task):
    told = Told()
    scores = compress(run, candidate(run, 1), task, SETTINGS, told)["scores"]
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


@pytest.mark.parametrize("winner", ["pruned", "control"])
def test_whichever_is_better_goes_on(run, task, winner, monkeypatch):
    def judged(network, pairs, device):
        macs = cost_of(network.blueprint).macs if isinstance(network, LPIENet) else 0
        small = cost_of(Blueprint.from_genotype(GENOTYPES[2])).macs
        return replace(evaluate(network, pairs, device), ssim=0.9 if (macs == small) == (winner == "control") else 0.5)

    monkeypatch.setattr("compress.pipeline.evaluate", judged)
    monkeypatch.setattr("nas.scoring.short.evaluate", judged)
    scores = compress(run, candidate(run, 1), task, SETTINGS, Silent())["scores"]
    assert scores["float"]["made_by"] == winner
    require_equal(state(run, "float"), state(run, winner))


def test_of_those_that_cost_less_the_best_by_the_search_is_taken_whichever_was_trained_fully(run):
    small = cost_of(Blueprint.from_genotype(GENOTYPES[2])).macs
    study = open_study(run.study)
    record_training(study, Training(3, "full", 6, 0, "scratch", 0.6, 28.0))
    state_full(study, 6, "scratch")
    best = cheaper(run, small)
    assert best is not None
    assert best.number == 2
    assert cheaper(run, 1000) is None


def made_at(run: Run) -> dict[str, int]:
    """When each stage was written, in ns."""
    weights = run.network("trained").parent.glob("*.safetensors")
    return {path.stem: path.stat().st_mtime_ns for path in weights if has_network(path.with_suffix(""))}


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, {"trained", "pruned", "control", "float", "quantized"}),
        ({"in_float": ("head",)}, {"trained", "pruned", "control"}),
        ({"quantization": Recipe(4)}, {"trained", "pruned", "control"}),
        ({"prune": 0.4}, {"trained"}),
        ({"distillation": 0.5}, {"trained"}),
        ({"fine_tuning": Recipe(4)}, {"trained"}),
        ({"training": Recipe(7)}, set()),
        ({"seed": 1}, set()),
    ],
)
def test_with_other_settings_only_what_follows_from_them_is_made_again(run, task, changed, kept):
    compress(run, candidate(run, 1), task, SETTINGS, Silent())
    before = made_at(run)
    compress(run, candidate(run, 1), task, replace(SETTINGS, **changed), Silent())
    after = made_at(run)
    assert set(after) == set(before) == {"trained", "pruned", "control", "float", "quantized"}
    assert {stage for stage in after if after[stage] == before[stage]} == kept


def test_for_another_candidate_every_stage_is_made_again_and_those_that_it_does_not_need_go(run, task):
    compress(run, candidate(run, 1), task, SETTINGS, Silent())
    compress(run, candidate(run, 2), task, replace(SETTINGS, prune=None), Silent())
    assert set(made_at(run)) == {"trained", "float", "quantized"}
    trained = load_network(run.network("trained")).blueprint  # without what computes nothing
    assert [stage.width for stage in trained.stages] == [stage.width for stage in GENOTYPES[2].stages]
    assert not (run.folder / "networks" / "control-training").exists()


def test_equal_computing_is_counted_in_multiply_adds(run):
    rival = candidate(run, 2)
    macs = cost_of(Blueprint.from_genotype(rival.genotype)).macs
    scores = {"trained": {"macs": 4 * macs}, "pruned": {"macs": 2 * macs}}
    assert equal_steps(scores, SETTINGS, rival) == 4 * 6 + 2 * 3


def test_where_the_search_has_nothing_as_cheap_the_pruned_network_is_kept_and_it_is_said(run, task):
    told = Told()
    scores = compress(run, candidate(run, 3), task, replace(SETTINGS, prune=0.2), told)["scores"]
    assert "control" not in scores
    assert scores["float"]["made_by"] == "pruned"
    assert any("no network that costs as little" in line for line in told.lines)


def test_a_control_that_cannot_be_trained_is_named_and_the_pruned_network_goes_on(run, task, monkeypatch):
    def diverges(*arguments):
        raise Diverged("the loss became nan")

    monkeypatch.setattr("compress.pipeline._control", diverges)
    told = Told()
    scores = compress(run, candidate(run, 1), task, SETTINGS, told)["scores"]
    assert scores["float"]["made_by"] == "pruned"
    assert any("candidate 2 could not be trained: the loss became nan" in line for line in told.lines)


def test_without_pruning_the_trained_network_is_quantized(run, task):
    scores = compress(run, candidate(run, 2), task, replace(SETTINGS, prune=None), Silent())["scores"]
    assert list(scores) == ["trained", "float", "quantized"]
    require_equal(state(run, "float"), state(run, "trained"))
    assert scores["quantized"]["method"] == "post-training quantization"


@pytest.mark.parametrize(
    ("int8", "ways"),
    [
        ("ptq", {"post_training"}),
        ("qat", {"quantization_aware"}),
        ("best", {"post_training", "quantization_aware", "float_fine_tuned"}),
    ],
)
def test_int8_is_made_in_the_ways_that_were_asked_for_and_the_best_is_kept(run, task, int8, ways):
    settings = replace(SETTINGS, prune=None, int8=int8)
    quantized = compress(run, candidate(run, 2), task, settings, Silent())["scores"]["quantized"]
    assert {"post_training", "quantization_aware", "float_fine_tuned"} & set(quantized) == ways
    assert quantized["ssim"] == max(quantized[way]["ssim"] for way in ways)


@pytest.mark.parametrize("better", [True, False])
def test_the_float_network_is_the_one_trained_for_longer_where_that_is_the_better(run, task, better, monkeypatch):
    def judged(network, pairs, device, margin=None):
        quality = evaluate(network, pairs, device, margin)
        return replace(quality, ssim=float(better)) if isinstance(network, LPIENet) else quality

    monkeypatch.setattr("compress.int8.ways.evaluate", judged)
    settings = replace(SETTINGS, prune=None, int8="best")
    for told in (Told(), Told()):  # the second call finds everything made
        scores = compress(run, candidate(run, 2), task, settings, told)["scores"]
        longer = scores["quantized"]["float_fine_tuned"]["float"]
        assert scores["float"]["ssim"] == (longer if better else scores["trained"])["ssim"]
        assert scores["float"]["made_by"] == "trained"
        require_equal(state(run, "float"), state(run, "quantized-as-long-in-float" if better else "trained"))
        line = "float: the trained network after a longer float training: SSIM 1.0000"
        assert any(said.startswith(line) for said in told.lines) == better
    scores = compress(run, candidate(run, 2), task, replace(settings, int8="ptq"), Silent())["scores"]
    assert "method" not in scores["float"]
    require_equal(state(run, "float"), state(run, "trained"))
    assert not has_network(run.network("quantized-as-long-in-float"))


def test_a_network_is_pruned_until_it_is_as_fast_as_asked_and_one_that_is_already_is_refused(run, task):
    before = latency_cost(run.folder / "latency", "onnx", "float", (256, 256))(
        Blueprint.from_genotype(GENOTYPES[1])
    ).median
    fast = Fast(0.8 * before, "onnx", "float", (256, 256))
    scores = compress(run, candidate(run, 1), task, replace(SETTINGS, prune=fast), Silent())["scores"]
    assert 0 < scores["pruned"]["latency_ms"] <= 0.8 * before
    assert scores["pruned"]["macs"] < scores["trained"]["macs"]
    for wrong, says in (
        (2 * before, r"ms or less already; ask for fewer, or --prune off"),
        (0.01 * before, r"pruning reached \S+ ms and no less, of \S+ ms before; ask for more"),
    ):
        settings = replace(SETTINGS, prune=replace(fast, milliseconds=wrong))
        with pytest.raises(ValueError, match=says):
            compress(run, candidate(run, 1), task, settings, Silent())


def test_without_int8_there_is_no_int8_file_and_an_earlier_one_goes(run, task):
    settings = replace(SETTINGS, prune=None)
    compress(run, candidate(run, 3), task, settings, Silent())
    assert set(ship(run, task, ("onnx",), [(64, 64)], 0, 1, Silent())) == {"lpienet_float.onnx", "lpienet_int8.onnx"}
    scores = compress(run, candidate(run, 3), task, replace(settings, int8="float"), Silent())["scores"]
    assert "quantized" not in scores
    assert not has_network(run.network("quantized"))
    assert set(ship(run, task, ("onnx",), [(64, 64)], 0, 1, Silent())) == {"lpienet_float.onnx"}
    assert {path.name for path in run.exported.iterdir()} == {"lpienet_float.onnx", "MODEL_CARD.md"}
    assert set(read_json(run.summary)["exported"]) == {"lpienet_float.onnx"}


def test_a_layer_that_is_asked_for_stays_float_in_the_pipeline_and_in_the_file(run, task):
    settings = replace(SETTINGS, prune=None)
    compress(run, candidate(run, 3), task, settings, Silent())
    whole = ship(run, task, ("onnx",), [(64, 64)], 0, 1, Silent())["lpienet_int8.onnx"]
    scores = compress(run, candidate(run, 3), task, replace(settings, in_float=("head",)), Silent())["scores"]
    assert scores["quantized"]["in_float"] == ["head"]
    partly = ship(run, task, ("onnx",), [(64, 64)], 0, 1, Silent())["lpienet_int8.onnx"]
    assert partly["bytes"] != whole["bytes"]  # made anew, from the same weights
    assert partly["ssim"] == pytest.approx(scores["quantized"]["test_ssim"], abs=1e-3)


def test_a_layer_that_the_candidate_does_not_have_is_refused_before_anything_is_trained(run, task):
    with pytest.raises(ValueError, match=r"in_float = encoder7: candidate 3 has encoder1\.0, "):
        compress(run, candidate(run, 3), task, replace(SETTINGS, in_float=("encoder7",)), Silent())
    assert not run.network("trained").with_suffix(".json").exists()


@pytest.fixture
def with_supernet(run, task) -> Run:
    """The finished search, as one that was scored by a supernet of one step."""
    fix = ["activation=relu", "block=released", "levels=3", "opening=relu", "join=concat", "upsampling=bilinear"]
    made_with = {"data": None, "score": "supernet", "cost": "macs", "budget": None, "size": [256, 256], "seed": 0}
    run.describe(made_with | {"steps": 1, "fix": fix})
    train_supernet(default_space().fixed(fix), task, SupernetSettings(Recipe(1)), 0, run.supernet)
    return run


def test_a_candidate_and_its_control_start_from_their_slices_of_the_supernet_and_the_reference_does_not(
    with_supernet, task, monkeypatch
):
    begun = []

    def train_from(start, blueprint, *arguments):
        begun.append((blueprint, start))
        return build(blueprint, seed=0), Quality(0.5, 20.0)

    monkeypatch.setattr("compress.pipeline.train_from", train_from)
    scores = compress(with_supernet, candidate(with_supernet, 1), task, SETTINGS, Silent())["scores"]
    assert [scores[stage]["start"] for stage in ("trained", "control")] == ["inherited weights"] * 2
    slices = slices_of(with_supernet, task)
    assert [blueprint for blueprint, _ in begun] == [Blueprint.from_genotype(GENOTYPES[number]) for number in (1, 2)]
    for number, (_, start) in zip((1, 2), begun, strict=True):
        require_equal(start, slices(GENOTYPES[number]).state_dict())
    begun.clear()
    without = replace(SETTINGS, prune=None, int8="float")
    scores = compress(with_supernet, candidate(with_supernet, 0), task, without, Silent())["scores"]
    assert scores["trained"]["start"] == "scratch"
    assert begun[0][1] is None


def test_slices_are_of_the_space_that_the_run_was_begun_in(run, task):
    made_with = {"data": None, "score": "supernet", "cost": "macs", "budget": None, "size": [256, 256], "seed": 0}
    space = default_space().fixed(["activation=relu", "block=released", "depth=1"])
    run.describe(made_with | {"steps": 1, "fix": [], "space": space.to_json()})
    train_supernet(space, task, SupernetSettings(Recipe(1)), 0, run.supernet)
    assert slices_of(run, task) is not None


def test_a_run_without_a_supernet_has_no_slices(run, with_supernet, task):
    assert slices_of(with_supernet, task) is not None
    for supernet in with_supernet.supernet.iterdir():
        supernet.unlink()
    assert slices_of(with_supernet, task) is None
    assert slices_of(run, task) is None
