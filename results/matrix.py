"""Matrix: what full trainings came to on each test photograph, one row for each that is independent of the others."""

from collections.abc import Mapping, Sequence

import numpy as np

from results.study import Trained
from results.verdict import Matrix, Verdict, independent, judge


def matrix_of(trained: Sequence[Trained], photographs: Sequence[str]) -> Matrix | None:
    """SSIM (independent trainings, photographs) of one network; None where a training lacks one of `photographs`.

    Trainings from one supernet's weights become one row, their mean: they share those weights.
    """
    known = [{score.name: score.ssim for score in training.test} for training in trained]
    if not known or not all(name in scores for scores in known for name in photographs):
        return None
    rows = np.array([[scores[name] for name in photographs] for scores in known])
    groups = independent([training.start for training in trained])
    return np.array([rows[places].mean(axis=0) for places in groups])


def judge_trained(
    trained: Mapping[int, Sequence[Trained]], candidate: int, reference: int, chosen_of: int
) -> Verdict | None:
    """Whether a candidate is better than the reference, from full trainings by number of the candidate.

    `chosen_of` is the number of candidates of which this one was the best. None where either of the two was not judged
    on the same, at least two, test photographs.
    """
    if candidate not in trained or reference not in trained:
        return None
    photographs = [score.name for score in trained[reference][0].test]
    if len(photographs) < 2:
        return None
    matrices = {number: matrix_of(repeated, photographs) for number, repeated in trained.items()}
    one, other = matrices.pop(candidate), matrices.pop(reference)
    if one is None or other is None:
        return None
    further = [matrix for matrix in matrices.values() if matrix is not None]
    return judge(one, other, further, chosen_of, (f"candidate {candidate}", "the reference"))
