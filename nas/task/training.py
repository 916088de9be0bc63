"""Training: one loop for every stage, resumable at any step, that stops on NaN and recognises the identity."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.task.checkpoint import Learner, restore, save
from nas.task.critic import Critic
from nas.task.device import Device, ThreadChoice
from nas.task.graphs import GraphedStep, Value, blocks
from nas.task.losses import Loss
from nas.task.own_loss import OwnLoss
from nas.task.parallel import averaged, place
from nas.task.soap import Soap
from search_spaces.lpienet import LPIENet

CHECKPOINT_SECONDS = 10.0  # at most this much training is lost to a kill
_FEW_INPUTS = 16  # of a convolution: up to here it has the whole learning rate
_SHORT, _SHORT_RATE = 3000, 2e-2  # trainings of so many steps and fewer have this peak; 12,000 steps half of it
OPTIMIZERS = ("soap", "adam")

Batch = Callable[[int], tuple[Tensor, Tensor]]  # step -> degraded, clean: (B, 3, P, P) in [0, 1]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained."""

    steps: int
    learning_rate: float | None = None  # at the peak, of a convolution of few inputs (`shares`); None: see `peak`
    warmup: float = 0.2  # share of the steps with a rising learning rate
    clip: float = 0.5  # gradient norm; the gated head needs it, see search_spaces.blocks.GatedHead
    optimizer: str = "soap"  # one of OPTIMIZERS
    betas: tuple[float, float] = (0.9, 0.95)  # of its moments

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer = {self.optimizer!r}: must be one of {', '.join(OPTIMIZERS)}")
        if self.steps < 1:
            raise ValueError(f"steps = {self.steps}: must be at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate = {self.learning_rate}: must be between 0 and 1")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup = {self.warmup}: must be in [0, 1)")

    @property
    def peak(self) -> float:
        """The highest rate: as given, else lower the longer the training is (results/published/recipe)."""
        if self.learning_rate is not None:
            return self.learning_rate
        return _SHORT_RATE * min(1.0, math.sqrt(_SHORT / self.steps))

    def rate(self, step: int) -> float:
        """Learning rate of one step: linear warm-up, then a cosine to a hundredth of the peak."""
        rising = self.warmup * self.steps
        if step < rising:
            return self.peak * (step + 1) / (rising + 1)
        done = (step - rising) / max(1.0, self.steps - rising)
        return self.peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True, slots=True)
class Course:
    """How one training goes: by what recipe, where, and how it is kept and watched."""

    recipe: Recipe
    device: Device
    checkpoint: Path | None = None  # written every ten seconds, kept until the caller removes it
    on_step: Callable[[int, float], None] | None = None  # is told the step and its loss


class Failed(RuntimeError):
    """A training that came to nothing, with the reason; others of the same run go on."""


class Diverged(Failed):
    """The loss or a gradient became NaN or infinite; the weights are those of the step before."""


class OutOfMemory(Failed):
    """Not even one patch at a time fits into the memory of the device."""


def train(network: nn.Module, batch: Batch, loss: Callable[[Tensor, Tensor], Tensor], course: Course) -> None:
    """Train `network` in place for all steps of the recipe and leave it on the device; see `descend`.

    A batch that does not fit into memory is taken in parts, whose gradients add up to that of the whole. Raises
    OutOfMemory where one patch does not fit.
    """
    device, parts = course.device, 1
    network.to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]

    weight = loss.adversarial if isinstance(loss, Loss) else 0.0
    critic = Critic(device.torch) if weight else None

    def compared(degraded: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        with device.autocast():
            output = network(degraded)
        output = output.float()
        return output, (loss.of(degraded) if isinstance(loss, Loss) else loss)(output, clean)

    if critic is None and _in_graphs(network, loss, device):
        first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        try:
            descend_in_graphs(network, batch, lambda *images: compared(*images)[1], course)
            return
        except torch.OutOfMemoryError:
            network.load_state_dict(first)  # and step by step, in as many parts as fit

    def of_part(degraded: Tensor, clean: Tensor, share: float) -> float:
        output, value = compared(degraded, clean)
        if critic is not None:
            value = value + weight * critic.fooled(output, clean)
        value = share * value
        value.backward()  # type: ignore[no-untyped-call]
        if critic is not None:
            critic.learn(output, clean)
        return value.item()

    def gradients(step: int) -> float:
        nonlocal parts
        degraded, clean = batch(step)
        while True:
            pairs = zip(degraded.chunk(parts), clean.chunk(parts), strict=True)
            try:
                return sum(of_part(one, other, len(one) / len(degraded)) for one, other in pairs)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if parts >= len(degraded):
                    size = "x".join(map(str, degraded.shape[-2:]))
                    raise OutOfMemory(
                        f"a patch of {size} pixels does not fit into the memory of {device.name}"
                    ) from error
            network.zero_grad(set_to_none=True)
            parts = min(2 * parts, len(degraded))
            warnings.warn(f"a batch of {len(degraded)} does not fit into memory: taken in {parts} parts", stacklevel=2)

    descend(network, gradients, course, critic)


def _is_out_of_memory(error: Exception) -> bool:
    """Of the processor or of a card; torch has no class of its own for the first."""
    said = str(error)
    known = ("can't allocate memory", "not enough memory")  # of Linux and macOS, of Windows
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in said for words in known)


