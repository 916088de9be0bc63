"""Verdict: whether one network is better than another, or whether the difference may be chance.

Two things are drawn by chance, and both are few: the photographs that a network is judged on, and its trainings. The
gain is the mean difference over the photographs; its interval adds up both scatters, each with the quantile of its own
few degrees of freedom (Howe, "Approximate confidence limits on the mean of X + Y", 1974; the square root of the sum of
the squares of both half-widths). Two separate tests, each blind to the scatter of the other, are not enough: where
both scatters are alike, they pass together, and equal networks are told apart more often than the tests say.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]  # SSIM of one network, (independent trainings, test photographs)

BETTER, WORSE, ALIKE = "better", "worse", "not distinguishable"
ONE_TRAINING = "cannot be said: one training each"

_LEVEL = 0.05  # share of wrong verdicts on equal networks, at most
_ERRATIC = 0.1  # level at which one of the two scatters more than the others, and is not pooled with them
_LEAST_P = 1e-12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What two networks' SSIM on the same test photographs says of them; p-values allow for the choice."""

    word: str  # BETTER, WORSE, ALIKE, or ONE_TRAINING
    gain: float  # mean SSIM of the candidate less the other's
    low: float | None  # of the 95 % interval, for other photographs and other trainings; None: scatter not known
    high: float | None
    p_photographs: float  # Wilcoxon signed-rank over the photographs
    p_trainings: float | None  # at which the interval would end at 0
    photographs: int
    trainings: tuple[int, int]  # independent ones of the candidate, and of the other
    chosen_of: int  # the candidate is the best of so many
    names: tuple[str, str]

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        one, other = self.names
        if self.low is None or self.high is None or self.p_trainings is None:
            return (
                f"Whether {one} is better than {other} cannot be said: one independent training each, and the gain of "
                f"{self.gain:+.4f} SSIM may be that of its first weights. Train again: --least-seeds 3, "
                "and after --score supernet or tuned --start scratch."
            )
        chosen = "" if self.chosen_of == 1 else f", the best of {self.chosen_of}"
        interval = f"{self.gain:+.4f} SSIM (95 % interval {self.low:+.4f} to {self.high:+.4f}{chosen})"
        trained = " and ".join(map(str, self.trainings))
        tested = f"{self.photographs} test photographs (p {_shown(self.p_photographs)}) and {trained} trainings"
        tested += f" (p {_shown(self.p_trainings)})"
        if self.word == ALIKE:
            few = f"; so few photographs can tell no networks apart, {_fewest(self.chosen_of)} can"
            too_few = few if self.photographs < _fewest(self.chosen_of) else ""
            return f"{_capital(one)} is not distinguishable from {other}: {interval}, by {tested}{too_few}."
        return f"{_capital(one)} is {self.word} than {other}: {interval}, by {tested}."

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return asdict(self) | {"sentence": self.sentence}


def judge(
    candidate: ArrayLike,
    other: ArrayLike,
    further: Sequence[ArrayLike] = (),
    chosen_of: int = 1,
    names: tuple[str, str] = ("the candidate", "the other"),
) -> Verdict:
    """Whether `candidate` is better than `other`, each SSIM (trainings, photographs), the photographs the same.

    Rows have to be of independent trainings, with first weights and patches of their own. `further` are other networks
    trained alike: those with more than one training help to know the scatter. `chosen_of` is the number of candidates
    of which this one was the best. The verdict is better or worse only if Wilcoxon's test over the photographs and the
    interval over photographs and trainings both say so at 5 %, after Sidak's correction for the choice.
    Raises ValueError for matrices that cannot be compared.
    """
    if chosen_of < 1:
        raise ValueError(f"chosen_of = {chosen_of}: must be at least 1, the number of candidates to choose from")
    one, two = _matrix(candidate), _matrix(other)
    if one.shape[1] != two.shape[1]:
        raise ValueError(
            f"{names[0]} has {one.shape[1]} photographs and {names[1]} {two.shape[1]}: both must be judged on the same"
        )
    difference = one.mean(axis=0) - two.mean(axis=0)
    gain = float(difference.mean())
    p_photographs = allowing(wilcoxon_p(difference), chosen_of)
    trained = scatter_of_means(one, two, [_matrix(matrix) for matrix in further])
    low, high, p_trainings, word = None, None, None, ONE_TRAINING
    if trained is not None:
        parts = [(float(difference.var(ddof=1)) / len(difference), float(len(difference) - 1)), trained]
        half = _half_width(1 - (1 - _LEVEL) ** (1 / chosen_of), parts)
        low, high = gain - half, gain + half
        p_trainings = allowing(_p_of(abs(gain), parts), chosen_of)
        told_apart = abs(gain) > half and p_photographs < _LEVEL
        word = ALIKE if not told_apart else BETTER if gain > 0 else WORSE
    return Verdict(
        word=word,
        gain=gain,
        low=low,
        high=high,
        p_photographs=p_photographs,
        p_trainings=p_trainings,
        photographs=len(difference),
        trainings=(len(one), len(two)),
        chosen_of=chosen_of,
        names=names,
    )


