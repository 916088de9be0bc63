"""Groups: which channels of a network hang together, by torch-pruning's graph, and the network without some."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch_pruning
from torch import Tensor, nn

from compress.prune.read import Read
from search_spaces.blocks import Attention, Gate, InvertedResidual
from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, Blueprint, StageBlueprint
from search_spaces.lpienet import LPIENet, build

_TRACED_SIDE = 32  # pixels
Places = tuple[tuple[int, ...], ...]  # of each channel of a group, where it is among those of a layer
Shapes = dict[str, tuple[int, int]]  # output and input channels of each convolution


@dataclass(frozen=True, slots=True)
class Group:
    """Channels of which each goes from many layers at once: a width of a stage, or hidden channels."""

    name: str
    channels: int
    outputs: tuple[tuple[str, Places], ...]  # layers that make the channels
    inputs: tuple[tuple[str, Places], ...]  # layers that read them


def groups_of(network: LPIENet) -> tuple[Group, ...]:
    """Every group of `network`, which is on the processor.

    Not the head's outputs, which are the picture, nor the channels before a gate, whose halves torch-pruning 1.6.1
    loses count of.
    """
    example = torch.rand(1, IMAGE_CHANNELS, _TRACED_SIDE, _TRACED_SIDE, generator=torch.Generator().manual_seed(0))
    with maps_cut_off(network):
        graph = torch_pruning.DependencyGraph().build_dependency(network, example)
    stay = [*convolutions(network.head), *before_gates(network)]
    names = {module: name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    found = []
    for traced in graph.get_all_groups(ignored_layers=stay, root_module_types=[nn.Conv2d]):
        channels = len(traced[0].idxs)
        outputs: list[tuple[str, Places]] = []
        inputs: list[tuple[str, Places]] = []
        held = False
        for item in traced:
            layer = item.dep.target.module
            if layer not in names:
                continue
            makes = graph.is_out_channel_pruning_fn(item.dep.handler) or layer.groups > 1
            held |= makes and any(layer is one for one in stay)
            (outputs if makes else inputs).append((names[layer], _places(item.root_idxs, item.idxs, channels)))
        if not held and inputs:
            found.append(Group(_name(outputs), channels, tuple(outputs), tuple(inputs)))
    return tuple(found)


def shapes_of(network: nn.Module) -> Shapes:
    """Output and input channels of every convolution; of a depthwise one, outputs twice."""
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    return {name: (module.out_channels, module.in_channels) for name, module in convolutions.items()}


def shapes_without(shapes: Shapes, group: Group, count: int) -> Shapes:
    """`shapes` with `count` channels fewer in `group`."""
    smaller = dict(shapes)
    for side, layers in enumerate((group.outputs, group.inputs)):
        for layer, places in layers:
            now = list(smaller[layer])
            now[side] -= count * len(places[0])
            smaller[layer] = (now[0], now[1])
    return smaller


def blueprint_of(shapes: Mapping[str, tuple[int, int]], origin: Blueprint) -> Blueprint:
    """The blueprint of a network like `origin` whose convolutions have these channel counts."""
    last = _last(origin)
    stages = []
    for name, stage in origin.named():
        blocks = []
        for number, block in enumerate(stage.blocks):
            within = f"{name}.2.residuals.{number}"
            pointwise = shapes[f"{within}.mixing.2"][1] if block.pointwise else 0
            blocks.append(BlockBlueprint(shapes[f"{within}.spatial.{last}"][1], pointwise))
        width = shapes[f"{name}.2.residuals.0.spatial.{last}"][0]
        hidden = shapes[f"{name}.2.attention.channel.0"][0] if stage.attention_hidden else 0
        stages.append(StageBlueprint(width, tuple(blocks), stage.attention, hidden))
    return replace(origin, stages=tuple(stages))


def without(network: LPIENet, group: Group, gone: Collection[int], reads: Mapping[str, Read]) -> LPIENet:
    """`network` without these channels of `group`; it stays as it was, itself.

    In the place of a channel, each layer that reads it reads what its other inputs tell of it (see Read.told), which
    goes into its weights and its bias: it loses less so than by zeros.
    """
    state = dict(network.state_dict())
    for layer, places in group.inputs:
        less_inputs(state, layer, _among(places, gone), reads[layer])
    for layer, places in group.outputs:
        stays = _others(_among(places, gone), len(state[f"{layer}.bias"]))
        for part in ("weight", "bias"):
            state[f"{layer}.{part}"] = state[f"{layer}.{part}"][stays]
    shapes = shapes_without(shapes_of(network), group, len(gone))
    return with_weights(blueprint_of(shapes, network.blueprint), state)


def less_inputs(state: dict[str, Tensor], layer: str, lost: Tensor, read: Read) -> None:
    """Take the inputs `lost` of a layer out of `state`; in their place it reads what its others tell of them."""
    weight, bias = state[f"{layer}.weight"], state[f"{layer}.bias"]
    stays = _others(lost, weight.shape[1])
    told, constant = read.told(lost, stays)
    state[f"{layer}.weight"] = weight[:, stays] + torch.einsum("olhw,ls->oshw", weight[:, lost], told)
    state[f"{layer}.bias"] = bias + weight[:, lost].sum(dim=(2, 3)) @ constant


def last_of(blueprint: Blueprint, stage: str, number: int) -> str:
    """The convolution that adds to a stage's map last, of those of one block."""
    block = dict(blueprint.named())[stage].blocks[number]
    last = "mixing.2" if block.pointwise else f"spatial.{_last(blueprint)}"
    return f"{stage}.2.residuals.{number}.{last}"


