"""Merit: the luck of one training does not decide who is trained fully, and the highest rung does."""

import math
import random
from dataclasses import replace

import optuna
import pytest

from nas.merit import held_for
from results.candidate import Candidate, Scores
from results.study import Trained, fix_supernet, record_training
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.space import default_space

LUCK = 0.03  # of one candidate, far above what its like came to


@pytest.fixture
def study():
    return optuna.create_study(directions=["maximize", "minimize"])


def found(count=24):
    """Candidates that score by their multiply-adds, but the fifth, which was lucky."""
    generator, made = random.Random(0), []
    for number in range(count):
        genotype = default_space().sample_of_any_size(generator)
        macs = macs_of(Blueprint.from_genotype(genotype), DEFAULT_SIZE)
        ssim = 0.8 + 0.01 * math.log(macs / 4e7) + LUCK * (number == 5)
        made.append(Candidate(number, genotype, Scores(ssim, 30.0, macs, 1000)))
    return made


def test_a_lucky_score_counts_for_less_where_each_candidate_was_trained_once(study):
    candidates = found()
    held = held_for(study, candidates)
    gains = [new.scores.ssim - old.scores.ssim for new, old in zip(held, candidates, strict=True)]
    assert gains[5] < -LUCK / 2
    assert all(abs(gain) < LUCK / 3 for place, gain in enumerate(gains) if place != 5)
    assert [replace(one, scores=candidates[place].scores) for place, one in enumerate(held)] == candidates


def test_a_slice_that_explodes_does_not_change_what_its_like_are_held_for(study):
    fix_supernet(study, "supernet", "digest")
    candidates = found()
    exploded = [replace(one, scores=replace(one.scores, ssim=0.004)) if one.number == 11 else one for one in candidates]
    held = held_for(study, exploded)
    gains = [new.scores.ssim - old.scores.ssim for new, old in zip(held, candidates, strict=True)]
    assert gains[5] < -LUCK / 2
    assert all(abs(gain) < LUCK / 3 for place, gain in enumerate(gains) if place not in (5, 11))


def test_few_candidates_are_held_for_what_they_scored(study):
    assert held_for(study, found(6)) == found(6)


def test_after_halving_the_score_of_the_highest_rung_counts(study):
    for steps, ssim in ((300, 0.85), (900, 0.88)):
        record_training(study, Trained(3, "rung", steps, 0, "scratch", ssim, 31.0))
    held = held_for(study, found())
    assert held[3].scores.ssim == 0.88
    assert held[5] == found()[5]
