"""Describe: count a network's parameters and multiply-adds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, a_size, option
from lpienas.run_settings import Size

if TYPE_CHECKING:
    from search_spaces.genotype import Genotype


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOptions:
    """Which network, and at what size."""

    preset: str = option("reference", "which known network", choices=("reference", "paper"), instead="network")
    genotype: Path | None = option(
        None, "a genotype as JSON instead of a preset", "FILE", parse=a_file, instead="network"
    )
    size: Size = option((256, 256), "input size", "HxW", parse=a_size)


def describe(asked: DescribeOptions, json_only: bool) -> None:
    """Print the cost and the genes."""
    from search_spaces.blueprint import Blueprint
    from search_spaces.cost import cost_of
    from search_spaces.space import PRESETS
    from search_spaces.units import format_macs

    genotype = PRESETS[asked.preset] if asked.genotype is None else genotype_in(asked.genotype)
    cost = cost_of(Blueprint.from_genotype(genotype), asked.size)
    if json_only:
        as_json(
            {
                "parameters": cost.parameters,
                "macs": cost.macs,
                "flops": 2 * cost.macs,
                "upsampling_macs": cost.upsampling_macs,
                "size": list(cost.size),
                "genotype": genotype.to_json(),
            }
        )
        return
    line(f"{cost.parameters:,} parameters, {format_macs(cost.macs)} at {cost.size[0]}x{cost.size[1]}")
    line(f"not in it: {cost.upsampling_macs / 1e6:.3g} MMACs of bilinear upsampling")
    for gene, value in genotype.flat().items():
        line(f"  {gene} = {value}")


def genotype_in(path: Path) -> "Genotype":
    """The genotype that a JSON file holds; raises ValueError, which names the file."""
    from search_spaces.genotype import Genotype

    try:
        return Genotype.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no genotype: {error}") from error


VERB = Verb(
    "describe",
    "count a network's parameters and multiply-adds",
    "lpienas describe --preset reference --size 1080x1920",
    DescribeOptions,
    describe,
)
