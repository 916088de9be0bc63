"""Judging: all figures of one method, a network or a classical one, on pairs of photographs, one by one."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nas.task.evaluation import EQUAL, Pair
from nas.task.metrics import clipped, psnr, psnr_where
from nas.task.perceptual import Distance
from nas.task.similarity import DEFINITIONS
from results.compared import OnPhoto, means_of
from search_spaces.sides import grey_of_grey

Method = Callable[[Tensor, Tensor], Tensor]  # degraded, clean (1, 3, H, W) in [0, 1] -> the degraded one restored


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured beside PSNR and colour; raises ValueError for another definition of SSIM."""

    ssim: str = "gaussian"  # one of nas.task.similarity.DEFINITIONS
    distances: Mapping[str, Distance] = field(default_factory=dict)  # see nas.task.perceptual

    def __post_init__(self) -> None:
        if self.ssim not in DEFINITIONS:
            raise ValueError(f"ssim = {self.ssim!r}: must be one of {', '.join(DEFINITIONS)}")


def judge_each(method: Method, pairs: Iterable[Pair], measures: Measures) -> tuple[OnPhoto, ...]:
    """Figures of `method` on each pair of one photograph, whose output is clipped to [0, 1] as a picture would be.

    A grey photograph stays grey. Time is of `method` alone. A photograph that is there several times, at several
    levels of noise, has one row of figures, the means of all.
    """
    return means_of(_judged(name, method, degraded, clean, measures) for name, degraded, clean in pairs)


def restored(method: Method, degraded: Tensor, clean: Tensor) -> tuple[Tensor, float]:
    """What `method` makes of `degraded` (1, 3, H, W), in [0, 1], and the seconds that it took."""
    with torch.inference_mode():
        begun = time.perf_counter()
        output = method(degraded, clean)
        seconds = time.perf_counter() - begun
        return grey_of_grey(degraded, output.float()).clamp(0, 1).cpu(), seconds


def _judged(name: str, method: Method, degraded: Tensor, clean: Tensor, measures: Measures) -> OnPhoto:
    output, seconds = restored(method, degraded, clean)
    with torch.inference_mode():
        red, green, blue = (255 * (output - clean).double().mean(dim=(0, 2, 3))).tolist()
        lost = clipped(degraded)
        apart = [psnr_where(output, clean, where).clamp(max=EQUAL).item() for where in (lost, ~lost)]
        return OnPhoto(
            name=name,
            ssim=DEFINITIONS[measures.ssim].of(output, clean).item(),
            psnr=psnr(output, clean).clamp(max=EQUAL).item(),
            red=red,
            green=green,
            blue=blue,
            seconds=seconds,
            megapixels=degraded.shape[-2] * degraded.shape[-1] / 1e6,
            clipped=apart[0] if lost.any() else None,
            others=None if lost.all() else apart[1],
            **{name: distance(output, clean).item() for name, distance in measures.distances.items()},
        )
