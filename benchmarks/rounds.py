"""Rounds: pruning as versions before 2026-11-26 did it, for benchmarks/pruning.py to compare with.

torch-pruning ranks all channels of like groups together and takes a share of them in each round. Its groups come in the
order of modules, and pruning ended in the middle of a round, where the cost was met.
"""

import torch
import torch_pruning
from torch import nn

from compress.prune.cost import MACS
from compress.prune.groups import before_gates, blueprint_of, convolutions, maps_cut_off, shapes_of, with_weights
from compress.prune.judge import Judge
from search_spaces.lpienet import LPIENet

_ROUNDS, _LIMIT, _ROUND_TO = 40, 0.9, 4


def by_rounds(whole: LPIENet, keep: float, judge: Judge) -> LPIENet:
    """At most `keep` of the cost of `whole`, by Taylor importance."""
    network = with_weights(whole.blueprint, whole.state_dict())
    with maps_cut_off(network):
        pruner = torch_pruning.pruner.BasePruner(
            network,
            torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
            importance=torch_pruning.importance.GroupTaylorImportance(),
            global_pruning=True,
            isomorphic=True,
            pruning_ratio=_LIMIT,
            max_pruning_ratio=_LIMIT,
            iterative_steps=_ROUNDS,
            round_to=_ROUND_TO,
            ignored_layers=[*convolutions(network.head), *before_gates(network)],
            root_module_types=[nn.Conv2d],
            # torch-pruning 1.6.1 shares these three between instances unless they are given
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )
    target = keep * MACS.of(whole.blueprint)
    for _ in range(_ROUNDS):
        network.zero_grad()
        for degraded, clean in judge.few().ranking:
            judge.loss(network(degraded), clean).backward()  # type: ignore[no-untyped-call]
        for group in pruner.step(interactive=True):
            group.prune()
            blueprint = blueprint_of(shapes_of(network), whole.blueprint)
            if MACS.of(blueprint) <= target:
                return with_weights(blueprint, network.state_dict())
    raise ValueError(f"rounds do not reach {keep:.0%} of the cost")
