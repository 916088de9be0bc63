"""Blueprint: every channel count of one network; a pruned network is a smaller blueprint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

from search_spaces.genotype import ATTENTIONS, SHARED, SINCE, Genotype, Stage, encoder_beside, stages_of

IMAGE_CHANNELS = 3  # RGB in, RGB out
SINGLE = ("mobilenet", "plain")  # blocks of one pair of convolutions


@dataclass(frozen=True, slots=True)
class BlockBlueprint:
    """Hidden channels of one residual block: those that its last convolution of a pair takes, behind a gate if any."""

    depthwise: int  # of the pair around the depthwise convolution; between the two 3x3 ones in a plain block
    pointwise: int  # of the second pair; 0 where there is none: in a "mobilenet" or a "plain" block, or pruned


@dataclass(frozen=True, slots=True)
class StageBlueprint:
    """Channels of one stage."""

    width: int
    blocks: tuple[BlockBlueprint, ...]
    attention: str
    attention_hidden: int  # of the channel branch; 0 where there is none


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All that is needed to build one LPIENet; raises ValueError on a count below 1 or an unknown word."""

    stages: tuple[StageBlueprint, ...]  # one per name in stages_of(levels, join)
    block: str
    activation: str
    head: str
    stem: str = "full"
    levels: int = 3
    opening: str = "relu"
    join: str = "concat"
    upsampling: str = "bilinear"
    kernel: int = 3  # pixels per side of the depthwise convolutions

    def __post_init__(self) -> None:
        for name, choices in SHARED.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"blueprint {name} = {value!r}: must be one of {', '.join(map(str, choices))}")
        if len(self.stages) != len(self.names):
            raise ValueError(
                f"a blueprint of {self.levels} levels needs {len(self.names)} stages, got {len(self.stages)}"
            )
        widths = {name: stage.width for name, stage in self.named()}
        for name, stage in self.named():
            _validate_stage(name, stage, self.block)
            if self.join == "add" and stage.width != (wide := widths[encoder_beside(name)]):
                raise ValueError(
                    f"blueprint {name}.width = {stage.width}: must be {wide}, that of the encoder which is added"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the stages, in the order of computation."""
        return stages_of(self.levels, self.join)

    def named(self) -> tuple[tuple[str, StageBlueprint], ...]:
        """Every stage with its name, in the order of computation."""
        return tuple(zip(self.names, self.stages, strict=True))

    @property
    def cell(self) -> int:
        """Pixels per side of the square that the stem gathers into one position: 1, or 2 for space-to-depth."""
        return 2 if self.stem == "space-to-depth" else 1

    @property
    def stem_channels(self) -> int:
        """Channels of the image as the first stage takes it and as the head's projection gives it."""
        return IMAGE_CHANNELS * self.cell**2

    @classmethod
    def from_genotype(cls, genotype: Genotype) -> "Blueprint":
        """The channel counts that a genotype asks for."""
        single = genotype.block in SINGLE
        return cls(
            stages=tuple(_planned(stage, single) for stage in genotype.stages),
            **{gene: getattr(genotype, gene) for gene in SHARED},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Blueprint":
        """Inverse of `to_json`; raises ValueError when a field is missing, unknown or wrong.

        A missing field of genotype.SINCE has the value there: files written before there was a choice lack it.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"not a blueprint: {value!r}: must be an object")
        try:
            unknown = set(value) - {field.name for field in fields(cls)}
            if unknown:
                raise ValueError(f"not a blueprint: unknown {', '.join(sorted(unknown))}")
            stages = _listed("stages", value["stages"])
            return cls(
                stages=tuple(_stage(f"stages {place}", stage) for place, stage in enumerate(stages)),
                **{name: value.get(name, SINCE[name]) if name in SINCE else value[name] for name in SHARED},
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a blueprint: {error}") from error


@lru_cache(maxsize=4096)  # a search looks at the same stages again and again
def _planned(stage: Stage, single: bool) -> StageBlueprint:
    """The channel counts of one stage, whose blocks have a `single` pair of convolutions or two."""
    return StageBlueprint(
        width=stage.width,
        blocks=(BlockBlueprint(stage.hidden, 0 if single else stage.hidden),) * stage.depth,
        attention=stage.attention,
        attention_hidden=stage.width if stage.attention in ("channel", "both") else 0,
    )


def before_activation(channels: int, activation: str) -> int:
    """Channels that an activation takes to give `channels`."""
    return 2 * channels if activation == "gate" else channels


def head_activation(activation: str) -> str:
    """That of a gated head, whose three channels a gate cannot halve."""
    return "relu" if activation == "gate" else activation


def _listed(name: str, value: Any) -> list[Mapping[str, Any]]:
    """`value` as a list of objects; raises ValueError that names it."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise ValueError(f"not a blueprint: {name} = {value!r}: must be a list of objects")
    return list(value)


def _stage(name: str, value: Mapping[str, Any]) -> StageBlueprint:
    try:
        blocks = _listed(f"{name} blocks", value["blocks"])
        return StageBlueprint(**{**value, "blocks": tuple(BlockBlueprint(**block) for block in blocks)})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a blueprint: {name}: {error}") from error


def _validate_stage(name: str, stage: StageBlueprint, block: str) -> None:
    if stage.attention not in ATTENTIONS:
        raise ValueError(f"blueprint {name}.attention = {stage.attention!r}: must be one of {', '.join(ATTENTIONS)}")
    if not stage.blocks:
        raise ValueError(f"blueprint {name}.blocks is empty: must hold at least one inverted residual block")
    has_channel_branch = stage.attention in ("channel", "both")
    if has_channel_branch != (stage.attention_hidden != 0):
        raise ValueError(
            f"blueprint {name}.attention_hidden = {stage.attention_hidden}: must be above 0 exactly where the "
            f"attention has a channel branch (attention = {stage.attention!r})"
        )
    _require_count(stage.width, name, "width")
    before = None
    for place, inner in enumerate(stage.blocks):
        if inner is before:
            continue  # the blocks of a genotype's stage are one
        before = inner
        if inner.pointwise and block in SINGLE:
            raise ValueError(
                f"blueprint {name}.blocks has pointwise = {inner.pointwise}: must be 0, since a "
                f"{' or '.join(SINGLE)} block has no second pair of convolutions (block = {block!r})"
            )
        _require_count(inner.depthwise, name, "blocks", place, "depthwise")
        if inner.pointwise != 0:
            _require_count(inner.pointwise, name, "blocks", place, "pointwise")
    if has_channel_branch:
        _require_count(stage.attention_hidden, name, "attention_hidden")


def _require_count(count: object, stage: str, *where: object) -> None:
    """Raises ValueError that names the field where `count` is no count of channels."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(
            f"blueprint {stage}.{'.'.join(map(str, where))} = {count!r}: must be a whole number of at least 1"
        )
