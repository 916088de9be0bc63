"""Own space: the networks of an own family that a search may propose, asked as an LPIENet's space is."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

from search_spaces.blueprint import Blueprint
from search_spaces.family import OwnFamily
from search_spaces.genotype import Gene, GeneError, Genotype
from search_spaces.own import AnyBlueprint, AnyGenotype, OwnBlueprint, OwnGenotype, as_genes
from search_spaces.space import REFERENCE


@dataclass(frozen=True, slots=True)
class OwnSpace:
    """The choices of every gene of a family."""

    family: OwnFamily
    genes: tuple[tuple[str, tuple[Gene, ...]], ...]

    @classmethod
    def of(cls, family: OwnFamily) -> "OwnSpace":
        return cls(family, tuple(family.choices.items()))

    @property
    def choices(self) -> dict[str, tuple[Gene, ...]]:
        return dict(self.genes)

    @property
    def size(self) -> int:
        """Number of genotypes."""
        return prod(len(values) for _, values in self.genes)

    def to_json(self) -> dict[str, list[Gene]]:
        """The choices, for a JSON file."""
        return {gene: list(values) for gene, values in self.genes}

    def counting(self) -> tuple[str, ...]:
        """The genes that decide something: all."""
        return tuple(gene for gene, _ in self.genes)

    def holds(self, genotype: AnyGenotype) -> bool:
        """Whether `genotype` is of this family, with every gene among the choices."""
        if not isinstance(genotype, OwnGenotype) or genotype.family != self.family.name:
            return False
        genes = genotype.flat()
        return genes.keys() == self.choices.keys() and all(genes[gene] in values for gene, values in self.genes)

    def genotype(self, genes: dict[str, Gene]) -> OwnGenotype:
        """The point with these genes."""
        return OwnGenotype(self.family.name, as_genes({gene: genes[gene] for gene, _ in self.genes}))

    def blueprint(self, genotype: AnyGenotype) -> AnyBlueprint:
        """Of a network of this family, or of the LPIENet that every search is compared with."""
        if isinstance(genotype, Genotype):
            return Blueprint.from_genotype(genotype)
        return self.family.blueprint(genotype.flat())

    def fixed(self, wishes: Iterable[str]) -> "OwnSpace":
        """This space with fewer choices, by texts like `width=8,16`; raises GeneError for a gene or value it lacks."""
        choices = self.choices
        for wish in wishes:
            gene, _, text = wish.partition("=")
            if gene not in choices:
                raise GeneError(gene, text, f"a gene of {self.family.name.name}: {', '.join(choices)}")
            known = {str(value): value for value in choices[gene]}
            for word in text.split(","):
                if word not in known:
                    raise GeneError(gene, word, f"one of {', '.join(known)}")
            choices[gene] = tuple(value for word, value in known.items() if word in text.split(","))
        return OwnSpace(self.family, tuple(choices.items()))

    def at(self, place: int) -> OwnGenotype:
        """The point of the first (0), the middle (1) or the last (2) choices."""
        return self.genotype({gene: values[place * (len(values) - 1) // 2] for gene, values in self.genes})

    def sample(self, generator: random.Random) -> OwnGenotype:
        """A genotype, each as likely as any other."""
        return self.genotype({gene: generator.choice(values) for gene, values in self.genes})

    def first(self) -> list[AnyGenotype]:
        """What is worth trying first: LPIENet, which every search is compared with, and three of rising choices."""
        return list(dict.fromkeys([REFERENCE, *(self.at(place) for place in range(3))]))

    def hand_made(self) -> list[AnyGenotype]:
        """None: which networks of a family are known to be good is not told."""
        return []

    def extreme(self, largest: bool, of: str = "macs") -> OwnBlueprint:
        """The network of fewest or most multiply-adds or `parameters`, by changes of one gene from the ends' choices.

        Exact where what is counted rises or falls with every gene, whatever the others are.
        """
        better: Callable[[int, int], bool] = int.__gt__ if largest else int.__lt__
        genes = {gene: values[-1 if largest else 0] for gene, values in self.genes}
        best = self.family.blueprint(genes)
        improved = True
        while improved:
            improved = False
            for gene, values in self.genes:
                for value in values:
                    other = self.family.blueprint(genes | {gene: value})
                    if better(getattr(other, of), getattr(best, of)):
                        genes, best, improved = genes | {gene: value}, other, True
        return best
