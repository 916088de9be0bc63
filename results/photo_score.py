"""Photo score: what a network came to on one photograph, as plain values that a study and a JSON file can keep."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PhotoScore:
    """One photograph's; the definition of SSIM is nas.task.metrics.SSIM_DEFINITION."""

    name: str  # of the photograph
    ssim: float
    psnr: float  # dB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def photo_scores(stored: Iterable[Mapping[str, Any]]) -> tuple[PhotoScore, ...]:
    """The scores that `PhotoScore.to_json` gave, in their order."""
    return tuple(PhotoScore(str(one["name"]), float(one["ssim"]), float(one["psnr"])) for one in stored)
