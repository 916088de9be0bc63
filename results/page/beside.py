"""Beside: whether figures of several runs compare, and the hypervolume of each up to one corner where they do."""

from collections.abc import Sequence
from typing import Any

from results.candidate import Scores
from results.front import ReferencePoint, hypervolume
from results.page.story import FRONT, REFERENCE, RunStory, Shown

_ALIKE = 1e-4  # SSIM of the degraded photographs: processors round differently, other noise is further apart


def beside(runs: Sequence[RunStory]) -> dict[str, Any]:
    """{"says", "hypervolumes"}: in words, and of each run above the degraded photographs and below the dearest network.

    No hypervolumes where the runs judged on other photographs, otherwise degraded, or counted another cost.
    """
    first = runs[0]
    if len(runs) < 2:
        return {"says": "", "hypervolumes": None}
    if any(_costs(run) != _costs(first) for run in runs):
        return {"says": "their costs are of different kinds or sizes, and do not compare", "hypervolumes": None}
    if not all(_judged_alike(run, first) for run in runs):
        says = "they judge on different photographs, or degraded otherwise, so that their scores do not compare"
        return {"says": says, "hypervolumes": None}
    fronts = [[_scores(run, network) for network in run.networks if network.kind in (FRONT, REFERENCE)] for run in runs]
    scored = [[one for one in front if one is not None] for front in fronts]
    dearest = max((one.cost for front in scored for one in front), default=None)
    if dearest is None:
        return {"says": "none of them has scores yet", "hypervolumes": None}
    corner = ReferencePoint(first.input_ssim, dearest)
    return {
        "says": "all judge on the same photographs, degraded alike, so that their scores compare",
        "hypervolumes": [hypervolume(front, corner) for front in scored],
    }


def _costs(run: RunStory) -> tuple[Any, Any]:
    return run.cost["kind"], run.cost["size"]


def _judged_alike(run: RunStory, other: RunStory) -> bool:
    """Whether both judge on the same photographs, degraded alike; what versions before kept does not tell."""
    known = run.made.get("fingerprint") or None
    same = known is not None and known == other.made.get("fingerprint") and run.split == other.split
    return same and abs(run.input_ssim - other.input_ssim) <= _ALIKE


def _scores(run: RunStory, network: Shown) -> Scores | None:
    """Final figures of a network; None where it has none."""
    test = run.split == "test"
    ssim, psnr = (network.test_ssim, network.test_psnr) if test else (network.ssim, network.psnr)
    if ssim is None or psnr is None:
        return None
    return Scores(ssim, psnr, network.macs, network.parameters, network.cost)
