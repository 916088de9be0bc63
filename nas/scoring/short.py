"""Short training: score a candidate by training it for some steps, resumable at any of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from nas.suggest import derive_seed
from nas.task.evaluation import Quality, evaluate, is_identity
from nas.task.task import Task
from nas.task.training import Diverged, Recipe, train
from results.files import has_network, held_in, load_network, read_json, save_network, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build

ATTEMPTS = 3  # seeds tried before a candidate that stays the identity is given up


def train_from(
    start: Mapping[str, Tensor] | None,
    blueprint: Blueprint,
    task: Task,
    recipe: Recipe,
    seed: int,
    folder: Path,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[LPIENet, Quality]:
    """A trained network, saved as `folder`/network, with its quality on the validation photographs.

    The first weights are `start`, or random (None). A network that ends as the identity, because its output gate
    closed, is trained again from random weights of another seed. Raises Diverged when the loss becomes NaN or when
    every attempt ends as the identity.
    """
    for attempt in range(ATTEMPTS):
        network = build(blueprint, derive_seed(seed, attempt, "weights"))
        if start is not None and attempt == 0:
            network.load_state_dict(dict(start))
        checkpoint = folder / f"checkpoint-{attempt}.safetensors"
        batch = task.batches(derive_seed(seed, attempt, "patches"))
        train(network, batch, task.loss, recipe, task.device, checkpoint, on_step)
        quality = evaluate(network.eval(), task.validation, task.device.torch)
        if not is_identity(network, task.validation, task.device.torch):
            save_network(folder / "network", network.cpu())
            for used in folder.glob("checkpoint-*.safetensors"):
                used.unlink()
            return network, quality
    raise Diverged(f"the network stayed the identity with {ATTEMPTS} seeds: its output gate closed each time")


def score_by_training(
    task: Task,
    on_step: Callable[[int, float], None],
    blueprint: Blueprint,
    recipe: Recipe,
    seed: int,
    folder: Path,
    start: Path | None = None,
) -> Quality:
    """Quality after training, as a piece of work for nas.workers; a folder that is finished is not trained again.

    `start` is a network's path without suffix, whose weights the training begins with. A network of another blueprint
    that is there, of a study that was begun anew, does not count.
    """
    figures, saved = folder / "quality.json", folder / "network"
    if figures.exists() and has_network(saved) and load_network(saved).blueprint == blueprint:
        stored = read_json(figures)
        with held_in(figures):
            return Quality(**stored)
    weights = None if start is None else load_network(start).state_dict()
    _, quality = train_from(weights, blueprint, task, recipe, seed, folder, on_step)
    write_json(figures, quality.to_json())
    return quality
