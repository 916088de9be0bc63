"""Settings: what is done to a network to make it small, and what each stage may spend."""

from dataclasses import dataclass
from pathlib import Path

from compress.bench.latency import Timing
from compress.int8.ways import AUTO, WAYS
from nas.task.training import Recipe
from search_spaces.cost import DEFAULT_SIZE

INT8 = (*WAYS, "float")  # ways to int8, or none


@dataclass(frozen=True, slots=True)
class Fast:
    """A latency to prune to, as compress.bench.latency measures it on this host with one thread."""

    milliseconds: float
    runtime: str = "litert"
    precision: str = "int8"
    size: tuple[int, int] = DEFAULT_SIZE  # height, width in pixels

    def __post_init__(self) -> None:
        if not self.milliseconds > 0:
            raise ValueError(f"latency = {self.milliseconds} ms: must be above 0")

    @property
    def timing(self) -> Timing:
        """How it is measured."""
        return Timing(self.runtime, self.precision, self.size)


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """What is done to a network, and what each stage may spend."""

    training: Recipe
    fine_tuning: Recipe
    quantization: Recipe
    prune: float | int | Fast | None = None  # share of the MACs to remove; MACs, or the latency, to reach; None: off
    int8: str = "best"  # one of INT8
    distillation: float = 1.0  # weight of the teacher's output in the loss of fine-tuning
    in_float: tuple[str, ...] = ()  # layers that int8 leaves alone, see quantize.layers_of; AUTO: as many as it takes
    calibration: Path | None = None  # folder of photographs that int8 ranges are taken from; None: training patches
    seed: int = 0
    prune_loss: float | None = None  # SSIM on training patches that pruning may lose; instead of a share of the MACs
    wide: tuple[str, ...] = ()  # layers whose activations have 16 bits in int8; AUTO: as many as it takes
    twice: int | str = 0  # of the highest levels, whose channels int8 holds twice; AUTO: one, where it takes that

    def __post_init__(self) -> None:
        if isinstance(self.prune, float) and not 0 < self.prune < 1:
            raise ValueError(f"prune = {self.prune}: must be a share of the MACs above 0 and below 1, or off")
        if isinstance(self.prune, int) and self.prune < 1:
            raise ValueError(f"prune = {self.prune} MACs: must be 1 or more")
        if self.prune_loss is not None and not 0 < self.prune_loss < 1:
            raise ValueError(f"prune_loss = {self.prune_loss}: must be an SSIM above 0 and below 1")
        if self.prune_loss is not None and self.prune is None:
            raise ValueError(f"prune_loss = {self.prune_loss} with prune off: leave one of them out")
        if self.in_float and isinstance(self.prune, Fast) and self.prune.precision == "int8":
            raise ValueError(
                f"in_float = {', '.join(self.in_float)} with a latency in int8: layers in float would take longer than "
                "what is measured; leave one of them out, or ask for the latency of a file in float"
            )
        if self.wide and isinstance(self.prune, Fast) and self.prune.precision == "int8":
            raise ValueError(
                f"wide = {', '.join(self.wide)} with a latency in int8: layers with 16 bits would take longer than "
                "what is measured; leave one of them out, or ask for the latency of a file in float"
            )
        if self.twice and isinstance(self.prune, Fast) and self.prune.precision == "int8":
            raise ValueError(
                f"twice = {self.twice} with a latency in int8: channels that are held twice take longer than what is "
                "measured; leave one of them out, or ask for the latency of a file in float"
            )
        if self.twice != AUTO and not (isinstance(self.twice, int) and self.twice >= 0):
            raise ValueError(f"twice = {self.twice!r}: must be a number of levels, or {AUTO}")
        if both := set(self.in_float) & set(self.wide):
            raise ValueError(f"{', '.join(sorted(both))} in in_float and in wide: a layer is one of them")
        if self.distillation < 0:
            raise ValueError(f"distillation = {self.distillation}: must not be negative; 0: none")
        if self.int8 not in INT8:
            raise ValueError(f"int8 = {self.int8!r}: must be one of {', '.join(INT8)}")

    @classmethod
    def of_steps(cls, steps: int) -> "CompressSettings":
        """Settings of a full training of `steps`, half as many for fine-tuning and for quantization.

        Fine-tuning has half of the training's peak rate: with that of as short a training it first forgets what is left
        (results/published/pruning).
        """
        return cls(
            training=Recipe(steps),
            fine_tuning=Recipe(max(1, steps // 2), Recipe(steps).peak / 2),
            quantization=Recipe(max(1, steps // 2), optimizer="adam", betas=(0.8, 0.99)),  # as its rates were measured
        )
