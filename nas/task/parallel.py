"""Parallel: a training that several processes share: each takes its part of every batch, and all take the same step.

Torch's DistributedDataParallel averages the gradients. A step of a supernet is several passes, each of a slice that
uses some of the weights: their gradients add up in every process, and are exchanged in the last pass.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


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


def averaging(network: nn.Module) -> nn.Module:
    """What to call for `network`, so that its gradients become the mean of all processes'; itself where it is alone.

    Of a loss that is a mean over the images of a batch, that is the gradient of the whole batch.
    """
    return network if place()[1] == 1 else DistributedDataParallel(network, find_unused_parameters=True)


def adding(network: nn.Module, is_last: bool) -> AbstractContextManager[None]:
    """Within it, one pass of several, forth and back, of an `averaging` network; the last exchanges all gradients."""
    if is_last or not isinstance(network, DistributedDataParallel):
        return nullcontext()
    return network.no_sync()


def averaged(loss: float, device: torch.device) -> float:
    """The mean of all processes' losses, so that all see the same NaN."""
    _, of = place()
    if of == 1:
        return loss
    together = torch.tensor(loss, device=device)
    dist.all_reduce(together)
    return float(together) / of
