"""Space: the choices of each gene, their number, and the presets."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from search_spaces.genotype import GENES, STAGES, WORDS, Gene, GeneError, Genotype, Stage

REFERENCE = Genotype(tuple(Stage(width=width) for width in (16, 32, 64, 32, 16)))
PAPER = replace(REFERENCE, block="paper", activation="relu", head="conv3x3")
PRESETS = {"reference": REFERENCE, "paper": PAPER}

# Evenly spaced, so that a sampler may treat them as numbers with an order. None is above the reference's: a network for
# a phone that beats it is a smaller one, and depth and expansion still reach twice its cost.
_WIDTHS = {
    "encoder1": (4, 8, 12, 16),
    "encoder2": (8, 16, 24, 32),
    "encoder3": (16, 32, 48, 64),
    "decoder1": (8, 16, 24, 32),
    "decoder2": (4, 8, 12, 16),
}


@dataclass(frozen=True, slots=True)
class Space:
    """The choices of every gene, in the fixed order of GENES."""

    choices: Mapping[str, tuple[Gene, ...]]

    def __post_init__(self) -> None:
        if tuple(self.choices) != GENES:
            raise ValueError(f"a space needs choices for exactly these genes, in this order: {', '.join(GENES)}")
        for gene, values in self.choices.items():
            if not values or len(set(values)) != len(values):
                raise ValueError(f"choices of gene {gene} must be distinct and at least one, got {values}")

    def __hash__(self) -> int:
        return hash(tuple(self.choices.items()))

    def to_json(self) -> dict[str, list[Gene]]:
        """The choices, for a JSON file."""
        return {gene: list(values) for gene, values in self.choices.items()}

    @classmethod
    def from_json(cls, choices: Mapping[str, list[Gene]]) -> "Space":
        """The inverse of `to_json`; raises ValueError where genes are missing or unknown."""
        return cls({gene: tuple(values) for gene, values in choices.items()})

    @property
    def size(self) -> int:
        """Number of genotypes."""
        return math.prod(len(values) for values in self.choices.values())

    def require(self, genotype: Genotype) -> Genotype:
        """`genotype` itself; raises GeneError for the first gene that is not among the choices."""
        for gene, value in genotype.flat().items():
            if value not in self.choices[gene]:
                raise GeneError(gene, value, f"one of {', '.join(map(str, self.choices[gene]))} in this space")
        return genotype

    def holds(self, genotype: Genotype) -> bool:
        """Whether every gene is among the choices."""
        return all(value in self.choices[gene] for gene, value in genotype.flat().items())

    def nearest(self, genotype: Genotype) -> Genotype:
        """`genotype` with every number moved to the closest choice, and a word that is no choice to the first one."""
        genes: dict[str, Gene] = {}
        for gene, value in genotype.flat().items():
            choices = self.choices[gene]
            numbers = [choice for choice in choices if not isinstance(choice, str)]
            if not isinstance(value, str) and numbers:
                genes[gene] = min(numbers, key=lambda choice, value=value: abs(choice - value))  # type: ignore[misc]
            else:
                genes[gene] = value if value in choices else choices[0]
        return self.require(Genotype.from_flat(genes))

    def fixed(self, wishes: Iterable[str]) -> "Space":
        """This space with other choices, by texts like `head=gated`, `attention=none,spatial`, `encoder1.depth=1`.

        A gene without a stage's name means that of every stage. A number has to be a choice already; a word may be any
        that the family knows. Raises GeneError for an unknown gene and for an unknown value.
        """
        choices = dict(self.choices)
        for wish in wishes:
            name, _, text = wish.partition("=")
            genes = [gene for gene in choices if gene == name or gene.endswith(f".{name}")]
            if not genes:
                raise GeneError(name, text, f"a known gene: {', '.join(GENES)}, or depth, width, expansion, attention")
            for gene in genes:
                known = {str(value): value for value in WORDS.get(name.split(".")[-1], self.choices[gene])}
                wanted = text.split(",")
                for word in wanted:
                    if word not in known:
                        raise GeneError(gene, word, f"one of {', '.join(known)}")
                choices[gene] = tuple(value for word, value in known.items() if word in wanted)
        return Space(choices)

    def extreme(self, largest: bool, words: Mapping[str, Gene]) -> Genotype:
        """The genotype with every number at its end and all kinds of attention or as few as may be.

        `words` are the genes that all stages share. The largest one holds every other genotype with these words.
        """
        genes: dict[str, Gene] = dict(words)
        for gene, values in self.choices.items():
            if gene.endswith(".attention"):
                kinds = [kind for kind in values if kind != "none"]
                if largest:
                    genes[gene] = "both" if len(kinds) > 1 else values[-1] if not kinds else kinds[0]
                else:
                    genes[gene] = "none" if "none" in values else values[0]
            elif "." in gene:
                genes[gene] = values[-1 if largest else 0]
        return Genotype.from_flat(genes)

    def sample(self, generator: random.Random) -> Genotype:
        """A genotype drawn with every gene uniform and independent; hardly any of them is small."""
        return Genotype.from_flat({gene: generator.choice(values) for gene, values in self.choices.items()})

    def sample_of_any_size(self, generator: random.Random) -> Genotype:
        """A genotype whose numbers are all drawn around one level, uniform from smallest to largest; words uniform."""
        level = generator.random()
        genes: dict[str, Gene] = {}
        for gene, values in self.choices.items():
            if isinstance(values[0], str):
                genes[gene] = generator.choice(values)
            else:
                genes[gene] = values[sum(generator.random() < level for _ in values[1:])]
        return Genotype.from_flat(genes)


def default_space() -> Space:
    """The ordered space: depth, width, expansion and attention per stage, the two activations, and two of the blocks.

    MobileNetV2's block is there since the published front is made of it. To be asked for by name (`fixed`): the gated
    head, which trains erratically, the space-to-depth stem, which learned more slowly, and the paper's block, which is
    equal to the released one. benchmarks/ablation.py compares them.
    """
    choices: dict[str, tuple[Gene, ...]] = {}
    for stage in STAGES:
        choices[f"{stage}.depth"] = (1, 2, 3)
        choices[f"{stage}.width"] = _WIDTHS[stage]
        choices[f"{stage}.expansion"] = (0.5, 1.0, 1.5, 2.0)
        choices[f"{stage}.attention"] = ("none", "channel", "spatial", "both")
    choices |= {"block": ("released", "mobilenet"), "activation": ("elu", "relu")}
    return Space(choices | {"head": ("conv3x3",), "stem": ("full",)})


def scaled(genotype: Genotype, factor: float) -> Genotype:
    """`genotype` with all widths multiplied by `factor` and rounded to a multiple of 4, at least 4."""
    return replace(
        genotype,
        stages=tuple(replace(stage, width=max(4, 4 * round(stage.width * factor / 4))) for stage in genotype.stages),
    )


def hand_made(space: Space) -> list[Genotype]:
    """Genotypes worth trying first: the reference as it is, and smaller copies of it with either head in `space`."""
    light = replace(REFERENCE, activation="relu", head="conv3x3")
    wishes = [REFERENCE, light, scaled(light, 0.5), scaled(REFERENCE, 0.75), scaled(light, 0.25)]
    return list(dict.fromkeys([REFERENCE, *(space.nearest(wish) for wish in wishes)]))
