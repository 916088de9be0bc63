"""Losses: what training makes small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from nas.task.metrics import clipped, ssim

_EDGE_FLOOR = 1e-6  # under the root, keeps its derivative finite on flat patches; the value of SPSR's code
TERMS = {  # how a weight is asked for, and its field
    "ssim": "alpha",
    "gradient": "beta",
    "clipped": "clipped",
    "fft": "fft",
    "adversarial": "adversarial",
    "relative": "relative",
}
_COMMON = 0.06  # loss of a degraded image, about: one with so much weighs as much, however relative the loss is
_LEAST_COMMON = 0.004  # added to the loss of each degraded image, so that a clean one does not outweigh all others
_LEAST_CLIPPED = 0.01  # of a batch: where fewer pixels are clipped, each weighs no more than if so many were


@dataclass(frozen=True, slots=True)
class Loss:
    """L1 + alpha * (1 - SSIM) + beta * L1 of the edge magnitudes + the terms below, each where it has a weight.

    Raises ValueError when a weight is negative. Clipped pixels are those of the degraded image, which `of` tells; they
    are judged apart since nothing of them is known, after Eilertsen et al., "HDR image reconstruction from a single
    exposure using deep CNNs", ACM TOG 2017, section 4.2.

    `relative` says how far the loss of each image counts in relation to that of its degraded image, which `of` tells: 0
    not at all, 1 wholly, so that a twentieth of weak noise counts as much as a twentieth of strong noise. Else nearly
    clean images weigh next to nothing, and come out worse than they went in (results/published/shipped). It is of all
    terms but those of the clipped pixels and of the critic.

    The terms are those of the LPIENet paper; its alpha and beta are not known, so the defaults are ours: in trainings
    of 300 steps alpha = 0.1 raised SSIM by 0.01 to 0.02 over plain L1 for at most 0.4 dB of PSNR, 0.5 cost another
    0.6 dB for no more SSIM, and beta = 0.1 changed neither.
    """

    alpha: float = 0.1
    beta: float = 0.0
    clipped: float = 0.0  # of the L1 of the clipped pixels alone
    fft: float = 0.0  # of the L1 of the spectra
    adversarial: float = 0.0  # of what a critic of the edges says (nas.task.critic), which `train` adds
    relative: float = 0.0  # an exponent, see above

    def __post_init__(self) -> None:
        for name in TERMS.values():
            weight = getattr(self, name)
            if not 0 <= weight < float("inf"):
                raise ValueError(f"loss {name} = {weight}: must be a number that is not negative")

    def of(self, degraded: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of what a network makes of `degraded` (B, 3, H, W) in [0, 1]."""
        return partial(self, degraded=degraded) if self.clipped or self.relative else self

    def __call__(self, output: Tensor, target: Tensor, degraded: Tensor | None = None) -> Tensor:
        """One number, of images (B, 3, H, W) in [0, 1]; computed in the precision of `target`.

        Without `degraded` no pixel counts as clipped, and each image as much as any other.
        """
        output = output.to(target.dtype)
        losses = self._each(output, target)
        if self.relative and degraded is not None:
            with torch.no_grad():
                before = self._each(degraded.to(target.dtype), target) + _LEAST_COMMON
            losses = losses * (_COMMON / before).pow(self.relative)
        loss = losses.mean()
        if self.clipped and degraded is not None:
            lost = clipped(degraded)
            apart = ((output - target).abs() * lost).sum() / 3  # one for each pixel: mean over R, G and B
            loss = loss + self.clipped * apart / lost.sum().clamp(min=_LEAST_CLIPPED * lost.numel())
        return loss

    def _each(self, output: Tensor, target: Tensor) -> Tensor:
        """(B,): of each image, what it has of the terms that look at one image alone."""
        losses = _of_each(output - target)
        if self.alpha:
            losses = losses + self.alpha * (1 - ssim(output, target))
        if self.beta:
            losses = losses + self.beta * _of_each(edges(output) - edges(target))
        if self.fft:
            losses = losses + self.fft * spectral(output, target)
        return losses


def weighted(loss: Loss, words: Sequence[str]) -> Loss:
    """`loss` with the weights that `words` like gradient=0.1 give to TERMS; raises ValueError for another word."""
    for word in words:
        name, equals, weight = word.partition("=")
        try:
            if name not in TERMS or not equals:
                raise ValueError
            loss = replace(loss, **{TERMS[name]: float(weight)})
        except ValueError as error:
            raise ValueError(
                f"loss {word!r}: write one of {', '.join(TERMS)} with its weight, of at least 0, as gradient=0.1"
            ) from error
    return loss


def spectral(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference (B,) of the spectra of images (B, C, H, W), of their real and imaginary parts alike.

    After Cho et al., "Rethinking coarse-to-fine approach in single image deblurring", ICCV 2021, at one scale; spectra
    are orthonormal, so that the term is as large as L1 on white noise whatever the size of the patch is.
    """
    difference = torch.view_as_real(torch.fft.rfft2(output - target, norm="ortho"))
    return _of_each(difference)


def _of_each(difference: Tensor) -> Tensor:
    return difference.abs().flatten(1).mean(1)


def edges(image: Tensor) -> Tensor:
    """Edge magnitudes of `image` (B, C, H, W), (B, C, H - 2, W - 2), from central differences.

    After Ma et al., "Structure-Preserving Super Resolution with Gradient Guidance", CVPR 2020: the difference of the
    two neighbours, not halved. The border is left out, where padding would draw edges that are not there.
    """
    across = image[..., 1:-1, 2:] - image[..., 1:-1, :-2]
    down = image[..., 2:, 1:-1] - image[..., :-2, 1:-1]
    return (across.square() + down.square() + _EDGE_FLOOR).sqrt()
