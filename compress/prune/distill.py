"""Distill: train a network on the clean photographs and on what its teacher makes of the degraded ones."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.task.task import Task
from nas.task.training import Course, train


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whose output a network is trained on beside the clean photographs; raises ValueError for a negative weight."""

    network: nn.Module
    weight: float  # of the L1 distance to its output in the loss; 0: it is not asked

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight of distillation = {self.weight}: must not be negative")


def distill(network: nn.Module, teacher: Teacher, task: Task, seed: int, course: Course) -> None:
    """Train `network` in place by the task's loss plus the teacher's weight times the L1 distance to its output.

    Hinton et al., "Distilling the knowledge in a neural network", 2015, with the output as the knowledge, as is usual
    for restoration. Resumable like training; raises Diverged.
    """
    device, batch, weight = course.device, task.batches(seed), teacher.weight
    taught_by = teacher.network.to(device.torch, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def taught(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        with torch.no_grad(), device.autocast():
            return degraded, torch.cat([clean, taught_by(degraded).float(), degraded], 1)  # in parts, where few fit

    def loss(output: Tensor, targets: Tensor) -> Tensor:
        clean, teachers, degraded = targets.chunk(3, 1)
        return task.loss.of(degraded)(output, clean) + weight * F.l1_loss(output, teachers)

    network.train()
    if weight:
        train(network, taught, loss, course)
    else:
        train(network, batch, task.loss, course)
