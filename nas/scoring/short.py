"""Short training: score a candidate by training it for some steps, kept by the key of all that decides it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from nas.logs import losses
from nas.scoring.training import NETWORK, Training, first_weights
from nas.suggest import derive_seed
from nas.task.evaluation import Quality, evaluate, is_identity
from nas.task.task import Task
from nas.task.training import Course, Diverged, train
from results.files import held_in, save_network
from results.spent import Spent
from results.store import CHECKPOINT, RECORD, Store
from search_spaces.networks import Network, built

ATTEMPTS = 3  # seeds tried before a candidate that stays the identity is given up

OnStep = Callable[[int, float], None]


def train_from(
    first: Network | None, training: Training, task: Task, folder: Path, on_step: OnStep | None = None
) -> tuple[Network, Quality]:
    """A trained network, saved as `folder`/network, with its quality on the validation photographs.

    The first weights are those of `first`, or random (None). A network that ends as the identity, because its output
    gate closed, is trained again from random weights of another seed. Goes on from the checkpoints in `folder`, which
    whoever calls removes. Raises Diverged when the loss becomes NaN or when every attempt ends as the identity.
    """
    for attempt in range(ATTEMPTS):
        network = built(training.blueprint, derive_seed(training.seed, attempt, "weights"))
        if first is not None and attempt == 0:
            network.load_state_dict(first.state_dict())
        batch = task.batches(derive_seed(training.seed, attempt, "patches"))
        course = Course(training.recipe, task.device, folder / f"{CHECKPOINT}-{attempt}.safetensors", on_step)
        train(network, batch, task.loss, course)
        quality = evaluate(network.eval(), task.validation, task.device.torch)
        if not is_identity(network, task.validation, task.device.torch):
            save_network(folder / NETWORK, network.cpu())
            return network, quality
    raise Diverged(f"the network stayed the identity with {ATTEMPTS} seeds: its output gate closed each time")


def score_by_training(task: Task, on_step: OnStep, trainings: Sequence[Training], store: Store) -> Quality:
    """Quality after the last of `trainings`, each of which goes on from the one before; a piece of work for workers.

    What is in the store is not trained again; one from given weights was begun by nas.scoring.training.begin.
    """
    for training in trainings:
        stage = training.scoring
        if store.is_made(stage.key):
            continue
        folder = store.at(stage.key)
        with Spent(folder / f"{CHECKPOINT}-spent.json") as spent:
            first = first_weights(store, training, stage)
            with losses(store.logs, stage.key, spent.after(on_step)) as listening:
                _, quality = train_from(first, training, task, folder, listening)
        store.keep(stage, training.label, quality.to_json(), spent.seconds())
    return quality_of(store, trainings[-1].scoring.key)


def quality_of(store: Store, key: str) -> Quality:
    """On the validation photographs, as the record of a finished training says it."""
    figures = store.figures(key)
    with held_in(store.at(key) / RECORD):
        return Quality(float(figures["ssim"]), float(figures["psnr"]))
