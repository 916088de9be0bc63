"""Checkpoint: where a training is, on disk, and where it was before, which counts where the last file is damaged."""

import copy
import os
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from nas.task.critic import Critic
from results.files import read_tensors, write_tensors

_CRITIC = "critic."  # with this begin names of its tensors
_DAMAGED = (ValueError, KeyError, IndexError, TypeError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Learner:
    """What a training changes."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    critic: Critic | None = None


def save(path: Path, learner: Learner, step: int) -> None:
    """Write down that `step` steps are done; what `path` held stays beside it, as `before`."""
    # Copies, since safetensors refuses two names for one tensor, as where ranges of fake quantization are shared.
    tensors = {f"network.{name}": tensor.clone() for name, tensor in learner.network.state_dict().items()}
    for index, state in learner.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    beside = {} if learner.critic is None else learner.critic.state()
    tensors |= {f"{_CRITIC}{name}": tensor for name, tensor in beside.items()}
    if path.exists():
        before(path).unlink(missing_ok=True)
        try:
            os.link(path, before(path))  # so that there is a last one while the next is written
        except OSError:  # a file system without links
            path.replace(before(path))
    write_tensors(path, tensors, {"step": str(step)})


def restore(path: Path, learner: Learner) -> int:
    """Bring `learner` to where it was saved; returns the number of steps done, 0 where nothing is there.

    A damaged file is dropped, which a warning says, and the one before it counts; without that the training begins
    again, from the state that `learner` has.
    """
    if not path.exists() and not before(path).exists():
        return 0
    first = _Before(learner)
    for file, otherwise in ((path, "goes on from the one before it"), (before(path), "begins again")):
        if not file.exists():
            continue
        try:
            return _restored(file, learner)
        except _DAMAGED as error:
            goes_on = otherwise if before(file).exists() else "begins again"
            warnings.warn(f"{file} is damaged: this training {goes_on} ({error})", stacklevel=3)
            file.unlink()
            first.back_into(learner)
    return 0


def remove(path: Path) -> None:
    """Both files, once they are of no use."""
    path.unlink(missing_ok=True)
    before(path).unlink(missing_ok=True)


def before(path: Path) -> Path:
    """The one before that in `path`."""
    return path.with_stem(f"{path.stem}-before")


class _Before:
    """The state of a learner before a file was loaded into it."""

    def __init__(self, learner: Learner) -> None:
        self._network = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
        self._optimizer: dict[str, Any] = copy.deepcopy(learner.optimizer.state_dict())
        self._critic = None if learner.critic is None else learner.critic.state()

    def back_into(self, learner: Learner) -> None:
        learner.network.load_state_dict(self._network)
        learner.optimizer.load_state_dict(copy.deepcopy(self._optimizer))
        if learner.critic is not None and self._critic is not None:
            learner.critic.restore(self._critic)


def _restored(path: Path, learner: Learner) -> int:
    network, optimizer = learner.network, learner.optimizer
    tensors = read_tensors(path)
    state = OrderedDict((name.removeprefix("network."), t) for name, t in tensors.items() if name[0] == "n")
    # safetensors keeps no versions of modules, and an observer of unknown version comes back with another least scale
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined]
    network.load_state_dict(state)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": _moments(tensors, optimizer)})
    if learner.critic is not None:
        of_critic = {name.removeprefix(_CRITIC): t for name, t in tensors.items() if name.startswith(_CRITIC)}
        learner.critic.restore(of_critic)
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"])


def _moments(tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """The optimizer's state, by the index of the weight."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            weight = weights[int(index)]
            # Fused Adam pairs elements by their place in memory: a moment needs the strides of its weight. And products
            # of matrices round by where these begin, which in a file is anywhere: they get memory as torch gives it.
            laid_out = torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor.clone()
            states.setdefault(int(index), {})[field] = laid_out
    return states
