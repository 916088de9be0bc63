"""Paired: whether one method as it is does better than another on photographs like these.

The photographs are what is drawn by chance. A network is taken as its file is: whether its architecture is better,
after another training, is what results.verdict says, which needs several trainings of each.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from results.verdict import ALIKE, BETTER, WORSE, allowing, wilcoxon_p

_LEVEL = 0.05  # share of wrong verdicts on equal methods, at most


@dataclass(frozen=True, slots=True)
class Paired:
    """The mean difference of two methods' SSIM on the same photographs, and what may be said of it."""

    word: str  # BETTER, WORSE or ALIKE
    gain: float  # mean SSIM of the first less the second's
    low: float | None  # of the 95 % interval for other photographs; None of a single photograph
    high: float | None
    p: float  # Wilcoxon signed-rank, after Sidak's correction for the number of comparisons
    photographs: int
    compared: int  # how many such comparisons are made at once
    names: tuple[str, str]

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        one, other = self.names
        if self.low is None or self.high is None:
            return f"{one} and {other} cannot be compared by one photograph: {self.gain:+.4f} SSIM."
        said = "is not distinguishable from" if self.word == ALIKE else f"is {self.word} than"
        p = "below 0.0001" if self.p < 1e-4 else f"{self.p:.2g}"
        interval = f"{self.gain:+.4f} SSIM (95 % interval {self.low:+.4f} to {self.high:+.4f})"
        of = "" if self.compared == 1 else f", allowing for {self.compared} comparisons"
        return f"{one} {said} {other}: {interval}, by {self.photographs} photographs (p {p}{of})."

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return asdict(self) | {"sentence": self.sentence}


def paired(one: Sequence[float], other: Sequence[float], names: tuple[str, str], compared: int = 1) -> Paired:
    """Whether `one` is better than `other`, each the SSIM of the same photographs in the same order.

    Better or worse only where Wilcoxon's test and the interval of the mean both say so at 5 %, each after Sidak's
    correction for `compared` comparisons. Raises ValueError for unequal numbers of photographs, or none.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"{names[0]} has {len(one)} photographs and {names[1]} {len(other)}: both need the same")
    difference = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    gain = float(difference.mean())
    half = half_width(difference, 1 - (1 - _LEVEL) ** (1 / compared))
    if half is None:
        return Paired(ALIKE, gain, None, None, 1.0, 1, compared, names)
    p = allowing(wilcoxon_p(difference), compared)
    told_apart = abs(gain) > half and p < _LEVEL
    word = ALIKE if not told_apart else BETTER if gain > 0 else WORSE
    return Paired(word, gain, gain - half, gain + half, p, len(difference), compared, names)


def interval_words(low: float | None, high: float | None) -> str:
    """An interval for a table; empty where there is none, as of a single photograph."""
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def half_width(values: ArrayLike, level: float = _LEVEL) -> float | None:
    """Of the two-sided interval of the mean of `values`, Student's, wrong in `level` of all cases; None of one value.

    Raises ValueError where there is no value.
    """
    from scipy.special import stdtrit

    drawn = np.asarray(values, dtype=np.float64)
    if not drawn.size:
        raise ValueError("an interval is that of the mean of at least one value, got none")
    if drawn.size == 1:
        return None
    return abs(float(stdtrit(drawn.size - 1, level / 2))) * float(drawn.std(ddof=1)) / math.sqrt(drawn.size)
