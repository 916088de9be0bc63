"""Predictor: what a network comes to by what like ones came to: a Gaussian process over what its stages are made of.

The score of a short training is half luck: its first weights, its patches, where the schedule ends. Networks that
differ little come to little different ends, so the process over all candidates of a search knows more of each than its
own score does, and something of those that were never trained.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from statistics import fmean
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import LEVELS, Genotype

FEWEST = 8  # scores, below which nothing is fitted
_FAR = 3.0  # standard deviations of most scores; what lies farther from the middle tells nothing of its like
_OF_MEDIAN = 1.4826  # standard deviations of a normal distribution in its median absolute deviation

Features = NDArray[np.float64]  # (networks, features)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the process says of some networks, one entry each."""

    means: list[float]
    deviations: list[float]  # of the mean: without the luck of one training


@dataclass(frozen=True, slots=True)
class Predictor:
    """A process that saw `rows` and their scores; `fit` makes it."""

    process: object  # a fitted scikit-learn pipeline
    noise: float  # variance of one training, in squared units of the score

    def predict(self, rows: Features) -> Prediction:
        """Of networks by their features (networks, features), as `features` gives them."""
        means, deviations = self.process.predict(rows, return_std=True)  # type: ignore[attr-defined]
        known = np.sqrt(np.maximum(deviations**2 - self.noise, 0.0))
        return Prediction(means.tolist(), known.tolist())


def load_beside() -> None:
    """Import what `fit` needs while other work goes on: it takes as long as many proposals."""
    Thread(target=import_module, args=("sklearn.gaussian_process",), daemon=True).start()


Shape = object  # lengths and variances of a process, as scikit-learn's kernel


def fit(rows: Features, scores: Sequence[float], shape: Shape | None = None) -> Predictor:
    """A process that saw these scores; raises ValueError for fewer than FEWEST.

    With a `shape`, of `shape_of`, none is looked for, which takes most of the time.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(scores) < FEWEST:
        raise ValueError(f"{len(scores)} scores: a predictor needs at least {FEWEST}")
    curved = ConstantKernel(1.0, (1e-3, 1e2)) * RBF(5.0, (2.0, 50.0))
    straight = ConstantKernel(0.1, (1e-4, 1e1)) * DotProduct(0.0, "fixed")
    kernel = curved + straight + WhiteKernel(0.2, (0.05, 1.0))  # no training is without luck
    found, way = (kernel, "fmin_l_bfgs_b") if shape is None else (shape, None)
    regressor = GaussianProcessRegressor(found, optimizer=way, normalize_y=True, random_state=0)
    process = make_pipeline(StandardScaler(), regressor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at the end of its range is an answer
        process.fit(rows, np.asarray(scores, dtype=np.float64))
    fitted = process[-1]
    scale = float(np.std(np.asarray(scores))) or 1.0
    return Predictor(process, float(fitted.kernel_.k2.noise_level) * scale**2)


@lru_cache(maxsize=64)  # a search asks again until there are many more scores
def shape_of(rows: bytes, scores: tuple[float, ...]) -> Shape:
    """The shape that these scores speak for; `rows` are the bytes of their features."""
    table = np.frombuffer(rows, dtype=np.float64).reshape(len(scores), -1)
    fitted = fit(table, scores).process
    return fitted[-1].kernel_  # type: ignore[index]


def smoothed(genotypes: Sequence[Genotype], scores: Sequence[float]) -> list[float]:
    """What each score would be without its luck, by all of them; as they are where they are few.

    One that lies far from all others, as that of a slice that explodes, counts as one that lies less far.
    """
    if len(genotypes) < FEWEST:
        return list(scores)
    rows, found = features(genotypes), np.asarray(scores, dtype=np.float64)
    middle = np.median(found)
    reach = _FAR * _OF_MEDIAN * np.median(np.abs(found - middle))
    held = np.clip(found, middle - reach, middle + reach) if reach > 0 else found
    return fit(rows, held.tolist()).predict(rows).means


def features(genotypes: Sequence[Genotype]) -> Features:
    """(networks, features): few, since a search scores few networks: how much is computed, where, and with what.

    The first is the logarithm of the multiply-adds at DEFAULT_SIZE.
    """
    return np.array([_row(genotype) for genotype in genotypes])


@lru_cache(maxsize=16384)  # a search asks again after every trial
def _row(genotype: Genotype) -> tuple[float, ...]:
    blueprint, stages = Blueprint.from_genotype(genotype), genotype.stages
    row = [math.log(macs_of(blueprint, DEFAULT_SIZE)), math.log(parameters_of(blueprint))]
    levels = max(LEVELS)
    row += [math.log(stage.width) for stage in stages[: genotype.levels]] + [0.0] * (levels - genotype.levels)
    row.append(math.log(sum(stage.depth for stage in stages)))
    row.append(fmean(math.log(stage.expansion) for stage in stages))
    row += [sum(stage.attention in (kind, "both") for stage in stages) for kind in ("spatial", "channel")]
    return (*row, float(genotype.block == "released"), float(genotype.levels == levels))
