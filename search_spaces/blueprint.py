"""Blueprint: every channel count of one network; a pruned network is a smaller blueprint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from search_spaces.genotype import ACTIVATIONS, ATTENTIONS, BLOCKS, HEADS, STAGES, STEMS, Genotype

IMAGE_CHANNELS = 3  # RGB in, RGB out


@dataclass(frozen=True, slots=True)
class BlockBlueprint:
    """Hidden channels of one inverted residual block."""

    depthwise: int  # of the pair around the depthwise convolution
    pointwise: int  # of the second pair; 0 where there is none, in a "mobilenet" block


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

    stages: tuple[StageBlueprint, ...]  # one per name in STAGES
    block: str
    activation: str
    head: str
    stem: str = "full"

    def __post_init__(self) -> None:
        if len(self.stages) != len(STAGES):
            raise ValueError(f"a blueprint needs {len(STAGES)} stages, got {len(self.stages)}")
        for name, value, choices in (
            ("block", self.block, BLOCKS),
            ("activation", self.activation, ACTIVATIONS),
            ("head", self.head, HEADS),
            ("stem", self.stem, STEMS),
        ):
            if value not in choices:
                raise ValueError(f"blueprint {name} = {value!r}: must be one of {', '.join(choices)}")
        for name, stage in zip(STAGES, self.stages, strict=True):
            _validate_stage(name, stage, self.block)

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
        mobilenet = genotype.block == "mobilenet"
        return cls(
            stages=tuple(
                StageBlueprint(
                    width=stage.width,
                    blocks=(BlockBlueprint(stage.hidden, 0 if mobilenet else stage.hidden),) * stage.depth,
                    attention=stage.attention,
                    attention_hidden=stage.width if stage.attention in ("channel", "both") else 0,
                )
                for stage in genotype.stages
            ),
            block=genotype.block,
            activation=genotype.activation,
            head=genotype.head,
            stem=genotype.stem,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Blueprint":
        """Inverse of `to_json`; raises ValueError when a field is missing, unknown or wrong.

        A missing `stem` is "full": files written before there was a choice lack it.
        """
        try:
            unknown = set(value) - {field.name for field in fields(cls)}
            if unknown:
                raise ValueError(f"not a blueprint: unknown {', '.join(sorted(unknown))}")
            return cls(
                stages=tuple(
                    StageBlueprint(**{**stage, "blocks": tuple(BlockBlueprint(**block) for block in stage["blocks"])})
                    for stage in value["stages"]
                ),
                block=value["block"],
                activation=value["activation"],
                head=value["head"],
                stem=value.get("stem", "full"),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a blueprint: {error}") from error


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
    counts = [stage.width]
    for inner in stage.blocks:
        if (inner.pointwise == 0) != (block == "mobilenet"):
            raise ValueError(
                f"blueprint {name}.blocks has pointwise = {inner.pointwise}: must be 0 exactly where the block has no "
                f"second pair of convolutions, in a mobilenet block (block = {block!r})"
            )
        counts += [inner.depthwise] if block == "mobilenet" else [inner.depthwise, inner.pointwise]
    if has_channel_branch:
        counts.append(stage.attention_hidden)
    if any(not isinstance(count, int) or count < 1 for count in counts):
        raise ValueError(f"blueprint {name}: every channel count must be a whole number of at least 1, got {counts}")
