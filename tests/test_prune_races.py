"""Races: whether a large part goes, or channels of as much cost, is settled by a short training of both."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from compress.prune.judge import Judge
from compress.prune.prune import Along, Pruned, Target, prune
from search_spaces.lpienet import LPIENet
from tests.judged import DEEP, judge_of, network_of, share

BLOCKS = ("block 0 of encoder2", "block 1 of encoder2")
GONE = 0.1
TRAINED = 7.0


def has_both(network: torch.nn.Module) -> bool:
    assert isinstance(network, LPIENet)
    stages = dict(network.blueprint.named())
    return "encoder2" in stages and len(stages["encoder2"].blocks) == 2


def names(done: Pruned) -> list[str]:
    return [step.said for step in done.way.steps[1:]]


def spoils(when: Callable[[LPIENet], bool], trained: list[LPIENet]) -> Along:
    """A training that is seen in what it trained, and after which networks of one kind are worth nothing."""

    def train(network: LPIENet) -> None:
        trained.append(network)
        with torch.no_grad():
            network.head.project.bias.fill_(TRAINED)
            if when(network):
                network.head.project.weight.zero_()

    return Along(train)


class Hasty(Judge):
    """Without one of the blocks less than nothing is lost, unless a network was spoilt; of SSIM, half."""

    def lost(self, network: torch.nn.Module) -> float:
        if not network.get_parameter("head.project.weight").any():
            return 1e3
        return super().lost(network) if has_both(network) else -1.0

    def told(self, network: torch.nn.Module) -> tuple[float, float]:
        loss, ssim = super().told(network)
        return loss, ssim if has_both(network) else 0.5


@pytest.fixture
def network() -> LPIENet:
    return network_of(DEEP)


@pytest.fixture
def hasty(network) -> Judge:
    judge = judge_of(network)
    return Hasty(judge.ranking, judge.watching, judge.loss)


def test_a_large_part_goes_where_as_much_of_the_rest_is_worth_more_after_a_short_training(network, hasty):
    trained: list[LPIENet] = []
    done = prune(network, share(network, GONE), hasty, along=spoils(has_both, trained))
    assert names(done)[0] in BLOCKS
    assert [has_both(one) for one in trained[:2]] == [False, True]
    with_block, without = (share(one, 0).cost for one in trained[1::-1])
    assert with_block <= without  # as much went


def test_a_large_part_stays_where_it_is_worth_more_after_a_short_training(network, hasty):
    trained: list[LPIENet] = []
    target = share(network, GONE)
    assert names(prune(network, target, hasty))[0] in BLOCKS
    done = prune(network, target, hasty, along=spoils(lambda one: not has_both(one), trained))
    assert has_both(done.network)
    assert all("channels" in name for name in names(done))
    assert done.cost <= target.cost
    assert not trained[0].head.project.weight.any()
    assert not done.network.head.project.bias.eq(TRAINED).any()  # what goes on is as it was before


def test_a_large_part_goes_where_nothing_else_leads_as_far(network, hasty):
    """One channel of each group leaves more than that."""
    target = share(network, 0.95)
    done = prune(network, target, hasty, along=spoils(lambda one: not has_both(one), []))
    assert not has_both(done.network)
    assert done.cost <= target.cost


def test_a_part_that_loses_too_much_leaves_channels_that_do_not(network, hasty):
    done = prune(network, Target(lost=0.02), hasty)
    assert has_both(done.network)
    assert len(names(done)) > 3
    assert 0 < done.way.lost(-1) <= 0.02


def test_the_way_is_told_while_it_is_gone(network, hasty):
    told: list[tuple[float, str]] = []
    target = share(network, GONE)
    along = replace(
        spoils(lambda one: not has_both(one), []), on_step=lambda done, step: told.append((done, step.said))
    )
    done = prune(network, target, hasty, along=along)
    shares = [share for share, _ in told]
    assert told[-1] == (1.0, done.way.steps[-1].said)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1]
    assert not {said for _, said in told} & set(BLOCKS)


def test_the_way_to_a_loss_is_told_by_the_loss(network):
    told: list[float] = []
    done = prune(
        network, Target(lost=0.02), judge_of(network), along=Along(on_step=lambda done, step: told.append(done))
    )
    assert told[-1] == pytest.approx(max(0.0, done.way.lost(-1)) / 0.02)
    assert len(told) == len(done.way.steps) - 1
