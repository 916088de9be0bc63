"""Candidate: one genotype with what it scored."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.own import AnyGenotype


@dataclass(frozen=True, slots=True)
class Scores:
    """Quality on the photographs, and cost; raises ValueError for a value that is no measurement."""

    ssim: float  # mean over the validation photographs, defined in nas.task.metrics; candidates are chosen by it
    psnr: float  # dB, mean over the validation photographs
    macs: int  # multiply-adds at the run's size; 1 MAC = 2 FLOPs
    parameters: int
    cost: float = 0.0  # what the search makes small, in its unit (see units.COSTS); 0: the multiply-adds
    test_ssim: float | None = None  # mean over the test photographs; None: not trained fully, so not tested
    test_psnr: float | None = None  # dB

    def __post_init__(self) -> None:
        if self.cost == 0:
            object.__setattr__(self, "cost", float(self.macs))
        qualities = {name: getattr(self, name) for name in ("ssim", "psnr", "test_ssim", "test_psnr")}
        if not all(value is None or math.isfinite(value) for value in qualities.values()):
            raise ValueError(f"scores must be finite, got {', '.join(f'{n}={v}' for n, v in qualities.items())}")
        if self.macs < 1 or self.parameters < 1:
            raise ValueError(f"costs must be at least 1, got macs={self.macs}, parameters={self.parameters}")
        if not (math.isfinite(self.cost) and self.cost > 0):
            raise ValueError(f"cost must be above 0, got {self.cost}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One scored genotype of a study."""

    number: int  # of the trial
    genotype: AnyGenotype
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        """Flat: number, every score by its name, genotype."""
        return {"number": self.number, **asdict(self.scores), "genotype": self.genotype.to_json()}
