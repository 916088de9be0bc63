"""Parts: the network without a residual block, the second pair of one, a branch of attention, or its lowest level."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from compress.prune.groups import last_of, with_weights
from compress.prune.levels import Level, lowest_level
from compress.prune.read import Read
from search_spaces.blueprint import SINGLE, Blueprint, StageBlueprint
from search_spaces.lpienet import LPIENet

_BRANCHES = ("spatial", "channel")  # in the order in which attention joins them


class Part(Protocol):
    """What may go as one."""

    @property
    def name(self) -> str: ...

    def blueprint(self, whole: Blueprint) -> Blueprint:
        """`whole` without the part."""

    def without(self, network: LPIENet, reads: Mapping[str, Read]) -> LPIENet:
        """`network` without the part, for evaluation; it stays as it was, itself."""


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block of several; nothing stands in its place."""

    stage: str
    place: int  # of the stage in the blueprint
    number: int

    @property
    def name(self) -> str:
        return f"block {self.number} of {self.stage}"

    def blueprint(self, whole: Blueprint) -> Blueprint:
        blocks = whole.stages[self.place].blocks
        return _with(whole, self.place, blocks=(*blocks[: self.number], *blocks[self.number + 1 :]))

    def without(self, network: LPIENet, reads: Mapping[str, Read]) -> LPIENet:
        state = _renumbered(network.state_dict(), f"{self.stage}.2.residuals.", self.number)
        return with_weights(self.blueprint(network.blueprint), state)


@dataclass(frozen=True, slots=True)
class SecondPair:
    """The second pair of 1x1 convolutions of a residual block and the skip around it; its mean stands in its place."""

    stage: str
    place: int  # of the stage in the blueprint
    number: int

    @property
    def name(self) -> str:
        return f"second pair of block {self.number} of {self.stage}"

    def blueprint(self, whole: Blueprint) -> Blueprint:
        blocks = list(whole.stages[self.place].blocks)
        blocks[self.number] = replace(blocks[self.number], pointwise=0)
        return _with(whole, self.place, blocks=tuple(blocks))

    def without(self, network: LPIENet, reads: Mapping[str, Read]) -> LPIENet:
        state, smaller = dict(network.state_dict()), self.blueprint(network.blueprint)
        block = f"{self.stage}.2.residuals.{self.number}"
        mean = state[f"{block}.mixing.2.weight"].flatten(1) @ reads[f"{block}.mixing.2"].mean.float()
        before = f"{last_of(smaller, self.stage, self.number)}.bias"
        state[before] = state[before] + mean + state[f"{block}.mixing.2.bias"]
        return with_weights(smaller, {n: t for n, t in state.items() if not n.startswith(f"{block}.mixing.")})


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of attention of two, or a stage's attention; nothing stands in its place."""

    stage: str
    place: int  # of the stage in the blueprint
    stays: str  # what becomes of the attention

    @property
    def name(self) -> str:
        left = "" if self.stays == "none" else f" but its {self.stays} branch"
        return f"attention of {self.stage}{left}"

    def blueprint(self, whole: Blueprint) -> Blueprint:
        hidden = whole.stages[self.place].attention_hidden if self.stays == "channel" else 0
        return _with(whole, self.place, attention=self.stays, attention_hidden=hidden)

    def without(self, network: LPIENet, reads: Mapping[str, Read]) -> LPIENet:
        state, smaller = dict(network.state_dict()), self.blueprint(network.blueprint)
        attention = f"{self.stage}.2.attention."
        gone = [branch for branch in _BRANCHES if branch != self.stays]
        if self.stays == "none":
            return with_weights(smaller, {n: t for n, t in state.items() if not n.startswith(attention)})
        width = network.blueprint.stages[self.place].width
        begins = width * _BRANCHES.index(self.stays)
        state[f"{attention}join.weight"] = state[f"{attention}join.weight"][:, begins : begins + width]
        return with_weights(smaller, {n: t for n, t in state.items() if not n.startswith(f"{attention}{gone[0]}")})


def parts_of(blueprint: Blueprint) -> Iterator[Part]:
    """Every part of the network of `blueprint` that may go and leave a network of the family."""
    for place, (name, stage) in enumerate(blueprint.named()):
        if len(stage.blocks) > 1:
            yield from (Block(name, place, number) for number in range(len(stage.blocks)))
        if blueprint.block not in SINGLE:
            yield from (SecondPair(name, place, n) for n, block in enumerate(stage.blocks) if block.pointwise)
        yield from (Branch(name, place, stays) for stays in _less(stage))
    level: Level | None = lowest_level(blueprint)
    if level is not None:
        yield level


def _less(stage: StageBlueprint) -> tuple[str, ...]:
    """What a stage's attention can become."""
    return {"none": (), "both": ("none", *_BRANCHES)}.get(stage.attention, ("none",))


def _with(whole: Blueprint, place: int, **changed: object) -> Blueprint:
    """`whole` with other fields of one stage."""
    smaller = replace(whole.stages[place], **changed)  # type: ignore[arg-type]
    return replace(whole, stages=(*whole.stages[:place], smaller, *whole.stages[place + 1 :]))


def _renumbered(state: Mapping[str, Tensor], before: str, gone: int) -> dict[str, Tensor]:
    """`state` without the block `gone`, each of those behind it one place further in front."""
    found = {}
    for name, tensor in state.items():
        if name.startswith(before):
            number, _, rest = name.removeprefix(before).partition(".")
            if int(number) == gone:
                continue
            name = f"{before}{int(number) - (int(number) > gone)}.{rest}"
        found[name] = tensor
    return found
