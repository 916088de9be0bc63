"""Ranked: pruning by moves of channels that are ranked without being measured, and judges of other rules.

For benchmarks/pruning.py to compare with. `taylor` ranks channels by the Taylor expansion alone; `magnitude` by the
mean square of the weights that read them (Li et al., "Pruning filters for efficient convnets", 2017); each for a MAC.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from compress.prune.cost import MACS
from compress.prune.groups import Group, blueprint_of, groups_of, shapes_of, shapes_without, without
from compress.prune.judge import Judge, Look
from compress.prune.prune import FEW, NEAR
from compress.prune.read import Read
from search_spaces.lpienet import LPIENet

RANKED = ("magnitude", "taylor")


def by_rank(network: LPIENet, target: float, judge: Judge, way: str) -> LPIENet:
    """`network` after moves of few channels, the least for each MAC first, until it costs at most `target`."""
    whole, few = MACS.of(network.blueprint), judge.few()
    while (now := MACS.of(network.blueprint)) > target:
        look = few.look(network)
        moves = list(_moves(network, look, way))
        fits = [move for move in moves if move[1] >= target - NEAR * whole]
        best = min(fits or moves, key=lambda move: move[3] / (now - move[1]))
        network = without(network, best[0], best[2], look.reads)
    return network


def _moves(network: LPIENet, look: Look, way: str) -> Iterator[tuple[Group, float, list[int], float]]:
    """Group, MACs that are left, channels, and what they are said to be worth."""
    shapes = shapes_of(network)
    for group in groups_of(network):
        worth = look.worth(group) if way == "taylor" else _magnitude(network, group)
        order = worth.argsort(stable=True).tolist()
        for count in {min(FEW, max(1, group.channels // 4)), 1}:
            if count < group.channels:
                left = blueprint_of(shapes_without(shapes, group, count), network.blueprint)
                yield group, MACS.of(left), order[:count], float(worth[order[:count]].sum())


def _magnitude(network: LPIENet, group: Group) -> Tensor:
    """The mean square of the weights that read each channel of a group (C,), added up over its layers."""
    whole, state = torch.zeros(group.channels), network.state_dict()
    for layer, places in group.inputs:
        whole = whole + state[f"{layer}.weight"].square().mean(dim=(0, 2, 3))[torch.tensor(places)].sum(dim=1)
    return whole


class Same(Judge):
    """A judge by whom the same few patches rank all moves."""

    def hand(self, number: int) -> Judge:
        return self.few()


class Zeros(Judge):
    """A judge after whom nothing stands in the place of what goes."""

    def look(self, network: torch.nn.Module) -> Look:
        seen = super().look(network)
        return Look({layer: Unmended(read.mean, read.covariance) for layer, read in seen.reads.items()}, seen.effects)


class Unmended(Read):
    """What a layer read, of which nothing is told by the rest."""

    def told(self, lost: Tensor, stays: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(lost), len(stays)), torch.zeros(len(lost))
