"""Space: the choices of each gene, their number, and the presets."""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import product

from search_spaces.blueprint import Blueprint
from search_spaces.genotype import ALL_STAGES, GENES, SHARED, SINCE, STAGES, WORDS, Gene, GeneError, Genotype, Stage
from search_spaces.own import AnyGenotype, OwnGenotype, require_lpienet

REFERENCE = Genotype(tuple(Stage(width=width) for width in (16, 32, 64, 32, 16)))
PAPER = replace(REFERENCE, block="paper", activation="relu", head="conv3x3")
# A network that adds, of 287 MMACs: one inverted residual block a stage, four levels, widths that double.
ADDITIVE = Genotype(
    tuple(Stage(1, width, 3.0, "none") for width in (8, 16, 32, 64, 32, 16, 8)),
    block="mobilenet",
    activation="relu",
    head="conv3x3",
    levels=4,
    opening="none",
    join="add",
    upsampling="nearest",
)
_ANY = REFERENCE.flat()  # genes that are valid with any structure
PRESETS = {"reference": REFERENCE, "paper": PAPER}

# Evenly spaced, so that a sampler may treat them as numbers with an order. The first level's stay small: they decide
# most of the cost. A decoder that adds is as wide as the encoder beside it, and its own choices do not count.
_WIDTHS = {
    "encoder1": (4, 8, 12, 16),
    "encoder2": (8, 16, 24, 32),
    "encoder3": (16, 32, 48, 64),
    "encoder4": (32, 64, 96),
    "decoder0": (16, 32, 48, 64),
    "decoder1": (8, 16, 24, 32),
    "decoder2": (4, 8, 12, 16),
    "decoder3": (4, 8, 12, 16),
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
        for shared in self.structures():
            for gene, value in shared.items():
                if value not in self.choices[gene] and not (gene == "kernel" and shared["block"] == "plain"):
                    words = ", ".join(f"{name}={other}" for name, other in shared.items())
                    raise ValueError(f"choices of gene {gene} must hold {value}, which these need: {words}")

    def __hash__(self) -> int:
        return hash(tuple(self.choices.items()))

    def to_json(self) -> dict[str, list[Gene]]:
        """The choices, for a JSON file."""
        return {gene: list(values) for gene, values in self.choices.items()}

    @classmethod
    def from_json(cls, choices: Mapping[str, list[Gene]]) -> "Space":
        """The inverse of `to_json`; raises ValueError where genes are missing or unknown.

        A space from before a gene was there has the one choice for it that all networks of that time have.
        """
        later: dict[str, tuple[Gene, ...]] = {gene: (value,) for gene, value in SINCE.items()}
        for name in ALL_STAGES:
            if "levels" not in choices and name not in STAGES:
                later |= {f"{name}.{gene}": (value,) for gene, value in asdict(Stage()).items()}
        known = later | {gene: tuple(values) for gene, values in choices.items()}
        return cls({gene: known.pop(gene) for gene in GENES if gene in known} | known)

    @property
    def size(self) -> int:
        """Number of genotypes: the choices of genes that decide nothing are not counted as several."""
        total = 0
        for shared in self.structures():
            counting = Genotype.from_flat(_ANY | shared).counting()
            total += math.prod(len(self.choices[gene]) for gene in counting if gene not in SHARED)
        return total

    def structures(self) -> list[dict[str, Gene]]:
        """Every valid combination of the genes that all stages share, once."""
        found: dict[tuple[Gene, ...], dict[str, Gene]] = {}
        for values in product(*(self.choices[gene] for gene in SHARED)):
            genotype = Genotype.from_flat(_ANY | dict(zip(SHARED, values, strict=True)))
            shared = {gene: getattr(genotype, gene) for gene in SHARED}
            found.setdefault(tuple(shared.values()), shared)
        return list(found.values())

    def counting(self) -> tuple[str, ...]:
        """The genes that decide something in at least one genotype, in the order of GENES."""
        return _counting(self)

    def require(self, genotype: Genotype) -> Genotype:
        """`genotype` itself; raises GeneError for the first gene that is not among the choices."""
        genes = genotype.flat()
        for gene in genotype.counting():
            if genes[gene] not in self.choices[gene]:
                raise GeneError(gene, genes[gene], f"one of {', '.join(map(str, self.choices[gene]))} in this space")
        return genotype

    def holds(self, genotype: AnyGenotype) -> bool:
        """Whether every gene that counts is among the choices; not for an own network."""
        if isinstance(genotype, OwnGenotype):
            return False
        genes = genotype.flat()
        return all(genes[gene] in self.choices[gene] for gene in genotype.counting())

    def nearest(self, genotype: Genotype) -> Genotype:
        """`genotype` with every number moved to the closest choice, and a word that is no choice to the first one."""
        if self.holds(genotype):
            return genotype
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

    def genotype(self, genes: Mapping[str, Gene]) -> Genotype:
        """The point with these genes; raises GeneError as Genotype.from_flat does."""
        return Genotype.from_flat(genes)

    def blueprint(self, genotype: AnyGenotype) -> Blueprint:
        """Of a network; the space's part in building it is none."""
        return Blueprint.from_genotype(require_lpienet(genotype))

    def first(self) -> list[Genotype]:
        """What is worth trying first: the reference as it is, and what was made by hand."""
        return list(dict.fromkeys([REFERENCE, *self.hand_made()]))

    def hand_made(self) -> list[Genotype]:
        """ADDITIVE in five sizes, made to fit this space.

        Trained fully, those sizes are above what a search of hundreds of networks finds at equal cost
        (results/published/search).
        """
        light = [
            replace(wide, stages=tuple(replace(stage, expansion=1.0) for stage in wide.stages))
            for wide in (scaled(ADDITIVE, 0.5), ADDITIVE)
        ]
        wishes = [ADDITIVE, scaled(ADDITIVE, 0.5), scaled(ADDITIVE, 1.5), *light]
        return list(dict.fromkeys(self.nearest(wish) for wish in wishes))

    def sample(self, generator: random.Random) -> Genotype:
        """A genotype drawn with every gene uniform and independent; hardly any of them is small."""
        counting = frozenset(self.counting())
        return Genotype.from_flat(
            {g: generator.choice(values) if g in counting else values[0] for g, values in self.choices.items()}
        )

    def sample_of_any_size(self, generator: random.Random, wishes: Mapping[str, Gene] | None = None) -> Genotype:
        """A genotype whose numbers are all drawn around one level, uniform from smallest to largest; words uniform.

        The genes of `wishes` take the place of what is drawn.
        """
        level, counting = generator.random(), frozenset(self.counting())
        genes: dict[str, Gene] = {}
        for gene, values in self.choices.items():
            if gene not in counting:
                genes[gene] = values[0]
            elif isinstance(values[0], str):
                genes[gene] = generator.choice(values)
            else:
                genes[gene] = values[sum(generator.random() < level for _ in values[1:])]
        genes.update(wishes or {})
        return Genotype.from_flat(genes)


@lru_cache(maxsize=64)
def _counting(space: Space) -> tuple[str, ...]:
    found: set[str] = set()
    for shared in space.structures():
        found |= set(Genotype.from_flat(_ANY | shared).counting())
    return tuple(gene for gene in GENES if gene in found)


def default_space() -> Space:
    """What a search looks at: depth, width, expansion and attention of each stage, three or four levels.

    Networks that add their skips, double by repeating pixels and have nothing between a stage's convolution and its
    block learn most in as many steps (benchmarks/ablation.py). The released block is no better than the inverted
    residual one, and its slices of a supernet explode (results/published/scores). To be asked for by name (`fixed`):
    LPIENet's own wiring (`block=released`, `join=concat`, `upsampling=bilinear`, `opening=relu`), and all other words.
    """
    choices: dict[str, tuple[Gene, ...]] = {}
    for stage in ALL_STAGES:
        choices[f"{stage}.depth"] = (1, 2, 3)
        choices[f"{stage}.width"] = _WIDTHS[stage]
        choices[f"{stage}.expansion"] = (1.0, 2.0, 3.0)
        choices[f"{stage}.attention"] = ("none", "channel", "spatial", "both")
    choices |= {"block": ("mobilenet",), "activation": ("relu",), "head": ("conv3x3",), "stem": ("full",)}
    choices |= {"levels": (3, 4), "opening": ("none",), "join": ("add",), "upsampling": ("nearest",), "kernel": (3,)}
    return Space(choices)


def scaled(genotype: Genotype, factor: float) -> Genotype:
    """`genotype` with all widths multiplied by `factor` and rounded to a multiple of 4, at least 4."""
    return replace(
        genotype,
        stages=tuple(replace(stage, width=max(4, 4 * round(stage.width * factor / 4))) for stage in genotype.stages),
    )
