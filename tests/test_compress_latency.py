"""Compress to a latency: pruned and control by milliseconds, none above what was asked for."""

from dataclasses import dataclass, replace

import pytest

from compress.prune.prune import Target, prune
from compress.settings import Fast
from nas.task.training import Recipe
from results.files import load_network, read_json
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from tests.finished_search import GENOTYPES, IN_FLOAT, Told, compressed, finished_search


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A finished search; what one test made of it, the next one finds."""
    return finished_search(tmp_path_factory.mktemp("searched") / "run")


@dataclass(frozen=True, slots=True)
class Counted:
    """A latency that is counted, so that no scatter of a busy machine decides: 2 ms, and 1 ms for each 100 kMACs."""

    median: float

    @classmethod
    def of(cls, blueprint):
        return cls(2 + macs_of(blueprint, (256, 256)) / 1e5)


def test_a_network_is_pruned_until_it_is_as_fast_as_asked_and_one_that_is_already_is_refused(run, task, monkeypatch):
    monkeypatch.setattr("compress.stages.latency_cost", lambda *where: Counted.of)
    before = Counted.of(Blueprint.from_genotype(GENOTYPES[1])).median
    fast = Fast(0.8 * before, "onnx", "float", (256, 256))
    scores = compressed(run, 1, task, replace(IN_FLOAT, prune=fast)).scores
    assert 0.7 * before < scores["pruned"]["latency_ms"] <= 0.8 * before
    assert scores["pruned"]["macs"] < scores["trained"]["macs"]
    for wrong, says in (
        (2 * before, r"ms or less already; ask for fewer, for a loss \(--prune-loss\), or --prune off"),
        (0.01 * before, r"pruning reached \S+ ms and no less, of \S+ ms before; ask for more"),
    ):
        settings = replace(IN_FLOAT, prune=replace(fast, milliseconds=wrong))
        with pytest.raises(ValueError, match=says):
            compressed(run, 1, task, settings)


class Timed(Counted):
    """The same, but that candidate 4 takes 1 ms, though it has more multiply-adds than what is left of candidate 1."""

    @classmethod
    def of(cls, blueprint):
        return cls(1.0) if blueprint.stages[-1].width == GENOTYPES[4].stages[-1].width else Counted.of(blueprint)


def test_where_a_latency_is_asked_for_the_control_is_chosen_by_it_and_nothing_shipped_exceeds_it(
    run, task, monkeypatch
):
    monkeypatch.setattr("compress.stages.latency_cost", lambda *where: Timed.of)
    asked = 0.8 * Counted.of(Blueprint.from_genotype(GENOTYPES[1])).median
    made = compressed(run, 1, task, replace(IN_FLOAT, prune=Fast(asked, "onnx", "float", (256, 256))))
    scores = made.scores
    assert scores["control"]["candidate"] == 4
    assert scores["control"]["macs"] > scores["pruned"]["macs"]
    assert scores["control"]["latency_ms"] == 1.0
    for stage in ("pruned", "control", "float"):
        assert Timed.of(load_network(made.network(stage)).blueprint).median <= asked


def test_a_control_that_takes_longer_without_its_dead_channels_is_not_shipped(run, task, monkeypatch):
    control = Blueprint.from_genotype(GENOTYPES[4])
    asked_of = []

    def scattering(blueprint):
        asked_of.append(blueprint)
        return Counted(1e9) if control in asked_of[:-1] else Timed.of(blueprint)

    monkeypatch.setattr("compress.stages.latency_cost", lambda *where: scattering)
    told = Told()
    asked = 0.8 * Counted.of(Blueprint.from_genotype(GENOTYPES[1])).median
    settings = replace(IN_FLOAT, prune=Fast(asked, "onnx", "float", (256, 256)), quantization=Recipe(4))
    scores = compressed(run, 1, task, settings, told).scores
    assert "control" not in scores
    assert scores["float"]["made_by"] == "pruned"
    assert "control: without its dead channels it takes 1e+09 ms, too long" in told.lines


def test_with_a_latency_that_is_reached_already_a_loss_alone_says_how_far_pruning_goes(run, task, monkeypatch):
    monkeypatch.setattr("compress.stages.latency_cost", lambda *where: Counted.of)
    fast = Fast(1.5 * Counted.of(Blueprint.from_genotype(GENOTYPES[1])).median, "onnx", "float", (256, 256))
    settings = replace(IN_FLOAT, prune=fast, prune_loss=0.01)
    made = compressed(run, 1, task, settings)
    way = read_json(made.network("pruned").with_name("way.json"))
    first, *_, last = way["steps"]
    assert way["unit"] == "ms"
    assert last["cost"] == made.scores["pruned"]["latency_ms"] < first["cost"]
    assert first["ssim"] - last["ssim"] <= 0.01


def test_where_a_loss_ends_pruning_above_the_latency_it_goes_on_to_that(run, task, monkeypatch):
    before = Counted.of(Blueprint.from_genotype(GENOTYPES[1])).median
    asked = []

    def ends_early(network, target, judge, cost, along):
        """Where a loss is asked for, as on a network that has none to spare."""
        asked.append(target)
        assert along.train is not None
        return prune(network, target if target.cost else replace(target, cost=0.95 * before), judge, cost, along)

    monkeypatch.setattr("compress.stages.latency_cost", lambda *where: Counted.of)
    monkeypatch.setattr("compress.stages.prune", ends_early)
    fast = Fast(0.8 * before, "onnx", "float", (256, 256))
    made = compressed(run, 1, task, replace(IN_FLOAT, prune=fast, prune_loss=0.5))
    assert asked == [Target(lost=0.5), Target(0.8 * before)]
    assert Counted.of(load_network(made.network("pruned")).blueprint).median <= 0.8 * before
