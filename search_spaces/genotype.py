"""Genotype: what a search chooses, before any channel is counted."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

STAGES = ("encoder1", "encoder2", "encoder3", "decoder1", "decoder2")  # in the order of computation
ATTENTIONS = ("none", "channel", "spatial", "both")
BLOCKS = ("released", "paper", "mobilenet")  # see blocks.InvertedResidual and blocks.IRABlock
ACTIVATIONS = ("elu", "relu")  # inside the inverted residual blocks
HEADS = ("gated", "conv3x3")  # see blocks.GatedHead and blocks.ConvHead
STEMS = ("full", "space-to-depth")  # the resolution of the outermost stages, see lpienet.LPIENet
SHARED = ("block", "activation", "head", "stem")  # genes of the whole network
WORDS = {"attention": ATTENTIONS, "block": BLOCKS, "activation": ACTIVATIONS, "head": HEADS, "stem": STEMS}

Gene = int | float | str


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
    """One point of the search space: five stages, and what all of them share.

    Raises GeneError when a value breaks its rule.
    """

    stages: tuple[Stage, ...]  # one per name in STAGES
    block: str = "released"
    activation: str = "elu"
    head: str = "gated"
    stem: str = "full"

    def __post_init__(self) -> None:
        if len(self.stages) != len(STAGES):
            raise GeneError("stages", len(self.stages), f"{len(STAGES)} stages: {', '.join(STAGES)}")
        for name, stage in zip(STAGES, self.stages, strict=True):
            _require_whole(f"{name}.depth", stage.depth, 1, 8)
            _require_whole(f"{name}.width", stage.width, 4, 512)
            _require_expansion(f"{name}.expansion", stage)
            _require_choice(f"{name}.attention", stage.attention, ATTENTIONS)
        _require_choice("block", self.block, BLOCKS)
        _require_choice("activation", self.activation, ACTIVATIONS)
        _require_choice("head", self.head, HEADS)
        _require_choice("stem", self.stem, STEMS)

    def flat(self) -> dict[str, Gene]:
        """The encoding of fixed length: `encoder1.depth` ... `decoder2.attention`, then the genes of SHARED."""
        genes: dict[str, Gene] = {
            f"{name}.{gene}": value
            for name, stage in zip(STAGES, self.stages, strict=True)
            for gene, value in asdict(stage).items()
        }
        return genes | {gene: getattr(self, gene) for gene in SHARED}

    @classmethod
    def from_flat(cls, genes: Mapping[str, Any]) -> "Genotype":
        """Inverse of `flat`; raises GeneError on a missing, unknown or wrong gene."""
        for gene in GENES:
            if gene not in genes:
                raise GeneError(gene, None, "present")
        for gene, value in genes.items():
            if gene not in GENES:
                raise GeneError(gene, value, f"one of the known genes: {', '.join(GENES)}")
        stages = tuple(
            Stage(**{field.name: genes[f"{name}.{field.name}"] for field in fields(Stage)}) for name in STAGES
        )
        return cls(stages, **{gene: genes[gene] for gene in SHARED})

    def to_json(self) -> dict[str, Any]:
        """Nested, for people: {"encoder1": {"depth": 2, ...}, ..., "stem": "full"}."""
        stages: dict[str, Any] = {name: asdict(stage) for name, stage in zip(STAGES, self.stages, strict=True)}
        return stages | {gene: getattr(self, gene) for gene in SHARED}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Genotype":
        """Inverse of `to_json`; raises GeneError on a missing, unknown or wrong gene.

        A missing `stem` is "full": files written before there was a choice lack it.
        """
        if not isinstance(value, Mapping):
            raise GeneError("stages", value, "an object with one entry per stage")
        genes: dict[str, Any] = {"stem": "full"}
        for key, part in value.items():
            if key in STAGES and isinstance(part, Mapping):
                genes |= {f"{key}.{gene}": choice for gene, choice in part.items()}
            else:
                genes[key] = part
        return cls.from_flat(genes)


GENES = (*(f"{name}.{field.name}" for name in STAGES for field in fields(Stage)), *SHARED)


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


def _require_choice(gene: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise GeneError(gene, value, f"one of {', '.join(choices)}")
