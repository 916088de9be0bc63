"""Training: a value, all that decides a training, whose key names what comes of it; resuming is asking for it again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from nas.suggest import derive_seed
from nas.task.task import Task
from nas.task.training import Recipe
from results.files import load_any, save_network
from results.store import Stage, Store
from search_spaces.networks import Network, families_of
from search_spaces.own import AnyBlueprint

SCRATCH, INHERITED = "scratch", "inherited weights"
FULL, SCORING = "training", "scoring"  # kinds of stages: of a finished network, and of one that is only compared
NETWORK = "network"  # what comes of it, in the folder of its stage
FIRST = "first"  # the weights that it begins with, where those are given
_METHOD = 1  # counts the changes of what a training does that no other part of its key tells


@dataclass(frozen=True, slots=True)
class Training:
    """All that decides a training."""

    blueprint: AnyBlueprint
    trains_on: Mapping[str, Any]  # the task, with the fingerprint of its photographs: Task.trains_on
    recipe: Recipe
    seed: int
    first: str | None  # of the first weights: their digest, or the key of their stage; None: they follow from the seed
    precision: str  # see nas.task.device.Device.precision

    @classmethod
    def on(
        cls, task: Task, blueprint: AnyBlueprint, recipe: Recipe, seed: int, first: Network | None = None
    ) -> "Training":
        """A training on `task`, from the weights of `first` or from random ones."""
        digest = None if first is None else weights_digest(first)
        return cls(blueprint, task.trains_on, recipe, seed, digest, task.device.precision)

    @property
    def stage(self) -> Stage:
        """Of a full training."""
        return self._stage(FULL)

    @property
    def scoring(self) -> Stage:
        """Of a training whose network is only compared with others."""
        return self._stage(SCORING)

    @property
    def key(self) -> str:
        return self.stage.key

    @property
    def continues(self) -> bool:
        """Whether the first weights are those that another training of the store came to."""
        return self.first is not None and self.first.startswith(f"{SCORING}-")

    @property
    def start(self) -> str:
        """Where the first weights come from."""
        if self.first is None:
            return SCRATCH
        return self.first if self.continues else INHERITED

    @property
    def label(self) -> str:
        return f"{self.recipe.steps} steps from {self.start}, seed {self.seed}"

    def _stage(self, kind: str) -> Stage:
        return Stage(kind, asdict(self) | {"blueprint": self.blueprint.to_json(), "method": _METHOD})


def in_rungs(training: Training, rungs: Sequence[int]) -> tuple[Training, ...]:
    """`training` cut at the steps `rungs`, each part a warm restart of the one below.

    The learning rate of a part falls to its end; the first part has the seed of `training`.
    """
    parts: list[Training] = []
    below = 0
    for rung, steps in enumerate(rungs):
        recipe = replace(training.recipe, steps=steps - below)
        part = replace(training, recipe=recipe)
        if parts:
            part = replace(part, seed=derive_seed(training.seed, rung, "rung"), first=parts[-1].scoring.key)
        parts.append(part)
        below = steps
    return tuple(parts)


def weights_digest(network: Network) -> str:
    """Hexadecimal digest of all weights, by name."""
    digest = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def begin(store: Store, stage: Stage, first: Network | None = None) -> None:
    """Write the first weights of a training that is not finished, where a worker reads them."""
    if first is not None and not store.is_made(stage.key):
        save_network(store.at(stage.key) / FIRST, first)


def first_weights(store: Store, training: Training, stage: Stage) -> Network | None:
    """What `begin` wrote, or what the training before came to; None: random ones."""
    if training.first is None:
        return None
    place = store.at(training.first) / NETWORK if training.continues else store.at(stage.key) / FIRST
    return load_any(place, families_of(training.blueprint))
