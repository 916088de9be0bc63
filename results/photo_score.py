"""Photo score: what a network came to on one photograph, as plain values that a study and a JSON file can keep."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

JUDGED_SIDE = 384  # pixels of a photograph, around its centre, that the figures of a run are of


@dataclass(frozen=True, slots=True)
class PhotoScore:
    """One photograph's; the definition of SSIM is nas.task.metrics.SSIM_DEFINITION."""

    name: str  # of the photograph
    ssim: float
    psnr: float  # dB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def crops_of(side: int | None) -> str:
    """Words for what of a photograph is judged; None: all of it."""
    return "whole" if side is None else f"at most {side}x{side} pixels around the centre of each"


def photo_scores(stored: Iterable[Mapping[str, Any]]) -> tuple[PhotoScore, ...]:
    """The scores that `PhotoScore.to_json` gave, in their order."""
    return tuple(PhotoScore(str(one["name"]), float(one["ssim"]), float(one["psnr"])) for one in stored)
