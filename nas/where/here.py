"""Here: work is done in this process, when it is submitted."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import torch

from nas.logs import OnStep
from nas.task.task import Task

T = TypeVar("T")


class Here:
    """Work is done in this process when it is submitted, with the values themselves."""

    count = 1

    def __init__(self, task: Task) -> None:
        self._task, self._steps = task, 0
        self.on_step: OnStep = lambda step, loss: None  # a progress bar may listen, since nothing else runs meanwhile

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        future: Future[T] = Future()
        torch.set_num_threads(self._task.device.threads[0])
        try:
            future.set_result(work(self._task, self._count, *arguments))
        except Exception as error:  # as in a process: it is raised where the result is asked for
            future.set_exception(error)
        return future

    def steps(self) -> int:
        return self._steps

    def seconds(self) -> float:
        return 0.0

    def _count(self, step: int, loss: float) -> None:
        self._steps += 1
        self.on_step(step, loss)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...
