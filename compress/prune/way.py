"""Way: what a network cost and was worth after every move of its pruning."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """The network after one move."""

    said: str  # what went
    cost: float
    loss: float  # both on patches that rank no move
    ssim: float


@dataclass(frozen=True, slots=True)
class Way:
    """The way down from a whole network, first the whole one itself."""

    unit: str  # of the cost: "MACs", or "ms", modelled between measurements
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a way has at least one step, the whole network")

    def lost(self, number: int) -> float:
        """What the SSIM of step `number` is below that of the whole network."""
        return self.steps[0].ssim - self.steps[number].ssim

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"steps": [asdict(step) for step in self.steps]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Way":
        """Inverse of `to_json`; raises ValueError for something else."""
        try:
            steps: Sequence[Mapping[str, Any]] = value["steps"]
            return cls(value["unit"], tuple(Step(**step) for step in steps))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a way of pruning: {error}") from error
