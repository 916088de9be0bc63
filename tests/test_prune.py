"""Prune: what costs more than it is worth goes, layer by layer, until the target, and no further."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from compress.prune.cost import MACS, Cost, latency
from compress.prune.prune import NEAR, OutOfReach, Target, prune
from compress.prune.way import Way
from nas.task.metrics import ssim
from results.files import load_network, save_network
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.count import macs_by_part
from search_spaces.genotype import Genotype
from search_spaces.sides import on_any_size
from tests.judged import DEEP, PLAIN, TINY, judge_of, network_of, share

GONE = 0.2  # of the cost of PLAIN, in most tests


@pytest.fixture(scope="module")
def network():
    return network_of(PLAIN)


@pytest.fixture(scope="module")
def pruned(network):
    return prune(network, share(network, GONE), judge_of(network))


def test_what_computes_nothing_goes_first_and_nothing_is_lost_by_it():
    network = network_of(PLAIN)
    with torch.no_grad():
        network.encoder2[2].residuals[0].spatial[3].weight[:, :5] = 0
    first, second = prune(network, share(network, 0.1), judge_of(network)).way.steps[:2]
    assert second.said == "what computes nothing"
    assert second.cost < first.cost
    assert second.loss == pytest.approx(first.loss, abs=1e-6)


@pytest.mark.parametrize(
    ("genotype", "asked"),
    [(PLAIN, 0.1), (PLAIN, 0.5), (replace(PLAIN, join="add"), 0.1), (replace(DEEP, block="released"), 0.1)],
)
def test_what_is_asked_for_goes_to_within_one_percent(genotype, asked):
    network = network_of(genotype)
    smaller = prune(network, share(network, asked), judge_of(network)).network
    assert asked <= 1 - cost_of(smaller.blueprint).macs / cost_of(network.blueprint).macs <= asked + 0.01


def test_no_move_overshoots_while_another_fits(network, pruned):
    whole = cost_of(network.blueprint).macs
    assert all(step.cost > (1 - GONE) * whole for step in pruned.way.steps[:-1])
    assert (1 - GONE - NEAR) * whole <= pruned.way.steps[-1].cost <= (1 - GONE) * whole


def test_the_way_says_what_the_network_costs_and_is_worth_after_every_move(network, pruned):
    steps = pruned.way.steps
    assert [steps[0].cost, steps[-1].cost] == [cost_of(one.blueprint).macs for one in (network, pruned.network)]
    assert all(after.cost < before.cost for before, after in pairwise(steps))
    degraded, clean = judge_of(network).watching[0]
    with torch.no_grad():
        similarity = ssim(pruned.network(degraded).clamp(0, 1), clean).mean().item()
    assert steps[0].said == ""
    assert steps[-1].ssim == pytest.approx(similarity, abs=1e-6)
    assert pruned.way.lost(len(steps) - 1) == steps[0].ssim - steps[-1].ssim
    assert pruned.kept == steps[-1].cost / steps[0].cost


def test_a_way_is_read_again_from_its_json(pruned):
    assert Way.from_json(json.loads(json.dumps(pruned.way.to_json()))) == pruned.way
    for wrong in ({}, {"unit": "MACs", "steps": [{"said": ""}]}, {"unit": "MACs", "steps": []}):
        with pytest.raises(ValueError, match="way"):
            Way.from_json(wrong)


def test_pruning_goes_as_far_as_a_loss_of_ssim_allows(network):
    judge = judge_of(network)
    ways = [prune(network, Target(lost=lost), judge).way for lost in (0.001, 0.01)]
    for way, lost in zip(ways, (0.001, 0.01), strict=True):
        assert max(way.lost(number) for number in range(len(way.steps))) <= lost
    assert ways[1].steps[-1].cost < ways[0].steps[-1].cost
    apart = next(
        number for number, pair in enumerate(zip(*(way.steps for way in ways), strict=False)) if len(set(pair)) > 1
    )
    assert apart > 2
    assert ways[1].steps[apart].said == "level 2"  # of which the other cannot afford the loss, and goes on without


def test_of_a_cost_and_a_loss_the_first_to_be_met_ends_pruning(network, pruned):
    target = share(network, GONE)
    judge = judge_of(network)
    assert prune(network, replace(target, lost=1.0), judge).way == pruned.way
    assert prune(network, replace(target, lost=0.0), judge).cost > target.cost


def test_the_same_network_is_pruned_to_the_same_network(network, pruned):
    again = prune(network, share(network, GONE), judge_of(network))
    assert again.way == pruned.way
    assert all(torch.equal(again.network.state_dict()[n], t) for n, t in pruned.network.state_dict().items())


def test_the_network_that_was_given_stays_as_it_was(network, pruned):
    fresh = network_of(PLAIN)
    assert all(torch.equal(fresh.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    assert network.blueprint == fresh.blueprint
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_pruned_network_is_rebuilt_from_its_files_with_the_same_output(tmp_path, pruned):
    save_network(tmp_path / "pruned", pruned.network)
    image = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        assert torch.equal(load_network(tmp_path / "pruned")(image), pruned.network(image))


@pytest.mark.parametrize(
    ("attention", "block", "activation", "head", "stem"),
    [
        ("channel", "paper", "relu", "gated", "full"),
        ("spatial", "plain", "relu", "gated", "full"),
        ("both", "mobilenet", "gate", "conv3x3", "space-to-depth"),
        ("both", "released", "elu", "conv3x3", "full"),
    ],
)
def test_every_kind_of_network_can_be_pruned_run_and_trained(attention, block, activation, head, stem):
    stages = tuple(replace(stage, attention=attention) for stage in PLAIN.stages)
    network = network_of(Genotype(stages, block, activation, head, stem, levels=2))
    small = prune(network, share(network, 0.1), judge_of(network)).network
    assert cost_of(small.blueprint).macs <= 0.9 * cost_of(network.blueprint).macs
    assert on_any_size(small, torch.rand(1, 3, 37, 51)).shape == (1, 3, 37, 51)
    small.train()(torch.rand(1, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in small.parameters())


def test_a_target_out_of_reach_says_how_far_pruning_got():
    network = network_of(TINY)
    with pytest.raises(OutOfReach, match=r"pruning reached \d+% of the cost and no less; ask to remove less than 99%"):
        prune(network, share(network, 0.99), judge_of(network))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "needs a cost to reach, or an SSIM that may be lost"),
        ({"cost": -1.0}, "target cost = -1.0"),
        ({"cost": float("nan")}, "target cost = nan"),
        ({"lost": -0.1}, "target lost = -0.1"),
    ],
)
def test_a_target_that_says_nothing_or_is_out_of_range_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Target(**wrong)


RATES = {"encoder1": 3e-6, "encoder2": 2e-6, "decoder2": 1e-6, "head": 5e-6}


def milliseconds(blueprint: Blueprint) -> float:
    return 7 + sum(rate * macs_by_part(blueprint, (256, 256)).get(part, 0) for part, rate in RATES.items())


def test_moves_are_ranked_by_what_each_stage_takes_for_its_multiply_adds(network):
    whole = network.blueprint
    modelled = latency(milliseconds, whole)
    smaller = replace(
        whole, stages=tuple(replace(s, blocks=(replace(s.blocks[0], depthwise=3),)) for s in whole.stages)
    )
    saved = milliseconds(whole) - milliseconds(smaller)
    assert modelled.ranks(whole) - modelled.ranks(smaller) == pytest.approx(saved)
    assert modelled.of is milliseconds


@pytest.mark.parametrize("wrong_by", [0.5, 2.0])
def test_what_is_left_never_takes_longer_than_asked_and_few_are_measured(network, wrong_by):
    """Even where the model of the latency is wrong."""
    asked = Counter()

    def measured(blueprint: Blueprint) -> float:
        asked[blueprint] += 1
        return milliseconds(blueprint)

    start = milliseconds(network.blueprint)
    cost = Cost(measured, lambda blueprint: start - wrong_by * (start - milliseconds(blueprint)), "ms")
    done = prune(network, Target(0.8 * start), judge_of(network), cost)
    assert done.cost == milliseconds(done.network.blueprint) <= 0.8 * start
    assert done.cost >= 0.7 * start  # a move of this small network is several percent
    assert sum(asked.values()) <= 10
    assert done.way.steps[-1].cost == done.cost


def test_cost_counts_what_fvcore_counts(network):
    assert MACS.of(network.blueprint) == cost_of(network.blueprint).macs
