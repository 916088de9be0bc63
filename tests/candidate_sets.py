"""Sets of candidates for the tests of fronts: by their SSIM and multiply-adds alone."""

import random

from results.candidate import Candidate, Scores
from search_spaces.space import REFERENCE


def candidate(number: int, ssim: float, macs: int) -> Candidate:
    return Candidate(number, REFERENCE, Scores(ssim, 30.0, macs, 1000))


def random_set(seed: int) -> list[Candidate]:
    """Up to 25 candidates from a coarse grid, so that ties in one objective and in both are common."""
    generator = random.Random(seed)
    return [
        candidate(number, generator.randrange(40, 101, 5) / 100, 10 ** generator.randrange(1, 6))
        for number in range(generator.randrange(1, 26))
    ]
