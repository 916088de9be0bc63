"""Distill: train a network on the clean photographs and on what its teacher makes of the degraded ones."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from nas.task.task import Task
from nas.task.training import Recipe, descend


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
    network.train().to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    teacher = teacher.to(device.torch, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def gradients(step: int) -> float:
        degraded, clean = batch(step)
        with device.autocast():
            output = network(degraded)
        output = output.float()
        loss = task.loss(output, clean)
        if weight:
            with torch.no_grad(), device.autocast():
                taught = teacher(degraded)
            loss = loss + weight * F.l1_loss(output, taught.float())
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.item())

    descend(network, gradients, recipe, device, checkpoint, on_step)
