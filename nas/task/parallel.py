"""Parallel: a training that several processes share: each takes its part of every batch, and all take the same step.

Torch's DistributedDataParallel averages gradients while they are computed, for modules of which every forward pass uses
the same parameters. A supernet's slices use some, several times a step, so that they are averaged once a step here.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn


def place() -> tuple[int, int]:
    """(number of this process, how many there are) of those that share a training; (0, 1) where it trains alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def part(images: Tensor) -> Tensor:
    """This process's part of a batch (B, ...); raises ValueError where B is no multiple of the processes."""
    number, of = place()
    if len(images) % of:
        raise ValueError(f"batch = {len(images)}: must be a multiple of {of}, since so many processes share it")
    return images.chunk(of)[number]


def averaged(network: nn.Module, loss: float) -> float:
    """Put the mean of all processes' gradients in place of this one's, and return the mean of their losses.

    Then all of them take the same step, and see the same NaN. Of a loss that is a mean over the images of a batch, both
    are those of the whole batch.
    """
    _, of = place()
    if of == 1:
        return loss
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    together = torch.cat([*(one.reshape(-1) for one in gradients), gradients[0].new_tensor([loss])])
    dist.all_reduce(together)
    together /= of
    begin = 0
    for one in gradients:
        one.copy_(together[begin : begin + one.numel()].view_as(one))
        begin += one.numel()
    return float(together[-1])
