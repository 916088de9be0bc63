"""Full training: its network is judged on the test photographs, which choose nothing, and taken apart: what each
stage is worth, and what is left without dead channels, stands beside it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.anatomy import anatomy, few
from nas.dead import lightened
from nas.scoring.short import score_by_training
from nas.task.evaluation import Quality, evaluate_each
from nas.task.task import Task
from nas.task.training import Recipe
from results.files import held_in, load_network, network_fingerprint, read_json, write_json
from results.photo_score import PhotoScore, photo_scores
from results.progress import Watcher
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of

ANATOMY = "anatomy.json"  # name of the record in the folder of a full training


def train_fully(
    task: Task,
    on_step: Callable[[int, float], None],
    blueprint: Blueprint,
    recipe: Recipe,
    seed: int,
    folder: Path,
    start: Path | None = None,
) -> tuple[Quality, tuple[PhotoScore, ...]]:
    """Like `score_by_training`, with the scores of every test photograph beside the means of the validation ones.

    The trained network's anatomy is kept in `folder` too.
    """
    quality = score_by_training(task, on_step, blueprint, recipe, seed, folder, start)
    kept_anatomy(folder / "network", folder / ANATOMY, f"{folder.parent.name}/{folder.name}", task)
    return quality, score_on_test(task, folder)


def score_on_test(task: Task, folder: Path) -> tuple[PhotoScore, ...]:
    """The test scores of the network that a finished training left in `folder`, kept there beside it."""
    figures = folder / "test.json"
    if not figures.exists():
        network = load_network(folder / "network").to(task.device.torch)
        found = evaluate_each(network, task.test, task.device.torch)
        write_json(figures, {"photographs": [score.to_json() for score in found]})
    stored = read_json(figures)
    with held_in(figures):
        return photo_scores(stored["photographs"])


def kept_anatomy(network: Path, record: Path, name: str, task: Task, watcher: Watcher | None = None) -> dict[str, Any]:
    """The anatomy of a saved network (path without suffix) as JSON; `stripped` is its cost without dead channels.

    As `record` keeps it where that is of the same weights; else made, on a few validation photographs, and kept.
    """
    made_from = network_fingerprint(network)
    if record.exists() and (kept := read_json(record)).get("made_from") == made_from:
        return kept
    pairs = few(task.validation)
    side = task.settings.validation_side
    photographs = (
        f"{len(pairs)} of the {len(task.validation)} validation photographs, cropped to at most {side}x{side} pixels"
    )
    saved = load_network(network)
    found = anatomy(saved, pairs, name, photographs, task.device.torch, watcher).to_json()
    stripped = lightened(saved, task)
    blueprint = stripped.network.blueprint
    found |= {
        "stripped": {
            "macs": macs_of(blueprint, DEFAULT_SIZE),
            "parameters": parameters_of(blueprint),
            "removed": stripped.to_json(),
        },
        "made_from": made_from,
    }
    write_json(record, found)
    return found
