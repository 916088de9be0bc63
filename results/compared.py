"""Compared: what several methods came to on the same photographs, one by one: their means, and a CSV of all."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, median
from typing import Any

INPUT, BLIND, NETWORK, TOLD = "input", "blind", "network", "told"  # kinds of methods, in a table's order
KINDS = (INPUT, BLIND, NETWORK, TOLD)


@dataclass(frozen=True, slots=True)
class OnPhoto:
    """What one method came to on one photograph."""

    name: str  # of the photograph
    ssim: float
    psnr: float  # dB
    red: float  # how much brighter than clean it is on average, in levels of 255
    green: float
    blue: float
    seconds: float  # of wall time
    megapixels: float
    lpips: float | None = None  # None: not asked, or its weights are not at hand
    dists: float | None = None
    clipped: float | None = None  # dB, over the pixels that are white in the degraded photograph; None: there are none
    others: float | None = None  # dB, over all others


def means_of(found: Iterable[OnPhoto]) -> tuple[OnPhoto, ...]:
    """One of each photograph, the means where it was judged several times, in the order of the first times."""
    times: dict[str, list[OnPhoto]] = {}
    for one in found:
        times.setdefault(one.name, []).append(one)
    figures = [one.name for one in fields(OnPhoto)[1:]]
    return tuple(OnPhoto(name, **{figure: _mean(of, figure) for figure in figures}) for name, of in times.items())


def _mean(photos: Iterable[OnPhoto], figure: str) -> Any:
    """Over those that have it; None where none has."""
    known = [value for one in photos if (value := getattr(one, figure)) is not None]
    return fmean(known) if known else None


@dataclass(frozen=True, slots=True)
class Row:
    """One method on all photographs; raises ValueError for another kind, and where there are no photographs."""

    name: str
    kind: str  # one of KINDS
    photos: tuple[OnPhoto, ...]
    runtime: str = ""  # in which a network ran
    told: str = ""  # what the method knows beyond the degraded photograph
    macs: int | None = None  # at 256x256; None: not known, or not counted so

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind = {self.kind!r}: must be one of {', '.join(KINDS)}")
        if not self.photos:
            raise ValueError("nothing to evaluate: no pairs of photographs were given")

    def mean(self, figure: str) -> float | None:
        """Mean of one figure over the photographs that have it; None where none has."""
        mean: float | None = _mean(self.photos, figure)
        return mean

    @property
    def ssim(self) -> float:
        return fmean(one.ssim for one in self.photos)

    @property
    def psnr(self) -> float:
        """In dB, the mean of the photographs'."""
        return fmean(one.psnr for one in self.photos)

    @property
    def colour_shift(self) -> tuple[float, float, float]:
        """How much brighter than clean red, green and blue come out, in levels of 255."""
        red, green, blue = (fmean(getattr(one, band) for one in self.photos) for band in ("red", "green", "blue"))
        return red, green, blue

    @property
    def seconds_per_megapixel(self) -> float:
        """The median of the photographs', since the first one finds everything cold."""
        return median(one.seconds / one.megapixels for one in self.photos)

    def to_json(self) -> dict[str, Any]:
        """Means, and every photograph's figures under `photographs`."""
        means = {name: self.mean(name) for name in ("lpips", "dists", "clipped", "others")}
        return {
            "name": self.name,
            "kind": self.kind,
            "runtime": self.runtime,
            "told": self.told,
            "macs": self.macs,
            "ssim": self.ssim,
            "psnr": self.psnr,
            "colour_shift": list(self.colour_shift),
            "seconds_per_megapixel": self.seconds_per_megapixel,
            **means,
            "photographs": [asdict(one) for one in self.photos],
        }


def in_order(rows: Iterable[Row]) -> list[Row]:
    """`rows` by kind; those that are told what a camera does not know come last."""
    return sorted(rows, key=lambda row: KINDS.index(row.kind))


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each photograph and method, with a head; figures that there are not are empty."""
    written = io.StringIO()
    names = [one.name for one in fields(OnPhoto)]
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["method", "photograph", *names[1:]])
    for row in rows:
        for photo in row.photos:
            lines.writerow([row.name, *("" if value is None else value for value in asdict(photo).values())])
    return written.getvalue()
