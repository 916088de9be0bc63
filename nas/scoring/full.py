"""Full training: its network is judged on the test photographs, which choose nothing, and taken apart.

What each stage is worth, and what is left without dead channels, stands beside it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nas.anatomy import Sample, anatomy, few
from nas.dead import Lightened, lightened
from nas.logs import losses
from nas.scoring.short import quality_of, train_from
from nas.scoring.training import NETWORK, Training, first_weights
from nas.task.evaluation import Quality, as_test, evaluate_each, mean_quality
from nas.task.task import Task
from nas.task.training import Diverged, Failed
from results.files import held_in, load_any, load_network, network_fingerprint, read_json, save_network, write_json
from results.photo_score import PhotoScore, photo_scores
from results.progress import Watcher
from results.spent import Spent
from results.store import CHECKPOINT, Store
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.family import OwnFamily
from search_spaces.lpienet import LPIENet
from search_spaces.networks import families_of
from search_spaces.own import AnyBlueprint, OwnBlueprint

ANATOMY = "anatomy.json"  # name of the record in the folder of a full training
_TWICE = 2  # times that a photograph is looked at, at most, where it is degraded at several levels
STRIPPED = "network-stripped"  # beside the network as it was trained: without what computes nothing


def train_fully(
    task: Task, on_step: Callable[[int, float], None], training: Training, store: Store
) -> tuple[Quality, tuple[PhotoScore, ...]]:
    """Quality on the validation photographs, and the scores of every test photograph, of a training that is kept.

    A piece of work for nas.where. What an earlier call came to is taken up from its checkpoint, or as it is where it
    was finished; a training from given weights was begun by nas.scoring.training.begin. Raises Failed; one that
    diverged is not tried again.
    """
    folder = store.at(training.key)
    if (reason := store.failure(training.key)) is not None:
        raise Failed(reason)
    if not store.is_made(training.key):
        try:
            _make(task, on_step, training, store)
        except Diverged as error:
            store.fail(training.stage, str(error))
            raise
    return quality_of(store, training.key), score_on_test(task, folder, families_of(training.blueprint))


def _make(task: Task, on_step: Callable[[int, float], None], training: Training, store: Store) -> None:
    folder = store.at(training.key)
    with Spent(folder / f"{CHECKPOINT}-spent.json") as spent:
        first = first_weights(store, training, training.stage)
        with losses(store.logs, training.key, spent.after(on_step)) as listening:
            _, quality = train_from(first, training, task, folder, listening)
        test = score_on_test(task, folder, families_of(training.blueprint))
        figures: dict[str, Any] = quality.to_json() | as_test(mean_quality(test))
        figures |= {"start": training.start, "steps": training.recipe.steps}
        own = isinstance(training.blueprint, OwnBlueprint)  # whose parts are not known: it stays whole
        figures |= _cost(training.blueprint) if own else _looked_into(folder, training.label, task)
    store.keep(training.stage, training.label, figures, spent.seconds())


def score_on_test(task: Task, folder: Path, families: Sequence[OwnFamily] = ()) -> tuple[PhotoScore, ...]:
    """The test scores of the network that a finished training left in `folder`, kept there beside it."""
    figures = folder / "test.json"
    if not figures.exists():
        network = load_any(folder / NETWORK, families).to(task.device.torch)
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
    saved = load_network(network)
    found = _taken_apart(saved, lightened(saved, task), name, task, watcher) | {"made_from": made_from}
    write_json(record, found)
    return found


def _looked_into(folder: Path, label: str, task: Task) -> dict[str, Any]:
    """Write what the stages of the LPIENet in `folder` are worth, and it without dead channels; its costs then."""
    whole = load_network(folder / NETWORK)
    left = lightened(whole, task)
    save_network(folder / STRIPPED, left.network)  # its output is the same
    made_from = {"made_from": network_fingerprint(folder / NETWORK)}
    write_json(folder / ANATOMY, _taken_apart(whole, left, label, task) | made_from)
    found: dict[str, Any] = dict(_cost(left.network.blueprint))
    if left.removed:
        found |= {"macs_in_training": macs_of(whole.blueprint, DEFAULT_SIZE), "dead": left.to_json()}
    return found


def _taken_apart(
    network: LPIENet, left: Lightened, name: str, task: Task, watcher: Watcher | None = None
) -> dict[str, Any]:
    """What each stage of a network is worth, and what is `left` of it without dead channels."""
    all_of_them, side = task.validation, task.settings.validation_side
    pairs = few(all_of_them[: _TWICE * all_of_them.photographs])
    looked = f"{min(len(pairs), all_of_them.photographs)} of the {all_of_them.photographs} validation photographs"
    at = f", at {_TWICE} of {all_of_them.levels} levels each" if len(pairs) > all_of_them.photographs else ""
    photographs = f"{looked}{at}, cropped to at most {side}x{side} pixels"
    found = anatomy(network, name, Sample(pairs, photographs), task.device.torch, watcher).to_json()
    return found | {"stripped": _cost(left.network.blueprint) | {"removed": left.to_json()}}


def _cost(blueprint: AnyBlueprint) -> dict[str, int]:
    return {"macs": macs_of(blueprint, DEFAULT_SIZE), "parameters": parameters_of(blueprint)}
