"""Dead: channels that compute nothing are taken out of a network, and its output stays as it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from nas.anatomy import Seen, few, hooked
from nas.suggest import derive_seed
from nas.task.task import Task
from search_spaces.blocks import InvertedResidual, IRABlock
from search_spaces.blueprint import BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.genotype import decoder_of, stages_of
from search_spaces.lpienet import LPIENet, build, stages_in
from search_spaces.sides import on_any_size
from search_spaces.wiring import HEAD

SAME = 1e-5  # largest difference of an output value in [0, 1] on photographs that were not looked at before
_SILENT = 1e-7  # what a channel may move any output of the convolution that reads it
_PATCHES = 256  # training patches, of all noise levels, that a channel must be silent on


@dataclass(frozen=True, slots=True)
class Removed:
    """Channels that are gone from between the convolutions of one module, or of a stage, all or all but one."""

    layer: str  # as in the network's state dict: `encoder1.2.residuals.0.spatial`, `encoder2`
    channels: int
    of: int


@dataclass(frozen=True, slots=True)
class Lightened:
    """A network without its dead channels."""

    network: LPIENet
    removed: tuple[Removed, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """What was removed."""
        return [asdict(one) for one in self.removed]


def lightened(network: LPIENet, task: Task) -> Lightened:
    """`network` without what is dead on the task's training patches, checked on its validation photographs."""
    batch = task.batches(derive_seed(task.settings.seed, 0, "dead channels"))
    patches = [batch(step)[0].cpu() for step in range(ceil(_PATCHES / task.settings.batch))]
    return without_dead(network, patches, [degraded for _, degraded, _ in few(task.validation)])


def without_dead(network: LPIENet, patches: Sequence[Tensor], held_out: Sequence[Tensor]) -> Lightened:
    """`network` without what never moves on `patches`; it stays as it was, itself.

    Where maps are concatenated, a decoder that always gives the same goes, with every level from its own down, and of
    stages that only a stage reads whose ReLU never opens, which does not see what it is given, one channel each is
    left. Then hidden channels go that are constant, those between the convolutions of a residual pair and of the
    channel branch of attention: a 1x1
    convolution reads them, so that the constant goes into its bias exactly. A channel that zero padding makes another
    one at the border is not constant. Patches, whose sides are multiples of 8, and held-out photographs are
    (B, 3, H, W) in [0, 1]. What would change the output of a held-out photograph by more than SAME stays.
    """
    whole = _on_processor(network)
    before = [_output(whole, image) for image in held_out]

    def is_same(smaller: LPIENet) -> bool:
        outputs = (_output(smaller, image) for image in held_out)
        return all(bool((a - b).abs().max() <= SAME) for a, b in zip(outputs, before, strict=True))

    removed: list[Removed] = []
    concatenates = whole.blueprint.join == "concat"  # where maps are added, their widths hang together
    for level in range(2, whole.blueprint.levels + 1) if concatenates else ():
        shallower = _shallower(whole, patches, level)
        if shallower is not None and is_same(shallower):
            gone = [(name, plan) for name, plan in whole.blueprint.named() if name not in shallower.blueprint.names]
            removed += [Removed(name, plan.width, plan.width) for name, plan in gone]
            whole = shallower
            break
    unread, without_unread = _without_unread(whole, patches) if concatenates else ([], whole)
    if unread and is_same(without_unread):
        whole, removed = without_unread, removed + unread
    found = [dead for dead in _dead(whole, patches) if dead.gone.any()]
    smaller = _cut(whole, found)
    if not is_same(smaller):  # then one module after the other, so that only what does harm stays
        kept: list[_Hidden] = []
        for dead in found:
            if is_same(_cut(whole, [*kept, dead])):
                kept.append(dead)
        found, smaller = kept, _cut(whole, kept)
    removed += [Removed(dead.layer, int(dead.gone.sum()), dead.gone.numel()) for dead in found]
    return Lightened(smaller, tuple(removed))


