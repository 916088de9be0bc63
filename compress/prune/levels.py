"""Levels: the network without the lowest of its levels, whose mean, or what others tell of it, stands in its place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compress.prune.groups import last_of, less_inputs, with_weights
from compress.prune.read import Read
from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import decoder_of, stages_of
from search_spaces.lpienet import LPIENet
from search_spaces.wiring import HEAD


@dataclass(frozen=True, slots=True)
class Level:
    """The lowest level of a U-Net, which may go as one.

    Where maps are concatenated, its encoder and decoder go, and what read the decoder reads what the encoder beside it
    tells of it. Where they are added, its encoder goes, and what was added is its mean; the decoder above, to which
    nothing is added any more, becomes the end of the encoder beside it.
    """

    level: int

    @property
    def name(self) -> str:
        return f"level {self.level}"

    def blueprint(self, whole: Blueprint) -> Blueprint:
        """`whole` without the level."""
        plans = dict(whole.named())
        if whole.join == "add":
            above = f"encoder{self.level - 1}"
            plans[above] = _in_a_row(plans[above], plans[decoder_of(self.level - 1)])
        names = stages_of(self.level - 1, whole.join)
        return replace(whole, levels=self.level - 1, stages=tuple(plans[name] for name in names))

    def without(self, network: LPIENet, reads: Mapping[str, Read]) -> LPIENet:
        """`network` without the level, for evaluation; it stays as it was, itself."""
        state = dict(network.state_dict())
        take = _take_added if network.blueprint.join == "add" else _take_concatenated
        take(state, network.blueprint, self.level, reads)
        return with_weights(self.blueprint(network.blueprint), state)


def lowest_level(blueprint: Blueprint) -> Level | None:
    """The level that may go; None where there is one alone, or where what is left would be no network of the family.

    Where maps are added, two stages can be one only where nothing stands between their blocks.
    """
    level = blueprint.levels
    if level == 1:
        return None
    above = dict(blueprint.named())[f"encoder{level - 1}"]
    if blueprint.join == "add" and (above.attention != "none" or blueprint.block == "paper"):
        return None
    return Level(level)


def _in_a_row(first: StageBlueprint, second: StageBlueprint) -> StageBlueprint:
    return replace(second, blocks=(*first.blocks, *second.blocks))


def _take_added(state: dict[str, Tensor], whole: Blueprint, level: int, reads: Mapping[str, Read]) -> None:
    above, decoder, lowest = f"encoder{level - 1}", decoder_of(level - 1), f"encoder{level}"
    lateral = f"laterals.{decoder}"
    mean = state[f"{lateral}.weight"].flatten(1) @ reads[lateral].mean.float() + state[f"{lateral}.bias"]
    blocks = len(dict(whole.named())[above].blocks)
    bias = f"{last_of(whole, above, blocks - 1)}.bias"
    state[bias] = state[bias] + mean
    for name in list(state):
        if name.startswith((f"{lowest}.", f"{lateral}.")):
            del state[name]
        elif name.startswith(f"{decoder}."):
            rest = name.removeprefix(f"{decoder}.2.")
            if rest.startswith("residuals."):
                _, number, inner = rest.split(".", 2)
                rest = f"residuals.{blocks + int(number)}.{inner}"
            state[f"{above}.2.{rest}"] = state.pop(name)


def _take_concatenated(state: dict[str, Tensor], whole: Blueprint, level: int, reads: Mapping[str, Read]) -> None:
    lowest, decoder = f"encoder{level}", decoder_of(level)
    gone = torch.arange(dict(whole.named())[decoder].width)  # the first channels of what is read
    for layer in _readers(whole, level - 1):
        less_inputs(state, layer, gone, reads[layer])
    for name in list(state):
        if name.startswith((f"{lowest}.", f"{decoder}.")):
            del state[name]


def _readers(whole: Blueprint, level: int) -> tuple[str, ...]:
    """The convolutions that read what comes from below at `level`."""
    if level > 1:
        return (f"{decoder_of(level)}.0",)
    return (f"{HEAD}.project.0", f"{HEAD}.shortcut") if whole.head == "gated" else (f"{HEAD}.project",)
