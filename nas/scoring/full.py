"""Full training: a training whose network is also judged on the test photographs, which nothing is chosen by."""

from collections.abc import Callable
from pathlib import Path

from nas.scoring.short import score_by_training
from nas.task.evaluation import Quality, evaluate_each
from nas.task.task import Task
from nas.task.training import Recipe
from results.files import load_network, read_json, write_json
from results.photo_score import PhotoScore, photo_scores
from search_spaces.blueprint import Blueprint


def train_fully(
    task: Task,
    on_step: Callable[[int, float], None],
    blueprint: Blueprint,
    recipe: Recipe,
    seed: int,
    folder: Path,
    start: Path | None = None,
) -> tuple[Quality, tuple[PhotoScore, ...]]:
    """Like `score_by_training`, with the scores of every test photograph beside the means of the validation ones."""
    quality = score_by_training(task, on_step, blueprint, recipe, seed, folder, start)
    return quality, score_on_test(task, folder)


def score_on_test(task: Task, folder: Path) -> tuple[PhotoScore, ...]:
    """The test scores of the network that a finished training left in `folder`, kept there beside it."""
    figures = folder / "test.json"
    if not figures.exists():
        network = load_network(folder / "network").to(task.device.torch)
        found = evaluate_each(network, task.test, task.device.torch)
        write_json(figures, {"photographs": [score.to_json() for score in found]})
    return photo_scores(read_json(figures)["photographs"])
