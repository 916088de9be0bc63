"""Networks: LPIENets and those of own families, built from what is known of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.blueprint import Blueprint
from search_spaces.family import FamilyError, OwnFamily, OwnNetwork
from search_spaces.lpienet import LPIENet, build
from search_spaces.own import AnyBlueprint, OwnBlueprint, is_own

Network = LPIENet | OwnNetwork


def built(blueprint: AnyBlueprint, seed: int) -> Network:
    """A new network with the random weights of `seed`; raises FamilyError for one whose family nobody named."""
    if isinstance(blueprint, Blueprint):
        return build(blueprint, seed)
    if blueprint.family.path is None:
        raise FamilyError(unnamed(blueprint))
    return OwnFamily(blueprint.family).build(blueprint, seed)


def blueprint_from_json(value: Mapping[str, Any], families: Sequence[OwnFamily] = ()) -> AnyBlueprint:
    """Of an LPIENet or of an own network, which can be built where its family is one of `families`.

    Raises ValueError for something else, and for another source of the same family.
    """
    if not is_own(value):
        return Blueprint.from_json(value)
    found = OwnBlueprint.from_json(value)
    for family in families:
        if family.name == found.family:
            return OwnBlueprint(family.name, found.genes, found.radius, found.macs, found.parameters)
        if family.name.name == found.family.name:
            raise FamilyError(
                f"{family.name.path} is another source of {family.name.name} than this network was made with: name the "
                "file as it was then"
            )
    return found


def families_of(blueprint: AnyBlueprint) -> tuple[OwnFamily, ...]:
    """The family of a network that can be built; none of an LPIENet."""
    return (OwnFamily(blueprint.family),) if isinstance(blueprint, OwnBlueprint) else ()


def unnamed(blueprint: OwnBlueprint) -> str:
    """Why a network of an own family cannot be built."""
    return (
        f"it is a network of the family {blueprint.family.name}, whose code runs only where its file is named, with "
        f"--family FILE.py:{blueprint.family.name} in search, export and report; an exported file needs no code: "
        f"lpienas export NETWORK.json --family FILE.py:{blueprint.family.name} --out DIR"
    )
