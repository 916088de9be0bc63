"""Genotype: what a search chooses, before any channel is counted."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

Gene = int | float | str

LEVELS = (1, 2, 3, 4)  # resolutions of the U-Net: each below the first has half the sides of the one above
ATTENTIONS = ("none", "channel", "spatial", "both")
BLOCKS = ("released", "paper", "mobilenet", "plain")  # see blocks.InvertedResidual and blocks.IRABlock
ACTIVATIONS = ("elu", "relu", "gate")  # inside the inverted residual blocks
HEADS = ("gated", "conv3x3")  # see blocks.GatedHead and blocks.ConvHead
STEMS = ("full", "space-to-depth")  # the resolution of the outermost stages, see lpienet.LPIENet
OPENINGS = ("relu", "leaky", "none")  # between a stage's convolution and its block
JOINS = ("concat", "add")  # how a decoder takes the skip from the encoder beside it; see wiring.sites
JOINED = {"concat": "concatenates", "add": "adds"}
UPSAMPLINGS = ("bilinear", "nearest")
KERNELS = (3, 5)  # pixels per side of the depthwise convolutions


@cache
def stages_of(levels: int, join: str = "concat") -> tuple[str, ...]:
    """Names of the stages of a U-Net with so many levels, in the order of computation; see wiring.sites.

    An encoder and a decoder of one name work at one level whatever the depth: encoder1 and decoder3 at the first one,
    encoder2 and decoder2 at half of its sides, encoder3 and decoder1, encoder4 and decoder0. A U-Net that concatenates,
    as LPIENet does, has a decoder at each level but the first, one that adds at each level but the lowest.
    """
    encoders = tuple(f"encoder{level}" for level in range(1, levels + 1))
    decoders = range(levels, 1, -1) if join == "concat" else range(levels - 1, 0, -1)
    return encoders + tuple(decoder_of(level) for level in decoders)


def decoder_of(level: int) -> str:
    """Name of the decoder that works at `level`."""
    return f"decoder{max(LEVELS) - level}"


@cache
def level_of(name: str) -> int:
    """The level that the stage `name` works at, 1 being the resolution of the stem."""
    number = int(name[-1])
    return number if is_encoder(name) else max(LEVELS) - number


def is_encoder(name: str) -> bool:
    return name.startswith("encoder")


@cache
def encoder_beside(name: str) -> str:
    """The encoder that works at the level of the stage `name`; an encoder's own name."""
    return f"encoder{level_of(name)}"


STAGES = stages_of(3)  # of LPIENet
ALL_STAGES = (*stages_of(max(LEVELS)), decoder_of(1))
# Genes of the whole network, each with all its values.
SHARED: dict[str, tuple["Gene", ...]] = {
    "block": BLOCKS,
    "activation": ACTIVATIONS,
    "head": HEADS,
    "stem": STEMS,
    "levels": LEVELS,
    "opening": OPENINGS,
    "join": JOINS,
    "upsampling": UPSAMPLINGS,
    "kernel": KERNELS,
}
SINCE: dict[str, "Gene"] = {
    "stem": "full",
    "levels": 3,
    "opening": "relu",
    "join": "concat",
    "upsampling": "bilinear",
    "kernel": 3,
}  # genes that came later, and what a network from before them has


class GeneError(ValueError):
    """A gene holds a value that its rule forbids; the message names gene, value and rule."""

    def __init__(self, gene: str, value: object, rule: str) -> None:
        super().__init__(f"gene {gene} = {value!r}: must be {rule}")


@dataclass(frozen=True, slots=True)
class Stage:
    """Genes of one stage: a 3x3 convolution to `width` channels, then one IRA block."""

    depth: int = 2  # inverted residual blocks per IRA block
    width: int = 16  # channels
    expansion: float = 1.0  # hidden channels per channel inside an inverted residual block
    attention: str = "both"

    @property
    def hidden(self) -> int:
        """Hidden channels of an inverted residual block."""
        return round(self.width * self.expansion)


