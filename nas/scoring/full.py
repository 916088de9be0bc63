"""Full training: beside the trained network stands what its stages are worth, and its cost without dead channels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.anatomy import anatomy, few
from nas.dead import lightened
from nas.scoring.short import score_by_training
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Recipe
from results.files import load_network, network_fingerprint, read_json, write_json
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
) -> Quality:
    """As nas.scoring.short.score_by_training, with the trained network's anatomy in `folder`; kept when it is there."""
    quality = score_by_training(task, on_step, blueprint, recipe, seed, folder, start)
    kept_anatomy(folder / "network", folder / ANATOMY, f"{folder.parent.name}/{folder.name}", task)
    return quality


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
