"""Describe: count a network's parameters and multiply-adds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, a_size, option
from lpienas.run_settings import Size
from lpienas.shared import FAMILY

if TYPE_CHECKING:
    from search_spaces.genotype import Genotype


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOptions:
    """Which network, and at what size."""

    preset: str = option("reference", "which known network", choices=("reference", "paper"), instead="network")
    genotype: Path | None = option(
        None, "a genotype as JSON instead of a preset", "FILE", parse=a_file, instead="network"
    )
    family: str | None = option(None, **FAMILY, instead="network")
    genes: tuple[str, ...] = option(
        (),
        "of --family: values of genes; the middle one of the choices of each that is not named",
        "GENE=VALUE",
        several=True,
        accepts=lambda word: "=" in word,
        default="",
    )
    size: Size = option((256, 256), "input size", "HxW", parse=a_size)


def describe(asked: DescribeOptions, json_only: bool) -> None:
    """Print the cost and the genes."""
    from search_spaces.blueprint import Blueprint
    from search_spaces.cost import cost_of
    from search_spaces.space import PRESETS
    from search_spaces.units import format_macs

    if asked.family is not None:
        _describe_own(asked, json_only)
        return
    if asked.genes:
        raise ValueError(f"--genes {' '.join(asked.genes)}: are of --family; an LPIENet's are in --genotype FILE")
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


def _describe_own(asked: DescribeOptions, json_only: bool) -> None:
    from lpienas.families import opened_family
    from search_spaces.own_space import OwnSpace
    from search_spaces.units import format_macs

    family = opened_family(asked.family)
    assert family is not None  # or this is not called
    genotype = OwnSpace.of(family).fixed(asked.genes).at(1)
    found = family.blueprint(genotype.flat())
    macs = found.macs_at(asked.size)
    if json_only:
        counted = {"parameters": found.parameters, "macs": macs, "flops": 2 * macs, "size": list(asked.size)}
        as_json(counted | {"radius": found.radius, "genotype": genotype.to_json()})
        return
    line(f"{found.parameters:,} parameters, {format_macs(macs)} at {asked.size[0]}x{asked.size[1]}")
    line(f"sees {found.radius} pixels around each")
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
