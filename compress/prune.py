"""Prune: remove whole channels with torch-pruning until a network costs what it may; the result is a blueprint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch_pruning
from torch import Tensor, nn

from search_spaces.blocks import Attention, InvertedResidual, IRABlock
from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import STAGES
from search_spaces.lpienet import LPIENet, build

_ROUNDS = 40  # small steps, each ranked anew; the loop ends at the MACs target
_LIMIT = 0.9  # share of channels that may go in all
_ROUND_TO = 4  # channel counts stay multiples of this
_TRACED_SIDE = 32  # pixels


@dataclass(frozen=True, slots=True)
class Pruned:
    """A smaller network with the weights that survived."""

    network: LPIENet
    macs: int  # at 256x256
    kept: float  # share of the MACs before


def prune(network: LPIENet, keep: float, gradients: Callable[[nn.Module], None] | None = None) -> Pruned:
    """Remove channels until at most `keep` of the MACs are left (0 < keep < 1); `network` stays as it was.

    Global ranking over groups of like shape (isomorphic pruning). Importance is the magnitude of a group's weights,
    or first-order Taylor where `gradients(network)` is given, which has to leave a gradient of the loss in every
    parameter. The head is not pruned: its three channels are the picture. Raises ValueError when `keep` is out of
    range or out of reach.
    """
    if not 0 < keep < 1:
        raise ValueError(f"keep = {keep}: must be a share of the MACs between 0 and 1")
    before = cost_of(network.blueprint).macs
    # torch-pruning changes modules in place, so it gets a copy
    shrinking = build(network.blueprint, seed=0)
    shrinking.load_state_dict(network.state_dict())
    shrinking.eval()
    example = torch.rand(1, IMAGE_CHANNELS, _TRACED_SIDE, _TRACED_SIDE, generator=torch.Generator().manual_seed(0))
    with _maps_cut_off(shrinking):
        pruner = torch_pruning.pruner.BasePruner(
            shrinking,
            example,
            importance=_magnitude() if gradients is None else _taylor(),
            global_pruning=True,
            isomorphic=True,
            pruning_ratio=_LIMIT,
            max_pruning_ratio=_LIMIT,
            iterative_steps=_ROUNDS,
            round_to=_ROUND_TO,
            ignored_layers=[module for module in shrinking.head.modules() if isinstance(module, nn.Conv2d)],
            root_module_types=[nn.Conv2d],
            # torch-pruning 1.6.1 shares these three between instances unless they are given
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )
    blueprint = network.blueprint
    for _ in range(_ROUNDS):
        if gradients is not None:
            gradients(shrinking)
        pruner.step()
        blueprint = blueprint_of(shrinking)
        if cost_of(blueprint).macs <= keep * before:
            break
    macs = cost_of(blueprint).macs
    if macs > keep * before:
        raise ValueError(
            f"pruning reached {macs / before:.0%} of the MACs and no less; ask to remove less than {1 - keep:.0%}"
        )
    rebuilt = build(blueprint, seed=0)
    rebuilt.load_state_dict(shrinking.state_dict())
    return Pruned(rebuilt.eval(), macs, macs / before)


def blueprint_of(network: LPIENet) -> Blueprint:
    """The channel counts that the modules of `network` have now, whatever its blueprint says."""
    stages = [_stage_blueprint(getattr(network, name)) for name in STAGES]
    origin = network.blueprint
    return Blueprint(tuple(stages), origin.block, origin.activation, origin.head, origin.stem)


def _stage_blueprint(stage: nn.Sequential) -> StageBlueprint:
    convolution, _, block = stage
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(block, IRABlock)
    attention = block.attention
    has_channel = attention is not None and attention.channel is not None
    has_spatial = attention is not None and attention.spatial is not None
    return StageBlueprint(
        width=convolution.out_channels,
        blocks=tuple(_block_blueprint(residual) for residual in block.residuals),
        attention={(0, 0): "none", (1, 0): "channel", (0, 1): "spatial", (1, 1): "both"}[has_channel, has_spatial],
        attention_hidden=_outputs(attention.channel[0]) if attention and attention.channel else 0,
    )


def _block_blueprint(residual: nn.Module) -> BlockBlueprint:
    assert isinstance(residual, InvertedResidual)
    pointwise = 0 if residual.mixing is None else _outputs(residual.mixing[0])
    return BlockBlueprint(_outputs(residual.spatial[0]), pointwise)


def _outputs(convolution: nn.Module) -> int:
    assert isinstance(convolution, nn.Conv2d)
    return convolution.out_channels


@contextmanager
def _maps_cut_off(network: nn.Module) -> Iterator[None]:
    """Detach the attention maps from the features while the dependency graph is traced.

    torch-pruning takes the mean and maximum over channels for elementwise operations, ties the widths to the maps'
    single channel, and then skips every stage width without a word.
    """

    def detach(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.detach()

    hooks = [m.pooled.register_forward_hook(detach) for m in network.modules() if isinstance(m, Attention)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _magnitude() -> torch_pruning.importance.Importance:
    return torch_pruning.importance.GroupMagnitudeImportance(p=2)


def _taylor() -> torch_pruning.importance.Importance:
    return torch_pruning.importance.GroupTaylorImportance()
