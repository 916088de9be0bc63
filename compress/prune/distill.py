"""Distill: train a network on the clean photographs and on what its teacher makes of the degraded ones."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.task.task import Task
from nas.task.training import Recipe, train


def distill(
    network: nn.Module,
    teacher: nn.Module,
    weight: float,
    task: Task,
    recipe: Recipe,
    seed: int,
    checkpoint: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Train `network` in place by the task's loss plus `weight` times the L1 distance to the output of `teacher`.

    Hinton et al., "Distilling the knowledge in a neural network", 2015, with the output as the knowledge, as is usual
    for restoration. A weight of 0 leaves the teacher unasked. Resumable from `checkpoint` like training; raises
    Diverged, and ValueError for a negative weight.
    """
    if weight < 0:
        raise ValueError(f"weight of distillation = {weight}: must not be negative")
    device, batch = task.device, task.batches(seed)
    teacher = teacher.to(device.torch, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def taught(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        with torch.no_grad(), device.autocast():
            return degraded, torch.stack([clean, teacher(degraded).float()])

    def loss(output: Tensor, targets: Tensor) -> Tensor:
        clean, teachers = targets
        return task.loss(output, clean) + weight * F.l1_loss(output, teachers)

    network.train()
    if weight:
        train(network, taught, loss, recipe, device, checkpoint, on_step)
    else:
        train(network, batch, task.loss, recipe, device, checkpoint, on_step)
