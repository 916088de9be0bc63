"""A study's next candidate, scored."""

import optuna

from results.candidate import Scores
from results.study import BUDGET
from results.trials import attributes_of, tell_scores
from search_spaces.genotype import Genotype
from search_spaces.space import REFERENCE

_PARAMETERS = 1000


def scored(study: optuna.Study, ssim: float, macs: int, genotype: Genotype = REFERENCE, over: float = -1.0) -> int:
    """The number of a candidate with this SSIM, 30 dB and this cost, `over` the budget by so much."""
    trial = study.ask()
    for name, value in attributes_of(genotype, macs, _PARAMETERS, float(macs)).items():
        trial.set_user_attr(name, value)
    trial.set_constraint(BUDGET, over)
    tell_scores(study, trial.number, Scores(ssim, 30.0, macs, _PARAMETERS))
    return trial.number
