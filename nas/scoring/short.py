"""Short training: score a candidate by training it from scratch for a few steps, resumable at any of them."""

from collections.abc import Callable
from pathlib import Path

from nas.suggest import derive_seed
from nas.task.evaluation import Quality, evaluate
from nas.task.task import Task
from nas.task.training import Diverged, Recipe, is_identity, train
from results.files import save_network
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet, build

ATTEMPTS = 3  # seeds tried before a candidate that stays the identity is given up


def train_from_scratch(
    blueprint: Blueprint,
    task: Task,
    recipe: Recipe,
    seed: int,
    folder: Path,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[LPIENet, Quality]:
    """A trained network, saved as `folder`/network, with its quality on the validation photographs.

    A network that ends as the identity, because its output gate closed, is trained again with another seed. Raises
    Diverged when the loss becomes NaN or when every attempt ends as the identity.
    """
    for attempt in range(ATTEMPTS):
        network = build(blueprint, derive_seed(seed, attempt, "weights"))
        checkpoint = folder / f"checkpoint-{attempt}.safetensors"
        batch = task.batches(derive_seed(seed, attempt, "patches"))
        train(network, batch, task.loss, recipe, task.device, checkpoint, on_step)
        quality = evaluate(network.eval(), task.validation, task.device.torch)
        if not is_identity(quality.psnr, task.input.psnr):
            save_network(folder / "network", network.cpu())
            for used in folder.glob("checkpoint-*.safetensors"):
                used.unlink()
            return network, quality
    raise Diverged(f"the network stayed the identity with {ATTEMPTS} seeds: its output gate closed each time")
