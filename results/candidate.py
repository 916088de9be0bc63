"""Candidate: one genotype with what it scored."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.genotype import Genotype


@dataclass(frozen=True, slots=True)
class Scores:
    """Quality on the validation photographs, and cost; raises ValueError for a value that is no measurement."""

    ssim: float  # mean over photographs, defined in nas.task.metrics
    psnr: float  # dB, mean over photographs
    macs: int  # multiply-adds at the run's size; 1 MAC = 2 FLOPs
    parameters: int
    cost: float = 0.0  # what the search makes small, in its unit (see units.COSTS); 0: the multiply-adds

    def __post_init__(self) -> None:
        if self.cost == 0:
            object.__setattr__(self, "cost", float(self.macs))
        if not (math.isfinite(self.ssim) and math.isfinite(self.psnr)):
            raise ValueError(f"scores must be finite, got ssim={self.ssim}, psnr={self.psnr}")
        if self.macs < 1 or self.parameters < 1:
            raise ValueError(f"costs must be at least 1, got macs={self.macs}, parameters={self.parameters}")
        if not (math.isfinite(self.cost) and self.cost > 0):
            raise ValueError(f"cost must be above 0, got {self.cost}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One scored genotype of a study."""

    number: int  # of the trial
    genotype: Genotype
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        """Flat: number, ssim, psnr, macs, parameters, genotype."""
        return {"number": self.number, **asdict(self.scores), "genotype": self.genotype.to_json()}
