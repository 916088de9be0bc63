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

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ssim) and math.isfinite(self.psnr)):
            raise ValueError(f"scores must be finite, got ssim={self.ssim}, psnr={self.psnr}")
        if self.macs < 1 or self.parameters < 1:
            raise ValueError(f"costs must be at least 1, got macs={self.macs}, parameters={self.parameters}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One scored genotype of a study."""

    number: int  # of the trial
    genotype: Genotype
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        """Flat: number, ssim, psnr, macs, parameters, genotype."""
        return {"number": self.number, **asdict(self.scores), "genotype": self.genotype.to_json()}
