"""Alignment: pairs whose sides are shifted against each other, or show different things, stand out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.task.data.manifest import listed
from nas.task.data.photo import Picture, StoredPhoto, full_scale
from nas.task.data.reading import Pixels

LOOKED_AT = 64  # pairs of a folder, evenly along it
_SIDE = 512  # pixels of the crop that is compared
_SHIFTED = 0.75  # pixels
_CERTAIN = 0.2  # of the correlation that a shift must win, on the scale from there to 1
_UNLIKE = 0.5  # correlation of the sides' brightness, below which they show different things
_ROUGHER = 1.15  # times, from which one side is noisier
_OUTLIER = 10.0  # dB below the median

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alignment:
    """What one pair shows."""

    name: str
    psnr: float  # dB, of the degraded side
    correlation: float  # of both sides' brightness
    shift: tuple[int, int]  # pixels down and to the right by which the degraded side lies off
    roughness: tuple[float, float]  # of the clean side and the degraded one, see `_roughness`
    blurred: bool | None  # whether, by its names, the degraded side is a blurred one; else a noisy one; None: not told

    @property
    def exchanged(self) -> bool:
        """Whether the sides look like each other's: the clean one noisier, or less sharp than the blurred one."""
        clean, degraded = self.roughness[::-1] if self.blurred else self.roughness
        return self.blurred is not None and clean > _ROUGHER * degraded

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def alignment_of(photo: Picture) -> Alignment:
    """Of a pair, on a crop around its centre; raises ValueError for a photograph without a degraded side."""
    if not photo.is_pair:
        raise ValueError(f"photo {photo.name} has no degraded side")
    height, width = (min(_SIDE, side) for side in photo.size)
    top, left = (photo.size[0] - height) // 2, (photo.size[1] - width) // 2
    clean, degraded = (_scaled(side) for side in photo.crop(top, left, height, width))
    error = float(np.square(degraded - clean).mean())
    one, other = (side.mean(axis=2) for side in (clean, degraded))
    psnr = -10 * float(np.log10(max(error, 1e-10)))
    rough = _roughness(one), _roughness(other)
    return Alignment(photo.name, psnr, _correlation(one, other), _shift(one, other), rough, _is_blurred(photo))


def looked_at(photos: Sequence[Picture], most: int = LOOKED_AT) -> Iterator[Alignment]:
    """Of so many pairs, evenly along the folder."""
    count = min(most, len(photos))
    for number in range(count):
        yield alignment_of(photos[number * len(photos) // count])


def suspicious(found: Sequence[Alignment]) -> list[str]:
    """A line for every pair whose sides do not lie on each other, or do not show one thing."""
    lines = []
    middle = float(np.median([one.psnr for one in found])) if found else 0.0
    exchanged = [one.name for one in found if one.exchanged]
    if len(exchanged) > len(found) / 2:
        lines.append("the clean sides are more degraded than the degraded ones: are the folders exchanged?")
    elif exchanged:
        lines.append(f"the clean side is more degraded than the degraded one, as if exchanged: {listed(exchanged)}")
    for one in found:
        if one.shift != (0, 0):
            down, right = one.shift
            lines.append(f"{one.name}: the degraded side is shifted by {down} pixels down and {right} to the right")
        elif one.correlation < _UNLIKE:
            lines.append(
                f"{one.name}: the sides show different things (correlation {one.correlation:.2f}, PSNR {one.psnr:.1f} "
                "dB): are partners swapped?"
            )
        elif one.psnr < middle - _OUTLIER:
            lines.append(
                f"{one.name}: PSNR {one.psnr:.1f} dB, where half of the pairs have {middle:.1f} or more: look at it"
            )
    return lines


def _roughness(image: Array) -> float:
    """Half of the pixels differ by more than this from the mean of their four neighbours."""
    rest = image[1:-1, 1:-1] - (image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]) / 4
    return float(np.median(np.abs(rest)))


def _is_blurred(photo: Picture) -> bool | None:
    if not isinstance(photo, StoredPhoto) or photo.entry.degraded is None:
        return None
    words = photo.entry.degraded.file.casefold()
    return True if "blur" in words else False if "nois" in words or "_real" in words else None


def _shift(clean: Array, degraded: Array) -> tuple[int, int]:
    """Whole pixels down and right; (0, 0) unless the sides clearly lie better on each other when it is undone."""
    from skimage.registration import phase_cross_correlation

    offset, _, _ = phase_cross_correlation(clean, degraded, normalization=None, upsample_factor=4)
    if np.abs(offset).max() < _SHIFTED or np.abs(offset).max() > min(clean.shape) / 4:
        return 0, 0
    down, right = (-round(float(step)) for step in offset)
    undone = _correlation(*_overlap(clean, degraded, down, right))
    before = _correlation(*_overlap(clean, degraded, 0, 0, max(abs(down), abs(right))))
    if undone - before < _CERTAIN * (1 - before):
        return 0, 0
    return down, right


def _overlap(clean: Array, degraded: Array, down: int, right: int, less: int = 0) -> tuple[Array, Array]:
    """What both sides show of one place, when the degraded one lies off."""
    height, width = clean.shape[0] - abs(down) - less, clean.shape[1] - abs(right) - less
    top, left = max(-down, 0), max(-right, 0)
    return (
        clean[top : top + height, left : left + width],
        degraded[max(down, 0) :, max(right, 0) :][:height, :width],
    )


def _correlation(one: Array, other: Array) -> float:
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 1e-9 else 1.0


def _scaled(pixels: Pixels) -> Array:
    return pixels / full_scale(pixels)
