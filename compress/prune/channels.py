"""Prune: remove whole channels with torch-pruning until a network costs what it may; the result is a blueprint."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import torch
import torch_pruning
from torch import Tensor, nn

from search_spaces.blocks import Attention, Gate, InvertedResidual, IRABlock
from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.lpienet import LPIENet, build

_ROUNDS = 40  # small steps, each ranked anew; it ends at the target of the cost
_LIMIT = 0.9  # share of channels that may go in all
_TRACED_SIDE = 32  # pixels
ROUND_TO = 4  # channel counts stay multiples of this
IMPORTANCES = ("magnitude", "taylor", "hessian")
IMPORTANCE = "taylor"  # the best of them by benchmarks/pruning.py

Losses = Callable[[nn.Module], Iterable[Tensor]]  # a few losses of a network, each of other images


@dataclass(frozen=True, slots=True)
class Pruned:
    """A smaller network with the weights that survived."""

    network: LPIENet
    cost: float
    kept: float  # share of the cost before


class OutOfReach(ValueError):
    """Pruning took what it may, and the network still costs more than was asked."""

    def __init__(self, left: float, keep: float) -> None:
        super().__init__(f"pruning reached {left:.0%} of the cost and no less; ask to remove less than {1 - keep:.0%}")
        self.left = left  # share of the cost before


def _macs(blueprint: Blueprint) -> float:
    return macs_of(blueprint, DEFAULT_SIZE)


def prune(
    network: LPIENet,
    keep: float,
    losses: Losses | None = None,
    importance: str = "magnitude",
    round_to: int = ROUND_TO,
    cost: Callable[[Blueprint], float] = _macs,
) -> Pruned:
    """Remove channels until at most `keep` of the cost is left (0 < keep < 1); `network` stays as it was.

    Global ranking over groups of like shape (isomorphic pruning) in small rounds, each ranked anew, until the cost is
    met, to within the last group. `importance` of a group is the `magnitude` of its weights, or what a loss would
    change without it: to first order (`taylor`), or to second order with the mean squared gradient as the curvature
    (`hessian`; Optimal Brain Damage). These two need `losses`. Channel counts stay multiples of `round_to` where they
    were. The head is not pruned: its three channels are the picture; nor are the channels before a gate, whose halves
    torch-pruning 1.6.1 loses count of. `cost` may be slow, like a measured latency: it is
    asked for some 2 log2(n) blueprints of the n that groups lead to, and is taken to fall with every group. Raises
    ValueError when a value is out of range, and OutOfReach.
    """
    if not 0 < keep < 1:
        raise ValueError(f"keep = {keep}: must be a share between 0 and 1 of the cost")
    if importance not in IMPORTANCES:
        raise ValueError(f"importance = {importance!r}: must be one of {', '.join(IMPORTANCES)}")
    if losses is None and importance != "magnitude":
        raise ValueError(f"importance = {importance!r} needs losses to be computed")
    cost = lru_cache(maxsize=None)(cost)  # a latency is another one when it is measured again
    before = cost(network.blueprint)
    # torch-pruning changes modules in place, so it gets a copy
    shrinking = build(network.blueprint, seed=0)
    shrinking.load_state_dict(network.state_dict())
    shrinking.eval()
    example = torch.rand(1, IMAGE_CHANNELS, _TRACED_SIDE, _TRACED_SIDE, generator=torch.Generator().manual_seed(0))
    with _maps_cut_off(shrinking):
        pruner = torch_pruning.pruner.BasePruner(
            shrinking,
            example,
            importance=_IMPORTANCE[importance](),
            global_pruning=True,
            isomorphic=True,
            pruning_ratio=_LIMIT,
            max_pruning_ratio=_LIMIT,
            iterative_steps=_ROUNDS,
            round_to=round_to,
            ignored_layers=[*_convolutions(shrinking.head), *_before_gates(shrinking)],
            root_module_types=[nn.Conv2d],
            # torch-pruning 1.6.1 shares these three between instances unless they are given
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )
    smaller = _ever_smaller(shrinking, pruner, losses, importance)
    blueprint, weights = _first(smaller, lambda blueprint: cost(blueprint) <= keep * before)
    left = cost(blueprint)
    if left > keep * before:
        raise OutOfReach(left / before, keep)
    rebuilt = build(blueprint, seed=0)
    rebuilt.load_state_dict(weights)
    return Pruned(rebuilt.eval(), left, left / before)


_Step = tuple[Blueprint, dict[str, Tensor]]  # a smaller network: its blueprint and its weights


def _ever_smaller(
    network: LPIENet, pruner: torch_pruning.pruner.BasePruner, losses: Losses | None, importance: str
) -> Iterator[_Step]:
    """`network` as it is, then after the removal of each group of channels, which are ranked anew in each round.

    Group by group, and not round by round, since a round takes channels from every stage at once: asked for 15 %, it
    took 31 to 38 % from published networks, and groups 18 to 22 %.
    """
    yield _step_of(network)
    for _ in range(_ROUNDS):
        if losses is not None and importance != "magnitude":
            _differentiate(network, losses, squared=importance == "hessian")
        for group in pruner.step(interactive=True):
            group.prune()
            yield _step_of(network)


def _step_of(network: LPIENet) -> _Step:
    return blueprint_of(network), {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _first(smaller: Iterator[_Step], is_enough: Callable[[Blueprint], bool]) -> _Step:
    """The first step that is enough, or the last where none is; sought in strides that double, and then halved."""
    steps: list[_Step] = []
    short = 0  # so many of them are not enough
    while more := list(islice(smaller, max(1, short))):
        steps += more
        if is_enough(steps[-1][0]):
            return steps[bisect_left(steps, True, short, len(steps) - 1, key=lambda step: is_enough(step[0]))]
        short = len(steps)
    return steps[-1]


def _differentiate(network: nn.Module, losses: Losses, squared: bool) -> None:
    """Leave in every parameter the sum of its gradients, or of their squares; a ranking needs no mean."""
    parameters = list(network.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    for loss in losses(network):
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            assert parameter.grad is not None
            parameter.grad += gradient.square() if squared else gradient


def blueprint_of(network: LPIENet) -> Blueprint:
    """The channel counts that the modules of `network` have now, whatever its blueprint says."""
    origin = network.blueprint
    return replace(origin, stages=tuple(_stage_blueprint(getattr(network, name)) for name in origin.names))


def _stage_blueprint(stage: nn.Sequential) -> StageBlueprint:
    block = stage[2]
    assert isinstance(block, IRABlock)
    attention = block.attention
    has_channel = attention is not None and attention.channel is not None
    has_spatial = attention is not None and attention.spatial is not None
    return StageBlueprint(
        width=_width(block.residuals[0]),
        blocks=tuple(_block_blueprint(residual) for residual in block.residuals),
        attention={(0, 0): "none", (1, 0): "channel", (0, 1): "spatial", (1, 1): "both"}[has_channel, has_spatial],
        attention_hidden=_outputs(attention.channel[0]) if attention and attention.channel else 0,
    )


def _block_blueprint(residual: nn.Module) -> BlockBlueprint:
    assert isinstance(residual, InvertedResidual)
    pointwise = 0 if residual.mixing is None else _inputs(residual.mixing[-1])
    return BlockBlueprint(_inputs(residual.spatial[-1]), pointwise)


def _width(residual: nn.Module) -> int:
    assert isinstance(residual, InvertedResidual)
    return _outputs(residual.spatial[-1])


def _convolutions(part: nn.Module) -> list[nn.Module]:
    return [module for module in part.modules() if isinstance(module, nn.Conv2d)]


def _before_gates(network: nn.Module) -> list[nn.Module]:
    pairs = [pair for block in network.modules() if isinstance(block, InvertedResidual) for pair in block.children()]
    gated = [pair for pair in pairs if isinstance(pair, nn.Sequential) and any(isinstance(m, Gate) for m in pair)]
    return [layer for pair in gated for layer in list(pair)[:-1]]


def _inputs(convolution: nn.Module) -> int:
    assert isinstance(convolution, nn.Conv2d)
    return convolution.in_channels


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


_IMPORTANCE: dict[str, Callable[[], torch_pruning.importance.Importance]] = {
    "magnitude": lambda: torch_pruning.importance.GroupMagnitudeImportance(p=2),
    "taylor": lambda: torch_pruning.importance.GroupTaylorImportance(),
    # Its own accumulate_grad forgets all but the last loss (torch-pruning 1.6.1); without it, it takes the gradients
    # for squared ones already, as _differentiate leaves them.
    "hessian": lambda: torch_pruning.importance.GroupHessianImportance(),
}
