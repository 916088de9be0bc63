"""Noise of pairs: a camera's shot and read noise and its correlation, estimated from pairs of real photographs.

In linear light, where variance rises in a straight line with the signal. Blocks of pixels are the observations: flat
ones, so that what moved between the two exposures does not count, and robustly fitted.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import median_abs_deviation, theilslopes

from nas.task.data.photo import Picture, full_scale
from nas.task.data.reading import Pixels
from nas.task.degrade.field import sigma_of
from nas.task.degrade.light import to_linear
from nas.task.degrade.profile import NoiseProfile, Range, read_on_line

BLOCK = 16  # pixels per side
_FLATTEST = 0.5  # share of the blocks that are looked at
_CLIPPED = 0.01  # share of a block's values that may be at the end of the range
_LEAST_BLOCKS = 8
_LEAST_SHOT, _LEAST_READ = 1e-6, 1e-4  # below them 8 bits tell nothing
_GREY = 0.2  # of linear light, where both noises are compared
_MIDDLE = (0.05, 0.95)  # quantiles of the photographs, between which a profile lies
_FEW = 4  # photographs, below which there is no line through their gains
_NARROW = 2.0  # a range of shot noise whose ends are closer than this factor holds one gain

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PhotoNoise:
    """What one pair shows; shot and read are of linear light after all gains, by red, green and blue."""

    name: str
    psnr: float  # dB, of the degraded side
    shot: tuple[float, float, float]  # variance per unit of signal; 0 where it does not show
    read: tuple[float, float, float]  # standard deviation; the same
    luma_correlation: float  # of neighbouring pixels' noise in the mean of the channels
    chroma_correlation: float  # and in what remains of them
    chroma: float  # standard deviation of colour, against that of independent channels
    blocks: int  # that were flat and not clipped

    @property
    def level(self) -> float:
        """Root mean square of what the degraded side differs by, in levels of 255, as a denoiser is told it."""
        return float(255 * 10 ** (-self.psnr / 20))

    def to_json(self) -> dict[str, Any]:
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return plain | {"level": self.level}


def noise_of(photo: Picture) -> PhotoNoise | None:
    """The noise of a pair; None where fewer than eight blocks are neither clipped nor textured.

    Raises ValueError for a photograph without a degraded side.
    """
    clean_side, degraded_side = photo.clean, photo.degraded
    if degraded_side is None:
        raise ValueError(f"photo {photo.name} has no degraded side: noise is estimated from pairs of photographs")
    clean, degraded = (_blocks(side.numpy()) for side in (clean_side, degraded_side))
    difference = degraded_side.double() / full_scale(degraded_side) - clean_side.double() / full_scale(clean_side)
    squared = float(difference.square().mean())
    chosen = _usable(clean, degraded)
    if len(chosen) < _LEAST_BLOCKS:
        return None
    light = _linear(clean[chosen])
    residual = _linear(degraded[chosen]) - light
    residual -= residual.mean(axis=(2, 3), keepdims=True)  # exposures differ
    variance = residual.var(axis=(2, 3), ddof=1)
    fits = [_line(light[:, channel].mean(axis=(1, 2)), variance[:, channel]) for channel in range(3)]
    unit = residual / np.sqrt(np.maximum(variance, 1e-12))[:, :, None, None]
    luma = unit.mean(axis=1, keepdims=True)
    colour = unit - luma
    share = (colour**2).mean() * 3 / 2 / max((luma**2).mean() * 3, 1e-12)
    return PhotoNoise(
        photo.name,
        -10 * math.log10(max(squared, 1e-10)),
        (fits[0][0], fits[1][0], fits[2][0]),
        (fits[0][1], fits[1][1], fits[2][1]),
        _neighbours(luma),
        _neighbours(colour),
        math.sqrt(share),
        len(chosen),
    )


def profile_of(found: Sequence[PhotoNoise], name: str, source: str) -> NoiseProfile:
    """The profile of a camera that took these pairs; raises ValueError when there are none.

    Its white balance is what red and blue have of noise beside green; the gain of all three is in shot and read, and
    a tone curve beyond sRGB's, which pairs do not show, is none. Where four photographs at different gains show both
    noises, a line is laid through them; else both rise with the gain alike, in the proportion that they have at a
    signal of 0.2.
    """
    if not found:
        raise ValueError("no pair has enough flat, unclipped blocks: give photographs of quiet scenes")
    shots, reads = (np.array([getattr(one, which)[1] for one in found]) for which in ("shot", "read"))
    shot, read, scatter = _along_gain(shots, reads)
    widths = [
        sigma_of(one.chroma_correlation) / sigma_of(one.luma_correlation)
        for one in found
        if one.luma_correlation > 0.02  # no width can be told against none
    ]
    return NoiseProfile(
        name,
        source,
        shot,
        read,
        scatter,
        red=_range([one.shot[0] / one.shot[1] for one in found if one.shot[1]], 1.0, 8.0),
        blue=_range([one.shot[2] / one.shot[1] for one in found if one.shot[1]], 1.0, 8.0),
        gain=(1.0, 1.0),
        tone=(0.0, 0.0),
        correlation=_range([sigma_of(one.luma_correlation) for one in found], 0.0, 4.0),
        chroma_width=_range(widths, 0.5, 8.0),
        chroma=_range([one.chroma for one in found], 0.0, 2.0),
    )


def _along_gain(shots: Array, reads: Array) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """(shot, read, scatter) of a profile through the photographs' own shot and read noise (N,)."""
    told = (shots > 0) & (reads > 0)
    if told.sum() >= _FEW and shots[told].max() > _NARROW * shots[told].min():
        x, y = np.log(shots[told]), 2 * np.log(reads[told])
        slope = min(max(float(theilslopes(y, x).slope), 0.0), 3.0)
        intercept = float(np.median(y - slope * x))
        scatter = min(float(median_abs_deviation(y - slope * x - intercept, scale="normal")), 2.0)
        ends = _rising(*np.quantile(shots[told], _MIDDLE))
        return ends, tuple(min(value, 1.0) for value in read_on_line(ends, slope, intercept)), scatter
    variance = np.maximum(shots * _GREY + reads**2, _LEAST_READ**2)
    share = float(np.median(reads**2 / variance))
    ends = _rising(*np.quantile(variance, _MIDDLE))
    return (
        tuple(min(max((1 - share) * value / _GREY, _LEAST_SHOT), 1.0) for value in ends),
        tuple(max(math.sqrt(share * value), _LEAST_READ) for value in ends),
        0.0,
    )