def _shallower(network: LPIENet, patches: Sequence[Tensor], level: int) -> LPIENet | None:
    """`network` with the levels above `level`, where the decoder of `level` always gives the same; else None."""
    whole, decoder = network.blueprint, decoder_of(level)
    names = stages_of(level - 1)
    plans = dict(whole.named())
    reader = next(site.name for site in network.sites if site.source == decoder)
    seen = Seen()
    _look({stages_in(network)[decoder]: seen}, network, patches)
    old = {name: tensor.double() for name, tensor in network.state_dict().items()}
    constant, spread = (seen.least + seen.largest).double() / 2, (seen.largest - seen.least).double()
    smaller = build(replace(whole, levels=level - 1, stages=tuple(plans[name] for name in names)), seed=0).eval()
    state = {name: old[name] for name in smaller.state_dict()}
    layers = [f"{reader}.0"] if reader != HEAD else ["head.project.0", "head.shortcut"]
    for layer in layers if whole.head == "gated" or reader != HEAD else ["head.project"]:
        weight = old[f"{layer}.weight"]
        of_decoder = weight[:, : len(constant)].sum(dim=(2, 3))
        if float((weight[:, : len(constant)].abs().sum(dim=(2, 3)) @ spread).max()) > SAME:
            return None
        state[f"{layer}.bias"] = state[f"{layer}.bias"] + of_decoder @ constant
        state[f"{layer}.weight"] = weight[:, len(constant) :]
    smaller.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return smaller


def _without_unread(network: LPIENet, patches: Sequence[Tensor]) -> tuple[list[Removed], LPIENet]:
    """`network` with one channel in each stage that only stages read whose ReLU never opens, and which those are."""
    stages = stages_in(network)
    fired = {name: Seen() for name in stages}
    _look({stage[1]: fired[name] for name, stage in stages.items()}, network, patches)
    closed = {
        name for name in stages if isinstance(stages[name][1], nn.ReLU) and bool((fired[name].largest <= 0).all())
    }
    needed = {HEAD}
    for site in reversed(network.sites):  # what reads comes after what it reads
        if site.name in needed and site.name not in closed:
            needed |= {name for name in (site.source, site.skip) if name is not None}
    plans = dict(network.blueprint.named())
    least = {name: _least(plan) for name, plan in plans.items() if name not in needed}
    least = {name: plan for name, plan in least.items() if plan != plans[name]}
    if not least:
        return [], network
    smaller = build(replace(network.blueprint, stages=tuple((plans | least).values())), seed=0).eval()
    state, old = smaller.state_dict(), network.state_dict()
    for name in state:
        stage = name.split(".")[0]
        if stage in closed and name.startswith(f"{stage}.0."):  # it stays closed, whatever it is given
            state[name] = torch.full_like(state[name], -1.0 if name.endswith("bias") else 0.0)
        elif stage not in least and state[name].shape == old[name].shape:  # a lateral between those that shrink differs
            state[name] = old[name]
    smaller.load_state_dict(state)
    return [Removed(name, plans[name].width - 1, plans[name].width) for name in least], smaller


