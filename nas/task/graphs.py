"""Graphs: a training's steps on a GPU, each one CUDA graph, so that the card does not wait for the processor.

A step of a small network is more than a thousand kernels of some microseconds, which the processor launches one by one
in ten times the time that they take. Captured once, all of them are launched together, and the losses are looked at
after a block of steps. Source: torch.cuda.graphs, "Whole-network capture".
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

STEPS = 20  # from one look at the losses to the next; patches are made for as many (nas.task.data.on_card)
EAGER = 3  # steps that are taken one kernel after the other, so that all that is chosen at first use is chosen
_PAUSES = (1, 2, 5, 10)  # steps after which the first looks are taken, as SOAP turns its bases then

Value = Callable[[Tensor, Tensor], Tensor]  # degraded, clean -> what is made small, one number


class GraphedStep:
    """One step of a training, forward and backward, clipping and optimizer, that is captured when it has been taken.

    `optimizer` is capturable; each of its groups has a tensor "lr" and a number "share" of the rate.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, value: Value, clip: float) -> None:
        self._network, self._optimizer, self._value, self._clip = network, optimizer, value, clip
        device = next(network.parameters()).device
        self.rate = torch.zeros((), device=device)
        self.found = torch.zeros(2, device=device)  # loss, norm of the gradient
        self._images: tuple[Tensor, Tensor] | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0

    def take(self, images: tuple[Tensor, Tensor], rate: float) -> None:
        """One step on (degraded, clean); `found` is what came of it, once the card has done it."""
        if self._images is None:
            degraded, clean = (image.clone(memory_format=_layout(image)) for image in images)
            self._images = degraded, clean
        for kept, given in zip(self._images, images, strict=True):
            kept.copy_(given)
        self.rate.fill_(rate)
        if self._graph is None and self._taken >= EAGER:
            self._graph = self._captured()
        if self._graph is None:
            self._run()
            self._taken += 1
        else:
            self._graph.replay()

    def _captured(self) -> torch.cuda.CUDAGraph:
        self._optimizer.zero_grad(set_to_none=True)  # so that gradients lie in the graph's own memory
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._run()
        return graph

    def _run(self) -> None:
        assert self._images is not None
        for group in self._optimizer.param_groups:
            group["lr"].copy_(self.rate * group["share"])
        self._optimizer.zero_grad(set_to_none=True)
        value = self._value(*self._images)
        value.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()
        self.found.copy_(torch.stack((value.detach(), norm)))


def _layout(image: Tensor) -> torch.memory_format:
    return torch.channels_last if image.ndim == 4 else torch.contiguous_format


def blocks(done: int, steps: int) -> Iterator[range]:
    """The steps from `done` on in blocks, each of which ends where the losses are looked at."""
    while done < steps:
        end = next((pause for pause in _PAUSES if pause > done), (done // STEPS + 1) * STEPS)
        yield range(done, min(end, steps))
        done = end
