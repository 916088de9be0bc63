"""How moves are ranked: by what they lose for what they cost, measured on a few patches, others for each."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from compress.prune.groups import groups_of, without
from compress.prune.judge import Judge
from compress.prune.prune import NEAR, Target, prune
from nas.task.losses import Loss
from nas.task.metrics import ssim
from search_spaces.cost import cost_of
from search_spaces.lpienet import LPIENet
from tests.judged import DEEP, PLAIN, TINY, judge_of, network_of, share


def owner(said: str) -> str:
    return said.split(": ")[-1]


def test_what_is_clipped_weighs_apart_where_moves_are_ranked():
    """By the degraded images, of which half a one is white here."""
    network = network_of(TINY)
    judge = judge_of(network)
    degraded, clean = judge.ranking[0]
    degraded = degraded.clone()
    degraded[0, :, :8] = 1.0
    plain, apart = (replace(judge, ranking=((degraded, clean),), loss=loss) for loss in (Loss(), Loss(clipped=5.0)))
    assert apart.lost(network) > 1.5 * plain.lost(network)
    effects = [one.look(network).effects for one in (plain, apart)]
    assert any((effects[0][name] - effects[1][name]).abs().max() > 1e-6 for name in effects[0])


@pytest.mark.parametrize("stage", ["encoder1", "decoder2"])
def test_a_layer_that_was_made_useless_by_hand_goes_before_all_others(stage):
    network = network_of(PLAIN)
    useless = f"{stage}.2.residuals.0.spatial"
    with torch.no_grad():  # not 0: what computes nothing at all is found before
        network.get_submodule(useless)[3].weight *= 1e-3
    place = network.blueprint.names.index(stage)
    stages = list(network.blueprint.stages)
    stages[place] = replace(stages[place], blocks=(replace(stages[place].blocks[0], depthwise=2),))
    least = cost_of(replace(network.blueprint, stages=tuple(stages))).macs  # with two channels of the useless layer
    steps = prune(network, Target(least), judge_of(network)).way.steps
    assert len(steps) > 2
    assert {owner(step.said) for step in steps[1:]} == {useless}


def test_a_block_that_was_made_useless_by_hand_goes_as_one_before_all_others():
    network = network_of(DEEP)
    with torch.no_grad():
        network.encoder2[2].residuals[1].spatial[3].weight.zero_()
    done = prune(network, share(network, 0.06), judge_of(network))
    assert done.way.steps[2].said == "block 1 of encoder2"  # behind its channels, which compute nothing
    assert [len(stage.blocks) for stage in done.network.blueprint.stages] == [2, 1, 2]


def test_attention_that_was_made_useless_by_hand_goes_as_one_before_all_others():
    stages = list(PLAIN.stages)
    stages[1] = replace(stages[1], attention="both")
    network = network_of(replace(PLAIN, stages=tuple(stages)))
    with torch.no_grad():
        network.encoder2[2].attention.join.weight.zero_()
    done = prune(network, share(network, 0.15), judge_of(network))
    said = [step.said for step in done.way.steps if step.said not in ("", "what computes nothing")]
    assert said[0] == "attention of encoder2"
    assert done.network.blueprint.stages[1].attention == "none"


def test_every_move_is_the_one_that_brute_force_finds():
    """Of all channels of all groups, each taken out by itself; multiply-adds by fvcore, the loss by its formula."""
    network = network_of(TINY)
    with torch.no_grad():  # each channel matters half as much as the one before
        for stage in network.blueprint.names:
            first, _, block = getattr(network, stage)
            last = block.residuals[0].spatial[3]
            for channel in range(4):
                for weight in (first.weight[channel], first.bias[channel], last.weight[channel]):
                    weight *= 0.5**channel
                last.weight[:, channel] *= 0.5**channel
    judge = judge_of(network)
    judge = replace(judge, watching=judge.ranking)  # so that the way tells what ranked
    taken = prune(network, share(network, 0.2), judge)
    degraded, clean = judge.ranking[0]

    def lost(smaller: LPIENet) -> float:
        with torch.no_grad():
            output = smaller(degraded)
            return float((output - clean).abs().mean() + 0.1 * (1 - ssim(output, clean).mean()))

    assert len(taken.way.steps) > 3
    for before, after in pairwise(taken.way.steps):
        reads = judge.look(network).reads
        every = [
            (group.name, without(network, group, (channel,), reads))
            for group in groups_of(network)
            for channel in range(group.channels)
            if group.channels > 1
        ]
        costs = [cost_of(smaller.blueprint).macs for _, smaller in every]
        least = min((0.8 - NEAR) * taken.way.steps[0].cost, max(costs))  # where none fits, the least that overshoots
        rates = [
            max(lost(smaller) - lost(network), 0) / (before.cost - cost)
            for (_, smaller), cost in zip(every, costs, strict=True)
            if cost >= least
        ]
        fitting = [one for one, cost in zip(every, costs, strict=True) if cost >= least]
        name, network = fitting[rates.index(min(rates))]
        assert (owner(after.said), after.cost) == (name, cost_of(network.blueprint).macs)
        assert after.loss == pytest.approx(lost(network), rel=0.01)  # of two channels alike, Taylor may take the other


def in_batches_of(size: int, judge: Judge) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    degraded, clean = judge.ranking[0]
    return tuple(zip(degraded.split(size), clean.split(size), strict=True))


def test_each_move_is_ranked_by_other_patches_until_all_have_ranked():
    network = network_of(TINY)
    judge = judge_of(network)
    judge = replace(judge, ranking=in_batches_of(1, judge))  # 16 batches, two hands
    assert [judge.hand(number).ranking for number in range(3)] == [
        judge.ranking[:8],
        judge.ranking[8:],
        judge.ranking[:8],
    ]
    asked = []

    class Told(Judge):
        def hand(self, number: int) -> Judge:
            asked.append(number)
            return super().hand(number)

    done = prune(network, share(network, 0.2), Told(judge.ranking, judge.watching, judge.loss))
    assert asked == list(range(len(done.way.steps) - 1))


def test_what_few_patches_call_worthless_and_all_of_a_hand_do_not_stays():
    network = network_of(TINY)
    judge = judge_of(network)

    def hidden(network: torch.nn.Module) -> int:
        return network.encoder1[2].residuals[0].spatial[3].weight.shape[1]

    class Misled(Judge):
        def lost(self, network: torch.nn.Module) -> float:
            if hidden(network) == 4:
                return super().lost(network)
            return -1.0 if len(self.ranking) == 2 else 1.0

    misled = Misled(in_batches_of(2, judge), judge.watching, judge.loss)
    assert hidden(prune(network, share(network, 0.2), judge).network) < 4  # it would go
    assert hidden(prune(network, share(network, 0.2), misled).network) == 4
