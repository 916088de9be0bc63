"""Agreement: how well a cheap score ranks networks as full training does, and whether it does better than counting.

Kendall's tau-b, with bootstrap intervals over the networks. Large networks are better than small ones, so counting
multiply-adds (MACs) ranks well already: beside each tau stands its difference to those of MACs alone and of parameters
alone over the same resamples (a paired bootstrap), and the tau within bands of equal MACs, where counting helps nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BAND = 1.25  # two networks are in one band of equal MACs where the dearer has at most so many times the MACs

_RESAMPLES = 2000
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well one score ranks the networks as full training does; None where that was not measured."""

    name: str  # of the score
    tau: float  # Kendall's tau-b; 1: the same order, 0: none
    low: float  # of its 95 % bootstrap interval
    high: float
    seconds: float  # processor seconds a candidate, the supernet's own training not in it
    above_macs: Interval | None = None  # tau less that of MACs alone
    above_parameters: Interval | None = None
    within_bands: Interval | None = None  # tau over pairs of networks of equal MACs; None: there are no such pairs
    pairs_within_bands: int = 0

    @property
    def beats_counting(self) -> bool:
        """Whether it ranks better than MACs alone and than parameters alone, and not by chance."""
        above = (self.above_macs, self.above_parameters)
        return all(difference is not None and difference.low > 0 for difference in above)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Agreement":
        """From `to_json`; versions before called the name `score`, and did not compare with counting."""
        values = dict(stored)
        values["name"] = values.pop("score", values.get("name"))
        for name in ("above_macs", "above_parameters", "within_bands"):
            values[name] = None if values.get(name) is None else Interval(**values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Networks:
    """What is known of the networks that a score is to rank; each is (networks,)."""

    truth: ArrayLike  # what full training came to
    macs: ArrayLike
    parameters: ArrayLike


def agreement(name: str, score: ArrayLike, networks: Networks, seconds: float = 0.0, seed: int = 0) -> Agreement:
    """Agreement of `score` (networks,) with the truth; raises ValueError for less than 4 networks.

    A score that is the same for all networks ranks none of them: 0. The resamples depend on `seed` and the number of
    networks alone, so that intervals of several scores are of the same networks.
    """
    columns = [
        np.asarray(column, dtype=np.float64) for column in (score, networks.truth, networks.macs, networks.parameters)
    ]
    if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1 or len(columns[0]) < 4:
        shapes = [column.shape for column in columns]
        raise ValueError(f"score, truth, macs, parameters of shapes {shapes}: must be alike, of at least 4 networks")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError(f"{name} holds NaN or infinity: leave networks out that could not be trained")
    draws = _draws(len(columns[0]), seed)
    ranked, ordered, counted, sized = map(_signs, columns)
    everything = np.ones_like(ranked)
    band = _band(columns[2])
    tau = _taus(ranked, ordered, everything, draws)
    within = _taus(ranked, ordered, band, draws)
    whole = _interval(tau)
    pairs = int(band.sum() - len(band)) // 2
    return Agreement(
        name=name,
        tau=whole.value,
        low=whole.low,
        high=whole.high,
        seconds=seconds,
        above_macs=_interval(tau - _taus(counted, ordered, everything, draws)),
        above_parameters=_interval(tau - _taus(sized, ordered, everything, draws)),
        within_bands=None if pairs == 0 else _interval(within),
        pairs_within_bands=pairs,
    )


def scores_json(networks: int, agreements: Sequence[Agreement]) -> dict[str, Any]:
    """What results/published/scores/scores.json holds; the first is the default score."""
    return {
        "networks": networks,
        "band": BAND,
        "scores": [
            {
                "name": one.name,
                "tau": one.tau,
                "low": one.low,
                "high": one.high,
                "above_macs_low": None if one.above_macs is None else one.above_macs.low,
                "above_macs_high": None if one.above_macs is None else one.above_macs.high,
                "within_bands": None if one.within_bands is None else one.within_bands.value,
                "within_bands_low": None if one.within_bands is None else one.within_bands.low,
                "within_bands_high": None if one.within_bands is None else one.within_bands.high,
                "seconds": one.seconds,
            }
            for one in agreements
        ],
    }


def _draws(networks: int, seed: int) -> _Array:
    """How often each network is drawn, (1 + resamples, networks); the first row is the networks as they are."""
    drawn = np.random.default_rng(seed).multinomial(networks, np.full(networks, 1 / networks), _RESAMPLES)
    return np.vstack([np.ones(networks), drawn])


def _signs(column: _Array) -> _Array:
    """Which of two networks is above the other: 1, -1, or 0, (networks, networks)."""
    return np.sign(column[:, None] - column[None, :])


def _band(macs: _Array) -> _Array:
    """1 for two networks of about equal MACs, else 0, (networks, networks)."""
    return (np.maximum(macs[:, None], macs) <= BAND * np.minimum(macs[:, None], macs)).astype(np.float64)


def _taus(one: _Array, other: _Array, pairs: _Array, draws: _Array) -> _Array:
    """Kendall's tau-b over `pairs`, of each row of `draws`; NaN where one side is tied in all pairs of a resample.

    0 throughout for a side that is the same for all networks. A network that was drawn twice is tied with itself, which
    tau-b leaves out, as it does all ties (Kendall, "Rank correlation methods").
    """
    agreeing, untied, untied_too = one * other * pairs, one**2 * pairs, other**2 * pairs
    if not untied.any() or not untied_too.any():
        return np.zeros(len(draws))
    with np.errstate(invalid="ignore"):
        taus: _Array = _sums(agreeing, draws) / np.sqrt(_sums(untied, draws) * _sums(untied_too, draws))
    return taus


def _sums(matrix: _Array, draws: _Array) -> _Array:
    """Sum of `matrix` over all pairs of the networks that each row of `draws` holds."""
    sums: _Array = (draws @ matrix * draws).sum(axis=1)
    return sums


def _interval(figures: _Array) -> Interval:
    """The first figure, which is of the networks as they are, in the interval of the others but NaN."""
    low, high = np.nanpercentile(figures[1:], (2.5, 97.5))
    return Interval(float(figures[0]), float(low), float(high))