def descend(
    network: nn.Module, gradients: Callable[[int], float], course: Course, critic: Critic | None = None
) -> None:
    """Move the weights of `network`, already on the device, along `gradients(step)` for all steps of the recipe.

    Each convolution has its own share of the learning rate, see `shares`.

    Where processes share a training (nas.task.parallel) `gradients` leaves those of all in each, and the loss of its
    part of the batch.

    `gradients` leaves a gradient in the weights, returns the loss, and depends on the step alone, so a training that
    continues from the checkpoint sees what an uninterrupted one would, and its `critic` with it. Raises Diverged.
    """
    recipe = course.recipe
    optimizer = _optimizer(network, recipe)
    kept = _Resumed(course.checkpoint, Learner(network, optimizer, critic))
    threads = ThreadChoice(course.device.threads)
    for step in range(kept.done, recipe.steps):
        threads.begin_step()
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * recipe.rate(step)
        optimizer.zero_grad(set_to_none=True)
        current = averaged(gradients(step), course.device.torch)
        if not math.isfinite(current):
            raise Diverged(f"the loss became {current} at step {step} of {recipe.steps}")
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        if not torch.isfinite(norm):
            raise Diverged(f"a gradient became NaN or infinite at step {step} of {recipe.steps}")
        optimizer.step()
        threads.end_step()
        if course.on_step is not None:
            course.on_step(step, current)
        kept.keep(step + 1)


def descend_in_graphs(network: nn.Module, batch: Batch, value: Value, course: Course) -> None:
    """`descend` on a card, with steps that are captured once and looked at in blocks (nas.task.graphs).

    `value(degraded, clean)` is what is made small. `on_step` hears of a step after its block, of at most 20. Raises
    Diverged at the end of a block; then the weights are lost.
    """
    recipe = course.recipe
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        optimizer = _optimizer(network, recipe, capturable=True)
        kept = _Resumed(course.checkpoint, Learner(network, optimizer))
        graphed = GraphedStep(network, optimizer, value, recipe.clip)
        for block in blocks(kept.done, recipe.steps):
            found = []
            for step in block:
                graphed.take(batch(step), recipe.rate(step))
                found.append(graphed.found.clone())
            losses = _sound(torch.stack(found).tolist(), block, recipe.steps)
            if isinstance(optimizer, Soap):
                optimizer.turn()
            if course.on_step is not None:
                for step, current in zip(block, losses, strict=True):
                    course.on_step(step, current)
            kept.keep(block.stop)
    torch.cuda.current_stream().wait_stream(stream)


class _Resumed:
    """A training that goes on from its checkpoint, where there is a path for one, and writes it from time to time."""

    def __init__(self, path: Path | None, learner: Learner) -> None:
        self._path, self._learner = path, learner
        self.done = 0 if path is None else restore(path, learner)  # steps
        self._saved = time.monotonic()

    def keep(self, done: int) -> None:
        """`done` steps are done; of processes that share a training the first one writes."""
        if self._path is None or place()[0] != 0 or time.monotonic() - self._saved <= CHECKPOINT_SECONDS:
            return
        save(self._path, self._learner, done)
        self._saved = time.monotonic()


def _in_graphs(network: nn.Module, loss: object, device: Device) -> bool:
    """Whether every step is the same kernels: of a network and a loss of ours, on one card."""
    ours = isinstance(network, LPIENet) and not isinstance(loss, OwnLoss)
    return ours and device.name == "cuda" and place() == (0, 1)


def _sound(values: list[list[float]], block: range, steps: int) -> list[float]:
    """The losses of `values`, (loss, norm of the gradient) of each step of `block`; raises Diverged."""
    for step, (current, norm) in zip(block, values, strict=True):
        if not math.isfinite(current):
            raise Diverged(f"the loss became {current} at step {step} of {steps}")
        if not math.isfinite(norm):
            raise Diverged(f"a gradient became NaN or infinite at step {step} of {steps}")
    return [current for current, _ in values]


def shares(network: nn.Module) -> dict[float, list[nn.Parameter]]:
    """The parameters of `network` by their share of the learning rate: 16 over a convolution's inputs, at most 1.

    Adam and SOAP move every weight by about the learning rate, so an output moves by that times its number of inputs,
    which is 4 to 600 here. The rule is that of Yang et al. (Tensor Programs V, 2022) for Adam.
    """
    parameters = dict(network.named_parameters())
    found: dict[float, list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        weight = parameters.get(_weight_of(name), parameter)
        inputs = weight[0].numel() if weight.dim() == 4 else 1
        found.setdefault(min(1.0, _FEW_INPUTS / inputs), []).append(parameter)
    return found


def _weight_of(name: str) -> str:
    """The weight that a bias, or a supernet's gain or bias, belongs to; of a weight itself: itself."""
    for ending, weight in ((".bias", ".weight"), ("/gain", ""), ("/bias", "")):
        if name.endswith(ending):
            return name.removesuffix(ending) + weight
    return name


def _optimizer(network: nn.Module, recipe: Recipe, *, capturable: bool = False) -> torch.optim.Optimizer:
    """`capturable`: the rates are tensors, as a graph needs them."""
    groups: list[dict[str, Any]] = [{"params": weights, "share": share} for share, weights in shares(network).items()]
    if capturable:
        for group in groups:
            group["lr"] = torch.zeros((), device=group["params"][0].device)
    if recipe.optimizer == "soap":
        return Soap(groups, recipe.peak, recipe.betas, capturable=capturable)
    return torch.optim.Adam(groups, lr=recipe.peak, betas=recipe.betas, fused=True, capturable=capturable)
