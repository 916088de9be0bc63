"""Merit: what candidates are held for when it is decided which of them are trained fully."""

from collections.abc import Sequence
from dataclasses import replace

import optuna

from nas.scoring.predictor import smoothed
from results.candidate import Candidate
from results.study import trainings
from search_spaces.genotype import Genotype
from search_spaces.own import require_lpienet


def held_for(study: optuna.Study, found: Sequence[Candidate]) -> list[Candidate]:
    """`found` with the SSIM that all scores of the study together speak for, in the same order.

    After successive halving that of the highest rung that each one reached; else as `without_luck` gives it.
    """
    rungs = {training.number: training.ssim for training in trainings(study, "rung")}  # the highest comes last
    if rungs:
        return [_with_ssim(candidate, rungs.get(candidate.number, candidate.scores.ssim)) for candidate in found]
    return without_luck(found)


def without_luck(found: Sequence[Candidate]) -> list[Candidate]:
    """`found` with scores that lack the luck of one training, or of one slice of a supernet, in the same order.

    A predictor knows each from the others: of many scores the best is a lucky one (results/published/scores). Scores of
    an own family are as they are: the predictor knows nothing of its networks.
    """
    if not all(isinstance(candidate.genotype, Genotype) for candidate in found):
        return list(found)
    genotypes = [require_lpienet(candidate.genotype) for candidate in found]
    scores = smoothed(genotypes, [candidate.scores.ssim for candidate in found])
    return [_with_ssim(candidate, ssim) for candidate, ssim in zip(found, scores, strict=True)]


def _with_ssim(candidate: Candidate, ssim: float) -> Candidate:
    return replace(candidate, scores=replace(candidate.scores, ssim=ssim))