def _least(plan: StageBlueprint) -> StageBlueprint:
    """The least stage with the same kind of block."""
    return StageBlueprint(1, (BlockBlueprint(1, min(1, plan.blocks[0].pointwise)),), "none", 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Hidden:
    """The channels between the convolutions of one nn.Sequential: [convolutions ..., activation, 1x1 convolution]."""

    layer: str
    stage: int  # place in the blueprint
    block: int | None  # the same; None for attention
    count: str  # name of the field of the blueprint that counts them
    gone: Tensor  # (C,) bool
    constant: Tensor  # (C,), what a channel that is gone always was


def _dead(network: LPIENet, patches: Sequence[Tensor]) -> list[_Hidden]:
    places = list(_places(network))
    seen = {layer: Seen() for layer, *_ in places}
    _look({_sequence(network, layer)[-2]: seen[layer] for layer in seen}, network, patches)
    found = []
    for layer, stage, block, count in places:
        least, largest = seen[layer].least, seen[layer].largest
        weight = _sequence(network, layer)[-1].get_parameter("weight").detach()  # (out, C, K, K)
        # A larger kernel sees the border, where padding is 0: there only a constant of 0 leaves nothing behind.
        moves = largest - least if weight.shape[-1] == 1 else torch.maximum(largest.abs(), least.abs())
        gone = moves * weight.abs().amax(dim=(0, 2, 3)) <= _SILENT
        if gone.all():
            gone[0] = False  # a convolution needs a channel
        found.append(_Hidden(layer, stage, block, count, gone, (least + largest) / 2))
    return found


def _places(network: LPIENet) -> Iterator[tuple[str, int, int | None, str]]:
    """Layer, stage, block and field of the blueprint, of every group of hidden channels."""
    for stage, (name, (*_, inner)) in enumerate(stages_in(network).items()):
        assert isinstance(inner, IRABlock)
        for block, residual in enumerate(inner.residuals):
            if isinstance(residual, InvertedResidual):
                yield f"{name}.2.residuals.{block}.spatial", stage, block, "depthwise"
                if residual.mixing is not None:
                    yield f"{name}.2.residuals.{block}.mixing", stage, block, "pointwise"
        if inner.attention is not None and inner.attention.channel is not None:
            yield f"{name}.2.attention.channel", stage, None, "attention_hidden"


def _cut(network: LPIENet, found: Sequence[_Hidden]) -> LPIENet:
    """A network without the channels that are gone, their constants in the biases of what read them."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    blueprint = network.blueprint
    for dead in found:
        sequence = _sequence(network, dead.layer)
        last = len(sequence) - 1
        stays = ~dead.gone
        for place in range(last - 1):
            for part in ("weight", "bias"):
                name = f"{dead.layer}.{place}.{part}"
                state[name] = state[name][stays.repeat(len(state[name]) // len(stays))]  # a gate takes two for each
        weight, bias = (f"{dead.layer}.{last}.{part}" for part in ("weight", "bias"))
        lost = state[weight][:, dead.gone].sum(dim=(2, 3)).double() @ dead.constant[dead.gone].double()
        state[bias] = (state[bias].double() + lost).float()
        state[weight] = state[weight][:, stays]
        blueprint = _counted(blueprint, dead, int(stays.sum()))
    smaller = build(blueprint, seed=0)
    smaller.load_state_dict(state)
    return smaller.eval()


def _counted(blueprint: Blueprint, dead: _Hidden, count: int) -> Blueprint:
    """`blueprint` with another number of these channels."""
    stages = list(blueprint.stages)
    stage = stages[dead.stage]
    if dead.block is None:
        stages[dead.stage] = replace(stage, attention_hidden=count)
    else:
        blocks = list(stage.blocks)
        smaller = {"depthwise": blocks[dead.block].depthwise, "pointwise": blocks[dead.block].pointwise}
        blocks[dead.block] = replace(blocks[dead.block], **(smaller | {dead.count: count}))
        stages[dead.stage] = replace(stage, blocks=tuple(blocks))
    return replace(blueprint, stages=tuple(stages))


def _sequence(network: LPIENet, layer: str) -> nn.Sequential:
    found = network.get_submodule(layer)
    assert isinstance(found, nn.Sequential)
    return found


def _on_processor(network: LPIENet) -> LPIENet:
    copy = build(network.blueprint, seed=0)
    copy.load_state_dict({name: tensor.cpu() for name, tensor in network.state_dict().items()})
    return copy.eval()


def _output(network: nn.Module, image: Tensor) -> Tensor:
    with torch.inference_mode():
        return on_any_size(network, image)


def _look(at: Mapping[nn.Module, Seen], network: nn.Module, patches: Iterable[Tensor]) -> None:
    with hooked({module: seen.look for module, seen in at.items()}), torch.inference_mode():
        for patch in patches:
            network(patch)