@dataclass(frozen=True, slots=True)
class Genotype:
    """One point of the search space: the stages, and what all of them share.

    Raises GeneError when a value breaks its rule.
    """

    stages: tuple[Stage, ...]  # one per name in stages_of(levels, join)
    block: str = "released"
    activation: str = "elu"
    head: str = "gated"
    stem: str = "full"
    levels: int = 3
    opening: str = "relu"
    join: str = "concat"
    upsampling: str = "bilinear"
    kernel: int = 3  # of the depthwise convolutions; 3 in a plain block, which has none

    def __post_init__(self) -> None:
        for gene, choices in SHARED.items():
            _require_choice(gene, getattr(self, gene), choices)
        names = self.names
        if len(self.stages) != len(names):
            raise GeneError("stages", len(self.stages), f"{len(names)} stages: {', '.join(names)}")
        for name, stage in zip(names, self.stages, strict=True):
            _require_whole(f"{name}.depth", stage.depth, 1, 8)
            _require_whole(f"{name}.width", stage.width, 4, 512)
            _require_expansion(f"{name}.expansion", stage)
            _require_choice(f"{name}.attention", stage.attention, ATTENTIONS)
        if self.join == "add":
            widths = {name: stage.width for name, stage in zip(names, self.stages, strict=True)}
            for name, width in widths.items():
                if width != (wide := widths[encoder_beside(name)]):
                    raise GeneError(f"{name}.width", width, f"{wide}, as of the encoder whose skip is added to it")
        if self.stem != "full" and self.levels > 3:
            raise GeneError("levels", self.levels, "at most 3 with a space-to-depth stem, which is a level of its own")
        if self.block == "plain" and self.kernel != 3:
            raise GeneError("kernel", self.kernel, "3 in a plain block, which has no depthwise convolution")
        if self.block == "plain" and self.activation == "gate":
            raise GeneError("activation", self.activation, "elu or relu in a plain block")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the stages, in the order of computation."""
        return stages_of(self.levels, self.join)

    def flat(self) -> dict[str, Gene]:
        """The encoding of fixed length, in the order of GENES: a stage that is not there has the genes of `Stage()`."""
        present = dict(zip(self.names, self.stages, strict=True))
        genes: dict[str, Gene] = {
            gene: getattr(present.get(name, _ABSENT), field)
            for name, of_stage in _STAGE_GENES.items()
            for field, gene in of_stage.items()
        }
        return genes | {gene: getattr(self, gene) for gene in SHARED}

    @classmethod
    def from_flat(cls, genes: Mapping[str, Any]) -> "Genotype":
        """Inverse of `flat`; raises GeneError on a missing, unknown or wrong gene.

        What a gene says of a part that is not there does not count (see `counting`): the genes of absent stages are
        not looked at, a plain block has the kernel 3 and ReLU for a gate, a space-to-depth stem at most three levels,
        and a decoder to which a skip is added the width of the encoder beside it.
        """
        for gene in GENES:
            if gene not in genes:
                raise GeneError(gene, None, "present")
        if len(genes) > len(GENES):
            gene = next(gene for gene in genes if gene not in GENES)
            raise GeneError(gene, genes[gene], f"one of the known genes: {', '.join(GENES)}")
        _require_choice("levels", genes["levels"], LEVELS)
        _require_choice("join", genes["join"], JOINS)
        shared = {gene: genes[gene] for gene in SHARED}
        if shared["block"] == "plain":
            shared |= {"kernel": 3, "activation": "relu" if shared["activation"] == "gate" else shared["activation"]}
        if shared["stem"] != "full":
            shared["levels"] = min(3, shared["levels"])
        names = stages_of(shared["levels"], shared["join"])
        if shared["join"] == "add":
            genes = dict(genes) | {f"{name}.width": genes[f"{encoder_beside(name)}.width"] for name in names}
        stages = (Stage(**{field: genes[gene] for field, gene in _STAGE_GENES[name].items()}) for name in names)
        return cls(tuple(stages), **shared)

    def counting(self) -> tuple[str, ...]:
        """The genes that decide something here.

        Not those of absent stages, nor the kernel of a plain block, nor the width of a decoder that adds.
        """
        idle = {f"{name}.{field.name}" for name in ALL_STAGES if name not in self.names for field in fields(Stage)}
        if self.join == "add":
            idle |= {f"{name}.width" for name in self.names if name.startswith("decoder")}
        return tuple(gene for gene in GENES if gene not in idle and not (gene == "kernel" and self.block == "plain"))

    def to_json(self) -> dict[str, Any]:
        """Nested, for people: {"encoder1": {"depth": 2, ...}, ..., "stem": "full", ...}."""
        stages: dict[str, Any] = {name: asdict(stage) for name, stage in zip(self.names, self.stages, strict=True)}
        return stages | {gene: getattr(self, gene) for gene in SHARED}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Genotype":
        """Inverse of `to_json`; raises GeneError on a missing, unknown or wrong gene.

        A missing gene of SINCE has the value there: files written before there was a choice lack it.
        """
        if not isinstance(value, Mapping):
            raise GeneError("stages", value, "an object with one entry per stage")
        genes: dict[str, Any] = dict(SINCE)
        for key, part in value.items():
            if key in ALL_STAGES and isinstance(part, Mapping):
                genes |= {f"{key}.{gene}": choice for gene, choice in part.items()}
            else:
                genes[key] = part
        levels = genes["levels"]
        _require_choice("levels", levels, LEVELS)
        _require_choice("join", genes["join"], JOINS)
        absent = [name for name in ALL_STAGES if name not in stages_of(levels, genes["join"])]
        for gene in [gene for gene in genes if gene.partition(".")[0] in absent]:
            raise GeneError(
                gene,
                genes[gene],
                f"absent: a network of {levels} levels that {JOINED[genes['join']]} has no {gene.partition('.')[0]}",
            )
        idle = {f"{name}.{gene}": choice for name in absent for gene, choice in asdict(Stage()).items()}
        return cls.from_flat(idle | genes)


_STAGE_GENES = {name: {field.name: f"{name}.{field.name}" for field in fields(Stage)} for name in ALL_STAGES}
_ABSENT = Stage()  # what the genes of a stage say that is not there
GENES = (*(gene for of_stage in _STAGE_GENES.values() for gene in of_stage.values()), *SHARED)
WORDS: dict[str, tuple[Gene, ...]] = {"attention": ATTENTIONS, **SHARED}  # genes whose every value may be asked for


def _require_whole(gene: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise GeneError(gene, value, f"a whole number from {low} to {high}")


def _require_expansion(gene: str, stage: Stage) -> None:
    value = stage.expansion
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.25 <= value <= 8:
        raise GeneError(gene, value, "a number from 0.25 to 8")
    hidden = stage.width * value
    if not math.isclose(hidden, round(hidden)):
        raise GeneError(gene, value, f"such that width * expansion is whole (here {stage.width} * {value} = {hidden})")


def _require_choice(gene: str, value: object, choices: tuple[Gene, ...]) -> None:
    if isinstance(value, bool) or value not in choices:
        raise GeneError(gene, value, f"one of {', '.join(map(str, choices))}")
