"""Evaluation: SSIM and PSNR of a network, or of any function, on pairs of photographs: of each, and their means."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import torch
from torch import Tensor

from nas.task.metrics import psnr, ssim
from results.photo_score import PhotoScore, by_photograph
from search_spaces.family import OwnNetwork
from search_spaces.lpienet import LPIENet
from search_spaces.receptive import margin_of
from search_spaces.sides import grey_of_grey, on_any_size

Pair = tuple[str, Tensor, Tensor]  # name, degraded (B, 3, H, W), clean (B, 3, H, W), both in [0, 1]


_HALF_A_LEVEL = 0.5 / 255
EQUAL = 100.0  # dB, stands for the infinite PSNR of two equal pictures, which has no mean and no JSON


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over photographs; the definition of SSIM is nas.task.metrics.SSIM_DEFINITION."""

    ssim: float
    psnr: float  # dB

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name} = {value!r}: must be a number")

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def as_test(quality: Quality) -> dict[str, float]:
    """Quality on the test photographs, named so that it can stand beside that on the validation photographs."""
    return {f"test_{name}": value for name, value in quality.to_json().items()}


def evaluate(
    network: Callable[[Tensor], Tensor], pairs: Iterable[Pair], device: torch.device, margin: int | None = None
) -> Quality:
    """Quality of `network` on photographs of any size; its output is clipped to [0, 1] as a picture would be.

    A grey photograph stays grey. What lies outside one is its reflection, `margin` pixels of it on every side, a
    multiple of 8; None: as far as it sees where it is a network, and none for another function. Raises ValueError
    when there are no pairs.
    """
    return mean_quality(evaluate_each(network, pairs, device, margin))


def evaluate_each(
    network: Callable[[Tensor], Tensor], pairs: Iterable[Pair], device: torch.device, margin: int | None = None
) -> tuple[PhotoScore, ...]:
    """Like `evaluate`, of every photograph by itself, in order; those of one batch share its name, numbered.

    A photograph that is there several times, at several levels of noise, has one score, the mean of all.
    """
    found: list[PhotoScore] = []
    for name, output, clean in _outputs(network, pairs, device, margin):
        found += _scores(name, output, clean)
    return by_photograph(found)


def is_identity(network: Callable[[Tensor], Tensor], pairs: Iterable[Pair], device: torch.device) -> bool:
    """Whether `network` gives its input back, as it does when the output gate has closed.

    Pixel by pixel, to half a level of 255: on nearly clean photographs a working network has nearly the input's PSNR.
    """
    margin = margin_of(network.blueprint) if isinstance(network, LPIENet | OwnNetwork) else 0
    for _, degraded, _ in pairs:
        with torch.inference_mode():
            output = on_any_size(network, degraded.to(device), margin).float().clamp(0, 1).cpu()
        if not (output - degraded).abs().max() < _HALF_A_LEVEL:
            return False
    return True


def mean_quality(scores: Sequence[PhotoScore]) -> Quality:
    """Means over photographs; raises ValueError when there are none."""
    if not scores:
        raise ValueError("nothing to evaluate: no pairs of photographs were given")
    return Quality(fmean(score.ssim for score in scores), fmean(score.psnr for score in scores))


def in_batches(pairs: Iterable[Pair]) -> list[Pair]:
    """The same photographs, those of one size in one batch: small ones are evaluated faster so."""
    alike: dict[torch.Size, list[Pair]] = {}
    for pair in pairs:
        alike.setdefault(pair[1].shape[1:], []).append(pair)
    batches = []
    for group in alike.values():
        names, degraded, clean = zip(*group, strict=True)
        batches.append((", ".join(names), torch.cat(degraded), torch.cat(clean)))
    return batches


def input_quality(pairs: Iterable[Pair]) -> Quality:
    """Quality of the degraded photographs themselves."""
    return evaluate(lambda image: image, pairs, torch.device("cpu"))


def _outputs(
    network: Callable[[Tensor], Tensor], pairs: Iterable[Pair], device: torch.device, margin: int | None
) -> Iterator[Pair]:
    """(name, what `network` makes of the degraded side, the clean side) of each, on the processor, in [0, 1]."""
    if margin is None:
        margin = margin_of(network.blueprint) if isinstance(network, LPIENet | OwnNetwork) else 0
    for name, degraded, clean in pairs:
        with torch.inference_mode():
            output = on_any_size(network, degraded.to(device), margin).float()
            output = grey_of_grey(degraded, output).clamp(0, 1).cpu()
        yield name, output, clean


def _scores(name: str, output: Tensor, clean: Tensor) -> Iterable[PhotoScore]:
    with torch.inference_mode():
        ssims, psnrs = ssim(output, clean).tolist(), psnr(output, clean).clamp(max=EQUAL).tolist()
    names = [name] if len(ssims) == 1 else [f"{name} ({number})" for number in range(1, len(ssims) + 1)]
    return map(PhotoScore, names, ssims, psnrs)