def scatter_of_means(one: Matrix, two: Matrix, further: Sequence[Matrix]) -> tuple[float, float] | None:
    """Variance of the difference of two networks' means by their trainings alone, and its degrees of freedom.

    Beside further networks that were trained more than once, all are taken to scatter alike, and pooled; but further
    ones that scatter more than the two together (F-test at 10 %), as small networks do beside large ones, say nothing
    of them, and one of the two that scatters more than all others together counts with its own scatter. Without further
    networks each of the two does, after Welch. None where nothing was trained more than once.
    """
    matrices = [one, two, *further]
    own = {place: _spread(matrix) for place, matrix in enumerate(matrices) if len(matrix) > 1}
    if not own:
        return None
    pair = [place for place in (0, 1) if place in own]
    of_pair = [own[place] for place in pair]
    own = {place: spread for place, spread in own.items() if place in pair or not _is_erratic(spread, of_pair)}
    apart = {place for place in pair if _is_erratic(own[place], [own[at] for at in own if at != place])}
    if set(own) == {0, 1}:
        apart = {0, 1}
    parts = [(own[place][0] / len(matrices[place]), own[place][1]) for place in (0, 1) if place in apart]
    if pooled := [spread for place, spread in own.items() if place not in apart]:
        variance, degrees = _pool(pooled)
        parts.append((variance * sum(1 / len(matrices[place]) for place in (0, 1) if place not in apart), degrees))
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return 0.0, min(degrees for _, degrees in parts)
    return total, total**2 / sum(variance**2 / degrees for variance, degrees in parts)  # Welch and Satterthwaite


def independent(starts: Sequence[str], scratch: str = "scratch") -> list[list[int]]:
    """Places of trainings grouped so that groups are independent of one another, from what each one started from.

    Every training from scratch is a group; all from one supernet's weights are one, since they share those weights:
    three seeds from one supernet are not three seeds.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    for place, start in enumerate(starts):
        groups.setdefault((start, place if start == scratch else -1), []).append(place)
    return list(groups.values())


def wilcoxon_p(difference: Matrix) -> float:
    """Of Wilcoxon's signed-rank test that `difference` (photographs,) lies around 0; 1 where all are 0."""
    from scipy.stats import wilcoxon

    return 1.0 if not difference.any() else float(wilcoxon(difference).pvalue)


def allowing(p: float, chosen_of: int) -> float:
    """Sidak's correction: the chance of one such p or less among as many tests."""
    return -math.expm1(chosen_of * math.log1p(-p)) if p < 1 else 1.0


def _spread(matrix: Matrix) -> tuple[float, float]:
    """Variance between the trainings of one network, and its degrees of freedom."""
    return float(matrix.mean(axis=1).var(ddof=1)), float(len(matrix) - 1)


def _pool(spreads: Sequence[tuple[float, float]]) -> tuple[float, float]:
    degrees = sum(freedom for _, freedom in spreads)
    return sum(variance * freedom for variance, freedom in spreads) / degrees, degrees


def _is_erratic(spread: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    if not others:
        return False
    from scipy.special import fdtri

    rest, degrees = _pool(others)
    return spread[0] > 0 and float(fdtri(spread[1], degrees, 1 - _ERRATIC)) * rest < spread[0]


def _half_width(level: float, parts: Sequence[tuple[float, float]]) -> float:
    """Of the two-sided interval of a sum of independent means, each with its variance and degrees of freedom."""
    from scipy.special import stdtrit  # scipy takes a second to import

    return math.sqrt(sum(variance * float(stdtrit(degrees, level / 2)) ** 2 for variance, degrees in parts))


def _p_of(gain: float, parts: Sequence[tuple[float, float]]) -> float:
    """The level at which the interval of such a sum would end at 0, at least 1e-12."""
    from scipy.optimize import brentq

    if gain == 0:
        return 1.0
    if gain >= _half_width(_LEAST_P, parts):
        return _LEAST_P
    return math.exp(brentq(lambda power: _half_width(math.exp(power), parts) - gain, math.log(_LEAST_P), 0.0))


def _fewest(chosen_of: int) -> int:
    """Photographs with which Wilcoxon's test can say something at all: its least p is 2 to the power of 1 - count."""
    return next(count for count in range(1, 100) if allowing(2.0 ** (1 - count), chosen_of) < _LEVEL)


def _matrix(values: ArrayLike) -> Matrix:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise ValueError(
            f"SSIM of shape {matrix.shape}: must be (trainings, photographs), at least one training on two photographs"
        )
    if not np.isfinite(matrix).all():
        raise ValueError(f"SSIM of shape {matrix.shape} holds NaN or infinity: leave that training out")
    return matrix


def _shown(p: float) -> str:
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
