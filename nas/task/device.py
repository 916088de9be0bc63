"""Device: where training runs, in which precision, and why; chosen by the program and printed."""

import copy
import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_CHECK_STEPS = 30
_CHECK_TOLERANCE = 0.05  # relative difference of the mean loss over the last third that counts as equally well


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device with the precision of its autocast."""

    name: str  # "cpu", "cuda" or "mps"
    bfloat16: bool
    reason: str  # why this precision
    threads: tuple[int, ...] = (1,)  # of the processor, to choose from at every step

    def __post_init__(self) -> None:
        if not isinstance(self.bfloat16, bool):
            raise TypeError(f"bfloat16 = {self.bfloat16!r}: must be true or false")
        if not isinstance(self.reason, str):
            raise TypeError(f"reason = {self.reason!r}: must be a text")

    @property
    def torch(self) -> torch.device:
        return torch.device(self.name)

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast where it was chosen, else nothing."""
        if not self.bfloat16:
            return nullcontext()
        # What is cast is not kept on a card, where a graph has memory of its own (nas.task.graphs).
        return torch.autocast(self.name, torch.bfloat16, cache_enabled=self.name != "cuda")

    @property
    def precision(self) -> str:
        """What a training on it computes in."""
        return "bfloat16" if self.bfloat16 else "float32"

    def describe(self) -> str:
        """`cpu (2 threads), float32: ...`, for the user and for run.json."""
        if self.name == "cpu":
            where = f"cpu ({' or '.join(map(str, self.threads))} threads)"
        else:
            where = f"cuda ({torch.cuda.get_device_name()})" if self.name == "cuda" else "mps (Apple GPU)"
        return f"{where}, {'bfloat16 autocast' if self.bfloat16 else 'float32'}: {self.reason}"


def fastest() -> str:
    """Name of the fastest kind of device present."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def processor() -> str:
    """The processor's name as the operating system tells it."""
    information = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def identity_of(name: str) -> str:
    """Which processor the device `name` is: what one can do says nothing of another one."""
    return f"cuda: {torch.cuda.get_device_name()}" if name == "cuda" else f"{name}: {processor()}"


def choose_device(name: str, trial: Callable[["Device"], list[float]]) -> Device:
    """The device `name`; with bfloat16 where the processor has it and `trial` shows that it trains as well.

    `trial(device)` gives the losses of one short training; see `loss_curve`.
    """
    if not has_bfloat16(name):
        return Device(name, False, "no bfloat16 arithmetic on this processor")
    plain, brief = Device(name, False, "check"), Device(name, True, "check")
    return Device(name, *bfloat16_verdict(trial(plain), trial(brief)))


def has_bfloat16(name: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; without that, autocast is several times slower."""
    if name == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if name == "cpu":
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
        except OSError:
            return False
        flags = next((line for line in lines if line.startswith("flags")), "").split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def bfloat16_verdict(float32: list[float], bfloat16: list[float]) -> tuple[bool, str]:
    """Whether the two loss curves end alike, and a sentence with both figures."""
    last = max(1, len(float32) // 3)
    plain, brief = sum(float32[-last:]) / last, sum(bfloat16[-last:]) / last
    equal = brief <= plain * (1 + _CHECK_TOLERANCE)  # NaN compares false
    how = "trains as well as" if equal else "trains worse than"
    return equal, f"bfloat16 {how} float32 over {len(float32)} steps (loss {brief:.4f} against {plain:.4f})"


def loss_curve(
    network: nn.Module,
    batch: Callable[[int], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    device: Device,
) -> list[float]:
    """Losses of a short plain training of a copy of `network` on `batch(step)`, for the precision check."""
    trained = copy.deepcopy(network).to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-3)
    losses = []
    for step in range(_CHECK_STEPS):
        degraded, clean = batch(step)
        with device.autocast():
            output = trained(degraded)
        value = loss(output.float(), clean)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(value.item())
    return losses


class ThreadChoice:
    """How many threads each training step uses: of several numbers the one that was last seen to be fastest.

    On a machine that does other work besides, torch's threads wait for one another at every operator: a step of the
    reference network took 4.8 s with two threads and 0.5 s with one while another process kept one of two processors
    busy, and 0.18 s against 0.26 s when the machine was idle. So every number is tried again from time to time.
    """

    _CYCLE = 60  # steps from one trial of all numbers to the next

    def __init__(self, choices: tuple[int, ...]) -> None:
        torch.set_flush_denormal(True)  # nearly dead channels otherwise slow every convolution on a CPU
        self._choices = choices
        self._seconds: dict[int, float] = {}
        self._steps = 0
        self._begun = 0.0
        self._current = choices[0]

    def begin_step(self) -> None:
        """Set torch's number of threads for the step that follows."""
        place = self._steps % self._CYCLE
        self._current = (
            self._choices[place] if place < len(self._choices) else min(self._choices, key=self._seconds.__getitem__)
        )
        if torch.get_num_threads() != self._current:
            torch.set_num_threads(self._current)
        self._begun = time.perf_counter()

    def end_step(self) -> None:
        """Keep how long the step took."""
        self._seconds[self._current] = time.perf_counter() - self._begun
        self._steps += 1


def thread_choices(threads: int | None) -> tuple[int, ...]:
    """The asked number of threads, or, where None, all of the machine's and one."""
    if threads is not None:
        return (threads,)
    return tuple(dict.fromkeys((os.cpu_count() or 1, 1)))
