"""Own: networks of a family that a user wrote, as values: what was chosen, and what the network costs and sees.

All of it is data. It is read, shown and compared without the family's code, which `family.OwnFamily` alone runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Gene, Genotype
from search_spaces.sides import STRIDE, padded_side

FAMILY = "family"  # by this key what is written of an own network is told from an LPIENet

Genes = tuple[tuple[str, Gene], ...]  # name and value, in the order of the family's choices


@dataclass(frozen=True, slots=True)
class FamilyName:
    """Which family a network is of: its name, and the digest of the file that it was defined in."""

    name: str
    source: str
    path: Path | None = field(default=None, compare=False, repr=False)  # of that file; None: nobody named it here

    def to_json(self) -> dict[str, str]:
        """Without the path, which is this machine's."""
        return {"name": self.name, "source": self.source}

    @classmethod
    def from_json(cls, value: Any) -> "FamilyName":
        """Inverse of `to_json`; raises ValueError for something else."""
        if not isinstance(value, Mapping) or not all(isinstance(value.get(key), str) for key in ("name", "source")):
            raise ValueError(f"family = {value!r}: must be an object with name and source")
        return cls(value["name"], value["source"])


@dataclass(frozen=True, slots=True)
class OwnGenotype:
    """One point of an own family's space."""

    family: FamilyName
    genes: Genes

    def flat(self) -> dict[str, Gene]:
        """Value by gene."""
        return dict(self.genes)

    def counting(self) -> tuple[str, ...]:
        """The genes that decide something: all."""
        return tuple(gene for gene, _ in self.genes)

    def to_json(self) -> dict[str, Any]:
        return {FAMILY: self.family.to_json(), **self.flat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "OwnGenotype":
        """Inverse of `to_json`; raises ValueError for something else."""
        genes = {gene: choice for gene, choice in value.items() if gene != FAMILY}
        return cls(FamilyName.from_json(value[FAMILY]), as_genes(genes))


@dataclass(frozen=True, slots=True)
class OwnBlueprint:
    """One network of an own family; raises ValueError for figures that none can have."""

    family: FamilyName
    genes: Genes
    radius: int  # pixels, at most, between a block of STRIDE x STRIDE output pixels and one that can change it
    macs: int  # multiply-adds for STRIDE x STRIDE pixels; 1 MAC = 2 FLOPs
    parameters: int

    def __post_init__(self) -> None:
        least = {"radius": 0, "macs": 1, "parameters": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(f"{name} = {value!r} of a network of {self.family.name}: must be at least {low}")

    def macs_at(self, size: tuple[int, int]) -> int:
        """Multiply-adds at `size` (height, width), padded as images are."""
        height, width = (padded_side(side) for side in size)
        return self.macs * height * width // STRIDE**2

    def to_json(self) -> dict[str, Any]:
        figures = {"radius": self.radius, "macs": self.macs, "parameters": self.parameters}
        return {FAMILY: self.family.to_json(), "genes": dict(self.genes), **figures}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "OwnBlueprint":
        """Inverse of `to_json`; raises ValueError for something else."""
        if not isinstance(value.get("genes"), Mapping):
            raise ValueError(f"genes = {value.get('genes')!r}: must be an object with a value for each gene")
        figures = (value.get(name) for name in ("radius", "macs", "parameters"))
        return cls(FamilyName.from_json(value[FAMILY]), as_genes(value["genes"]), *figures)  # type: ignore[arg-type]


AnyGenotype = Genotype | OwnGenotype
AnyBlueprint = Blueprint | OwnBlueprint


def genotype_from_json(value: Mapping[str, Any]) -> AnyGenotype:
    """What `to_json` of either wrote; raises ValueError for something else."""
    return OwnGenotype.from_json(value) if is_own(value) else Genotype.from_json(value)


def require_lpienet(genotype: AnyGenotype) -> Genotype:
    """`genotype` itself; raises ValueError for one of an own family, where what is asked is known of LPIENets alone."""
    if isinstance(genotype, OwnGenotype):
        raise ValueError(
            f"networks of the family {genotype.family.name} are searched, compared and exported; pruning, int8 and "
            "anatomy know the stages of LPIENets alone"
        )
    return genotype


def is_own(value: Any) -> bool:
    """Whether what a file holds is of an own family, and not of an LPIENet."""
    return isinstance(value, Mapping) and FAMILY in value


def as_genes(values: Mapping[str, Any]) -> Genes:
    """`values` in a form that cannot change; raises ValueError for one that is no number and no word."""
    for gene, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"gene {gene} = {value!r}: must be a number or a word")
    return tuple(values.items())
