"""Space: which costs the search space can reach, and how much of it fits a budget."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, table
from lpienas.fields import a_size, count, macs, option
from lpienas.run_settings import Size
from lpienas.shared import FAMILY, FIX

if TYPE_CHECKING:
    from search_spaces.reach import Reach

SAMPLES = 2000
OWN_SAMPLES = 200  # each of which is built and traced


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceOptions:
    """Which part of the space, and how closely it is looked at."""

    budget: int | None = option(None, "600M, or 1.2GFLOPs", "MACS", parse=macs)
    size: Size = option((256, 256), "input size", "HxW", parse=a_size)
    fix: tuple[str, ...] = option((), **FIX)
    family: str | None = option(None, **FAMILY)
    samples: int | None = option(
        None, "genotypes drawn at random", "N", parse=count, default=f"{SAMPLES}; of own networks, {OWN_SAMPLES}"
    )
    seed: int = option(0, "of the drawing", "N", parse=int)


def space(asked: SpaceOptions, json_only: bool) -> None:
    """Print what the cheapest and dearest networks cost, and how many a budget leaves."""
    from rich.table import Table

    from search_spaces.reach import CONFIDENCE, QUANTILES
    from search_spaces.units import format_macs

    found = _reach(asked)
    if json_only:
        as_json(found.to_json())
        return
    height, width = found.size
    shown = Table("network", f"MACs (FLOPs) at {height}x{width}", "parameters")
    for name, counted in (
        ("fewest MACs", found.fewest_macs),
        ("fewest parameters", found.fewest_parameters),
        ("LPIENet reference", found.reference),
        ("most MACs", found.most_macs),
        ("most parameters", found.most_parameters),
    ):
        shown.add_row(name, format_macs(counted.macs), f"{counted.parameters:,}")
    line(f"{found.genotypes:,} genotypes")
    table(shown)
    shares = [("cheaper than the reference", found.cheaper_than_reference)]
    if asked.budget is not None and found.within_budget is not None:
        shares.insert(0, (f"within {format_macs(asked.budget)}", found.within_budget))
    for says, share in shares:
        line(
            f"{share.value:.1%} {says} ({CONFIDENCE:.0%} interval {share.low:.1%} to {share.high:.1%}; "
            f"{found.samples} drawn uniformly)"
        )
    for at, cost in zip(QUANTILES, found.quantiles, strict=True):
        line(f"  {at:.0%} of them need at most {format_macs(cost)}")


def _reach(asked: SpaceOptions) -> "Reach":
    from lpienas.families import opened_family

    family = opened_family(asked.family)
    if family is None:
        from search_spaces.reach import reach
        from search_spaces.space import default_space

        space = default_space().fixed(list(asked.fix))
        return reach(space, asked.budget, asked.size, asked.samples or SAMPLES, asked.seed)
    from search_spaces.own_reach import own_reach
    from search_spaces.own_space import OwnSpace

    own = OwnSpace.of(family).fixed(asked.fix)
    return own_reach(own, asked.budget, asked.size, asked.samples or OWN_SAMPLES, asked.seed)


VERB = Verb(
    "space",
    "show which costs the search space can reach, and how much of it fits a budget",
    "lpienas space --budget 600M --size 256x256",
    SpaceOptions,
    space,
)
