"""Photo score: what a network came to on one photograph, as plain values that a study and a JSON file can keep."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

SEVERAL = 12  # times that clean photographs of a part are degraded to judge by, at least: few are at several levels
JUDGED_SIDE = 384  # pixels of a photograph, around its centre, that the figures of a run are of


@dataclass(frozen=True, slots=True)
class PhotoScore:
    """One photograph's; the definition of SSIM is nas.task.metrics.SSIM_DEFINITION."""

    name: str  # of the photograph
    ssim: float
    psnr: float  # dB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def by_photograph(scores: Iterable[PhotoScore]) -> tuple[PhotoScore, ...]:
    """One score of each photograph, the mean where it was judged several times, in the order of the first times."""
    times: dict[str, list[PhotoScore]] = {}
    for score in scores:
        times.setdefault(score.name, []).append(score)
    return tuple(
        PhotoScore(name, fmean(one.ssim for one in of), fmean(one.psnr for one in of)) for name, of in times.items()
    )


def crops_of(side: int | None) -> str:
    """Words for what of a photograph is judged; None: all of it."""
    return "whole" if side is None else f"at most {side}x{side} pixels around the centre of each"


def photo_scores(stored: Iterable[Mapping[str, Any]]) -> tuple[PhotoScore, ...]:
    """The scores that `PhotoScore.to_json` gave, in their order."""
    return tuple(PhotoScore(str(one["name"]), float(one["ssim"]), float(one["psnr"])) for one in stored)
