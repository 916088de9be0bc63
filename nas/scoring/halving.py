"""Halving: which candidates of a rung are trained further, by non-dominated rank in SSIM and cost.

Asynchronous successive halving (Li et al., "A system for massively parallel hyperparameter tuning", 2020) with the
multi-objective promotion of Schmucker et al., "Multi-objective asynchronous successive halving", 2021: a candidate's
cost does not change while it is trained, so a small network is only stopped when another one is better at no more cost.
"""

from collections.abc import Mapping

from results.front import by_merit

ETA = 3  # of so many candidates of a rung one is trained further, for so many times the steps
RUNGS = 3


def rungs_of(steps: int) -> tuple[int, ...]:
    """Training steps at which candidates are compared, the last one `steps`."""
    return tuple(sorted({max(1, steps // ETA**k) for k in range(RUNGS)}))


def promotable(rung: Mapping[int, float], costs: Mapping[int, float]) -> list[int]:
    """Numbers of the best third of a rung, SSIM by number: by non-dominated rank, within one the most isolated first.

    Ties go to the lower number, so that a search that was cut off promotes the same.
    """
    numbers = sorted(rung)
    best = by_merit([(rung[number], costs[number]) for number in numbers])
    return [numbers[place] for place in best[: len(numbers) // ETA]]