def with_weights(blueprint: Blueprint, state: Mapping[str, Tensor]) -> LPIENet:
    """The network of `blueprint` with copies of these weights, for evaluation."""
    network = build(blueprint, seed=0)
    network.load_state_dict(state)
    return network.eval()


def _last(blueprint: Blueprint) -> int:
    """Place of the last convolution of a first pair."""
    return 2 if blueprint.block == "plain" else 3


def _places(channels: Sequence[int], own: Sequence[int], count: int) -> Places:
    places: list[list[int]] = [[] for _ in range(count)]
    for channel, place in zip(channels, own, strict=True):
        places[channel].append(place)
    return tuple(map(tuple, places))


def _name(outputs: list[tuple[str, Places]]) -> str:
    """The module that hidden channels are within, or the stages that a width is of."""
    within = {layer.rpartition(".")[0] for layer, _ in outputs}
    stages = sorted({layer.split(".")[layer.startswith("laterals.")] for layer, _ in outputs}, reverse=True)
    is_width = any(layer.endswith(".0") and layer.count(".") == 1 for layer, _ in outputs) or len(within) > 1
    return f"width of {', '.join(stages)}" if is_width else within.pop()


def _among(places: Places, channels: Collection[int]) -> Tensor:
    return torch.tensor([place for channel in sorted(channels) for place in places[channel]], dtype=torch.long)


def _others(gone: Tensor, count: int) -> Tensor:
    stays = torch.ones(count, dtype=torch.bool)
    stays[gone] = False
    return stays.nonzero().flatten()


def convolutions(part: nn.Module) -> list[nn.Module]:
    return [module for module in part.modules() if isinstance(module, nn.Conv2d)]


def before_gates(network: nn.Module) -> list[nn.Module]:
    pairs = [pair for block in network.modules() if isinstance(block, InvertedResidual) for pair in block.children()]
    gated = [pair for pair in pairs if isinstance(pair, nn.Sequential) and any(isinstance(m, Gate) for m in pair)]
    return [layer for pair in gated for layer in list(pair)[:-1]]


@contextmanager
def maps_cut_off(network: nn.Module) -> Iterator[None]:
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
