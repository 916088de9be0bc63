"""Predictor: knows more of each network than its own noisy score does, and says how sure it is."""

import math
import random

import numpy as np
import pytest
from scipy.stats import kendalltau

from nas.scoring.predictor import FEWEST, features, fit, smoothed
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype
from search_spaces.space import REFERENCE, default_space

SPACE = default_space()
NOISE = 0.008  # standard deviation of a score


def drawn(count, seed):
    generator = random.Random(seed)
    return [SPACE.sample_of_any_size(generator) for _ in range(count)]


def worth(genotype):
    """A made-up truth: more multiply-adds are better, attention and depth are worse."""
    macs = macs_of(Blueprint.from_genotype(genotype), DEFAULT_SIZE)
    attentive = sum(stage.attention != "none" for stage in genotype.stages)
    return 0.8 + 0.01 * math.log(macs / 4e7) - 0.003 * attentive - 0.01 * math.log(genotype.stages[0].depth)


def noisy(genotypes, seed):
    luck = np.random.default_rng(seed).normal(0, NOISE, len(genotypes))
    return [worth(genotype) + float(one) for genotype, one in zip(genotypes, luck, strict=True)]


def test_smoothed_scores_rank_networks_better_than_the_scores_themselves():
    gains = []
    for seed in range(6):
        genotypes = drawn(40, seed)
        truth, scores = [worth(genotype) for genotype in genotypes], noisy(genotypes, seed)
        raw, smooth = (kendalltau(truth, one).statistic for one in (scores, smoothed(genotypes, scores)))
        gains.append(smooth - raw)
    assert sum(gains) / len(gains) > 0.05


def test_networks_that_it_has_not_seen_are_ranked_too():
    taus = []
    for seed in range(6):
        seen, unseen = drawn(60, seed), drawn(40, 100 + seed)
        found = fit(features(seen), noisy(seen, seed)).predict(features(unseen))
        taus.append(kendalltau([worth(genotype) for genotype in unseen], found.means).statistic)
        assert all(0 <= deviation < 0.05 for deviation in found.deviations)
    assert sum(taus) / len(taus) > 0.6


def test_a_network_unlike_all_others_is_less_certain_than_one_of_them():
    genotypes = drawn(40, 5)
    known, strange = (
        fit(features(genotypes), noisy(genotypes, 5)).predict(features([genotypes[0], REFERENCE])).deviations
    )
    assert strange > known


def test_few_scores_stay_as_they_are_and_are_not_fitted():
    genotypes = drawn(FEWEST - 1, 6)
    scores = noisy(genotypes, 6)
    assert smoothed(genotypes, scores) == scores
    with pytest.raises(ValueError, match=f"{FEWEST - 1} scores: a predictor needs at least {FEWEST}"):
        fit(features(genotypes), scores)


def test_equal_scores_give_equal_predictions():
    genotypes = drawn(12, 7)
    assert smoothed(genotypes, [0.8] * 12) == pytest.approx([0.8] * 12, abs=1e-6)


def test_the_first_feature_is_the_logarithm_of_the_multiply_adds_and_widths_stand_apart():
    wide_above, wide_below = (
        Genotype.from_flat(REFERENCE.flat() | {f"{stage}.width": 48}) for stage in ("encoder1", "encoder3")
    )
    above, below = features([wide_above, wide_below]).tolist()
    for row, genotype in ((above, wide_above), (below, wide_below)):
        assert row[0] == pytest.approx(math.log(macs_of(Blueprint.from_genotype(genotype), DEFAULT_SIZE)))
    assert above[2] - below[2] == pytest.approx(math.log(48 / 16))
    assert below[4] - above[4] == pytest.approx(math.log(48 / 64))
