"""Cost: what pruning makes small, counted or measured, and what ranks moves where measuring is slow or scatters."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_by_part, macs_of

Counts = Callable[[Blueprint], float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs; `of` may be slow."""

    of: Counts
    ranks: Counts  # the same up to a factor, or about so; fast
    unit: str  # "MACs" or "ms"


def _macs(blueprint: Blueprint) -> float:
    return macs_of(blueprint, DEFAULT_SIZE)


MACS = Cost(_macs, _macs, "MACs")


def latency(measured: Counts, whole: Blueprint) -> Cost:
    """Of a measured latency in ms: moves are ranked by what a stage of `whole` takes for each of its MACs.

    Few channels save less than a latency scatters, so no move is measured; each stage is, once, with half of the
    hidden channels. A multiply-add at full resolution takes longer than one further down, whose weights stay in the
    cache: that is what the rates tell. A stage that takes no longer with them than without has the mean rate.
    """
    before, now = macs_by_part(whole, DEFAULT_SIZE), measured(whole)
    mean = now / macs_of(whole, DEFAULT_SIZE)
    rates = {}
    for place, (name, stage) in enumerate(whole.named()):
        smaller = replace(whole, stages=(*whole.stages[:place], _halved(stage), *whole.stages[place + 1 :]))
        saved = before[name] - macs_by_part(smaller, DEFAULT_SIZE)[name]
        rates[name] = (now - measured(smaller)) / saved if saved else mean
    rates = {name: rate if rate > 0 else mean for name, rate in rates.items()}
    rest = now - sum(rate * before[name] for name, rate in rates.items())

    def modelled(blueprint: Blueprint) -> float:
        macs = macs_by_part(blueprint, DEFAULT_SIZE)
        return max(rest, 0.0) + sum(rate * macs.get(name, 0) for name, rate in rates.items())  # a level may be gone

    return Cost(measured, modelled, "ms")


def _halved(stage: StageBlueprint) -> StageBlueprint:
    """`stage` with half of the hidden channels of its blocks."""
    blocks = (replace(b, depthwise=-(-b.depthwise // 2), pointwise=-(-b.pointwise // 2)) for b in stage.blocks)
    return replace(stage, blocks=tuple(blocks))
