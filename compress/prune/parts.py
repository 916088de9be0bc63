"""Parts: the network without a residual block, or without a branch of a stage's attention."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from compress.prune.groups import with_weights
from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.lpienet import LPIENet

_BRANCHES = ("spatial", "channel")  # in the order in which attention joins them


@dataclass(frozen=True, slots=True)
class Part:
    """What may go as one: a residual block of several, a branch of attention of two, or a stage's attention."""

    stage: str
    place: int  # of the stage in the blueprint
    block: int | None = None
    stays: str = "none"  # of the attention, where no block goes

    @property
    def name(self) -> str:
        if self.block is not None:
            return f"block {self.block} of {self.stage}"
        left = "" if self.stays == "none" else f" but its {self.stays} branch"
        return f"attention of {self.stage}{left}"

    def blueprint(self, whole: Blueprint) -> Blueprint:
        """`whole` without the part."""
        stage = whole.stages[self.place]
        if self.block is not None:
            smaller = replace(stage, blocks=(*stage.blocks[: self.block], *stage.blocks[self.block + 1 :]))
        else:
            smaller = replace(
                stage, attention=self.stays, attention_hidden=stage.attention_hidden if self.stays == "channel" else 0
            )
        return replace(whole, stages=(*whole.stages[: self.place], smaller, *whole.stages[self.place + 1 :]))

    def without(self, network: LPIENet) -> LPIENet:
        """`network` without the part, for evaluation; it stays as it was, itself."""
        state = dict(network.state_dict())
        smaller = self.blueprint(network.blueprint)
        if self.block is not None:
            return with_weights(smaller, _renumbered(state, f"{self.stage}.2.residuals.", self.block))
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
            yield from (Part(name, place, number) for number in range(len(stage.blocks)))
        yield from (Part(name, place, stays=stays) for stays in _less(stage))


def _less(stage: StageBlueprint) -> tuple[str, ...]:
    """What a stage's attention can become."""
    return {"none": (), "both": ("none", *_BRANCHES)}.get(stage.attention, ("none",))


def _renumbered(state: dict[str, Tensor], before: str, gone: int) -> dict[str, Tensor]:
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
