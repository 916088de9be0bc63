"""Tuned: score a candidate by what its slice of the supernet comes to after a short training of its own.

Weights that all candidates share fit none of them: slices of deep multiplying blocks may even explode. A few steps mend
that for a fifth of what a short training from scratch takes, and rank better (results/published/scores).
"""

from collections.abc import Callable
from pathlib import Path

from nas.scoring.supernet import open_supernet
from nas.suggest import derive_seed
from nas.task.evaluation import Quality, evaluate
from nas.task.task import Task
from nas.task.training import Course, Recipe, train
from search_spaces.blueprint import Blueprint
from search_spaces.space import Space


def score_tuned(
    task: Task, on_step: Callable[[int, float], None], path: Path, of: tuple[Space, Blueprint], seed: int
) -> Quality:
    """Quality of a candidate on the validation photographs after its slice was trained, as a piece of work.

    `path` is the finished supernet's file, `of` the space that it was trained on and the candidate. All candidates of a
    `seed` see the same patches, so that these make no difference between them. Raises Diverged.
    """
    space, blueprint = of
    network = open_supernet(path, space).network(blueprint).train()
    batch = task.batches(derive_seed(seed, 0, "tuning patches"))
    train(network, batch, task.loss, Course(TUNING, task.device, on_step=on_step))
    return evaluate(network.eval(), task.validation, task.device.torch)


TUNING = Recipe(100, learning_rate=5e-3)