def _rising(low: float, high: float) -> tuple[float, ...]:
    return (float(low), float(high)) if high > low else (float(low),)


def _blocks(image: Pixels) -> Array:
    """uint8 or uint16 (3, H, W) as values in [0, 1], (blocks, 3, BLOCK, BLOCK)."""
    channels, height, width = image.shape
    rows, columns = height // BLOCK, width // BLOCK
    cut = image[:, : rows * BLOCK, : columns * BLOCK].reshape(channels, rows, BLOCK, columns, BLOCK)
    return cut.transpose(1, 3, 0, 2, 4).reshape(-1, channels, BLOCK, BLOCK) / full_scale(image)


def _usable(clean: Array, degraded: Array) -> NDArray[np.intp]:
    """The flattest of the blocks whose noise the ends of the range do not cut off."""
    ends = (degraded <= 0) | (degraded >= 1)
    inside = np.flatnonzero(ends.mean(axis=(2, 3)).max(axis=1) <= _CLIPPED)
    spread = clean[inside].std(axis=(2, 3)).max(axis=1)
    return inside[np.argsort(spread, kind="stable")[: math.ceil(_FLATTEST * len(inside))]]


def _linear(blocks: Array) -> Array:
    return to_linear(torch.from_numpy(blocks), torch.zeros(1, dtype=torch.float64)).numpy()


def _line(signal: Array, variance: Array) -> tuple[float, float]:
    """(shot, read) of variance = shot * signal + read^2, both positive, robustly.

    Logarithms are compared, since the variance of a block scatters in proportion to itself.
    """
    logs = np.log(np.maximum(variance, 1e-12))
    middle = float(np.exp(np.median(logs)))
    start = np.log([middle / 2 / max(float(np.median(signal)), 1e-3), middle / 2])

    def off(parameters: Array) -> Array:
        return np.asarray(np.log(np.exp(parameters[0]) * signal + np.exp(parameters[1])) - logs)

    low, high = math.log(1e-9), math.log(1.0)
    fit = least_squares(off, np.clip(start, low + 1, high - 1), bounds=(low, high), loss="soft_l1", f_scale=0.2)
    shot, read = float(np.exp(fit.x[0])), float(np.exp(fit.x[1] / 2))
    return shot if shot > _LEAST_SHOT else 0.0, read if read > _LEAST_READ else 0.0


def _neighbours(field: Array) -> float:
    """Correlation of pixels beside and below each other, within blocks (N, C, BLOCK, BLOCK)."""
    products = ((field[..., 1:] * field[..., :-1]).mean() + (field[..., 1:, :] * field[..., :-1, :]).mean()) / 2
    return float(products / max((field**2).mean(), 1e-12))


def _range(values: Sequence[float], least: float, most: float) -> Range:
    """The middle 90 % of `values`, within limits; 1 where there are none."""
    low, high = np.clip(np.quantile(values or [1.0], _MIDDLE), least, most)
    return float(low), float(high)
