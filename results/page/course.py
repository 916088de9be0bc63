"""Course: how far a search had come after each trial and each minute, and which genes decided."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Scores
from results.front import ReferencePoint, hypervolume
from results.study import candidate_of, is_within_budget

LEAST_TRIALS = 20  # below which importance is a matter of luck
MOST_POINTS = 400  # of a curve; a screen shows no more

_MINUTE = 60.0  # seconds


def course_of(trials: Sequence[FrozenTrial], corner: ReferencePoint) -> dict[str, Any]:
    """Hypervolume by the search's own scores, {"points": [{"trial", "minutes", "hypervolume"}]}, as trials ended.

    Minutes are those that workers spent on trials; each computes on one thread, so that two workers spend two minutes
    in one. What a supernet's own training took is not among them.
    """
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.duration is not None]
    done.sort(key=lambda trial: (trial.datetime_complete, trial.number))
    front: list[Scores] = []
    minutes, area, points = 0.0, 0.0, []
    for count, trial in enumerate(done, 1):
        assert trial.duration is not None
        minutes += trial.duration.total_seconds() / _MINUTE
        if is_within_budget(trial):
            scores = candidate_of(trial).scores
            if not any(one.cost <= scores.cost and one.ssim >= scores.ssim for one in front):
                front = [one for one in front if one.cost < scores.cost or one.ssim > scores.ssim] + [scores]
                area = hypervolume(front, corner)
        points.append({"trial": count, "minutes": minutes, "hypervolume": area})
    return {"points": _thinned(points)}


def importance_of(study: optuna.Study) -> list[dict[str, Any]]:
    """How much each gene decides, by Optuna's PED-ANOVA, for SSIM and for the cost; the most important first.

    Empty for fewer than LEAST_TRIALS. Each column sums to 1.
    """
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state is TrialState.COMPLETE]
    widest = max((trial.params.keys() for trial in done), key=len, default=())
    genes = [gene for gene in widest if len({trial.params.get(gene) for trial in done}) > 1]
    full = [trial for trial in done if all(gene in trial.params for gene in genes)]
    genes = [gene for gene in genes if len({str(trial.params[gene]) for trial in full}) > 1]
    if len(full) < LEAST_TRIALS or len(genes) < 2:
        return []
    quality, cost = (_importance(study, genes, place) for place in (0, 1))
    found = [{"gene": gene, "ssim": quality.get(gene, 0.0), "cost": cost.get(gene, 0.0)} for gene in genes]
    return sorted(found, key=lambda one: (-one["ssim"], one["gene"]))


def _importance(study: optuna.Study, genes: list[str], place: int) -> Mapping[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is said to be experimental
        evaluator = PedAnovaImportanceEvaluator()
        found = get_param_importances(
            study, evaluator=evaluator, params=genes, target=lambda trial: trial.values[place], normalize=True
        )
    return {gene: value for gene, value in found.items() if math.isfinite(value)}


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most MOST_POINTS, the last among them."""
    step = math.ceil(len(points) / MOST_POINTS) or 1
    return points[::-1][::step][::-1]
