"""Control: the network of the search beside a pruned one, for how long it is trained, and which of both is better."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compress.settings import CompressSettings
from results.candidate import Candidate
from results.matrix import matrix_of
from results.photo_score import PhotoScore
from results.report import by_number
from results.run import Run
from results.study import candidates, full_trainings, open_study
from results.verdict import Verdict, judge
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.own import require_lpienet


def cheaper(run: Run, is_affordable: Callable[[Blueprint], bool]) -> Candidate | None:
    """The candidate of the run with the highest score of the search among those that are affordable.

    By the score that all have: few were trained fully, and those may cost far less than what is asked for. The best are
    asked first, until one is affordable: a latency takes seconds to measure.
    """
    found = candidates(open_study(run.study).get_trials(deepcopy=False))
    best_first = sorted(found, key=lambda candidate: -candidate.scores.ssim)
    return next(
        (one for one in best_first if is_affordable(Blueprint.from_genotype(require_lpienet(one.genotype)))), None
    )


def equal_steps(scores: Mapping[str, Any], settings: CompressSettings, rival: Candidate) -> int:
    """Training steps of `rival` that take as many multiply-adds as training, pruning and fine-tuning took."""
    trained: int = scores["trained"].get("macs_in_training", scores["trained"]["macs"])
    spent: int = trained * settings.training.steps + scores["pruned"]["macs"] * settings.fine_tuning.steps
    return round(spent / macs_of(Blueprint.from_genotype(require_lpienet(rival.genotype)), DEFAULT_SIZE))


def paired(run: Run, pruned: Sequence[PhotoScore], control: Sequence[PhotoScore], names: tuple[str, str]) -> Verdict:
    """Whether a pruned network is better than its control, by the same test photographs; one training each.

    How far trainings scatter is told by those candidates that the search trained more than once. Raises ValueError
    where there are fewer than two photographs.
    """
    photographs = [score.name for score in pruned]
    trained = by_number(full_trainings(open_study(run.study)))
    known = [matrix_of(repeated, photographs) for repeated in trained.values()]
    further = [matrix for matrix in known if matrix is not None]
    one, other = ([[score.ssim for score in scores]] for scores in (pruned, control))
    return judge(one, other, further, names=names)
