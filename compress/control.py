"""Control: the network of the search that stands beside a pruned one, and for how long it is trained."""

from collections.abc import Callable, Mapping
from typing import Any

from compress.settings import CompressSettings
from results.candidate import Candidate
from results.run import Run
from results.study import candidates, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of


def cheaper(run: Run, macs: int, is_fast: Callable[[Blueprint], bool] | None = None) -> Candidate | None:
    """The candidate of the run with the highest score of the search among those of at most `macs` at 256x256.

    By the score that all have: few were trained fully, and those may cost far less than what is asked for. Where a
    latency was asked for, `is_fast` says whether a network reaches it; it is asked of the best until one does.
    """
    affordable = [
        candidate
        for candidate in candidates(open_study(run.study).get_trials(deepcopy=False))
        if macs_of(Blueprint.from_genotype(candidate.genotype), DEFAULT_SIZE) <= macs
    ]
    best_first = sorted(affordable, key=lambda candidate: -candidate.scores.ssim)
    return next((one for one in best_first if is_fast is None or is_fast(Blueprint.from_genotype(one.genotype))), None)


def equal_steps(scores: Mapping[str, Any], settings: CompressSettings, rival: Candidate) -> int:
    """Training steps of `rival` that take as many multiply-adds as training, pruning and fine-tuning took."""
    trained: int = scores["trained"].get("macs_in_training", scores["trained"]["macs"])
    spent: int = trained * settings.training.steps + scores["pruned"]["macs"] * settings.fine_tuning.steps
    return round(spent / macs_of(Blueprint.from_genotype(rival.genotype), DEFAULT_SIZE))
