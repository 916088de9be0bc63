"""Int8: the ways from one float network to an int8 one, side by side, and the best of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from compress.int8.equalise import equalised
from compress.int8.fitted import fitted
from compress.int8.quantize import FakeQuantized, layers_of, post_training_quantize
from compress.int8.rounded import rounded
from compress.int8.scheme import Scheme
from compress.int8.sensitivity import costly_layers, is_close
from compress.int8.twice import twice
from nas.suggest import derive_seed
from nas.task.evaluation import Quality, as_test, evaluate
from nas.task.task import Task
from nas.task.training import Course, Diverged, Recipe, train
from results.files import read_json, write_json
from results.progress import Watcher
from search_spaces.lpienet import LPIENet, filled
from search_spaces.receptive import margin_of

# In place of layers in float, or with 16 bits: those that cost the most, where they do. In place of levels whose
# channels are held twice: the highest one, where int8 loses more than it may.
AUTO = "auto"
RATES = (2.5e-3, 5e-3, 1e-2, 2e-2)  # peak learning rates that the sweep tries; that of training is 2e-2
_UNHARMED = 1.1  # times the least loss of the sweep: up to there a rate does no harm
_SWEPT = 20  # steps that each rate is tried for
_RANGES_EVERY = 50  # steps of a quantization-aware training the activations' ranges are taken anew

METHODS = {  # the ways by their names in the figures, in words
    "post_training": "post-training quantization",
    "quantization_aware": "quantization-aware training",
    "float_fine_tuned": "post-training quantization after a longer float training",
}
WAYS = ("best", "qat", "ptq")  # all of them side by side, or one


@dataclass(frozen=True, slots=True)
class Quantizing:
    """How a network comes to int8; raises ValueError for an unknown way."""

    way: str  # one of WAYS
    recipe: Recipe  # of quantization-aware training; its learning rate is found by a sweep
    calibration: Sequence[Tensor]  # degraded images (1, 3, H, W) in [0, 1] that every int8 graph takes its ranges from
    in_float: Collection[str] = ()  # layers that stay float (quantize.layers_of), or AUTO
    seed: int = 0
    wide: Collection[str] = ()  # layers whose activations have 16 bits, or AUTO
    twice: int | str = 0  # of the highest levels, whose channels are held twice (twice.py), or AUTO

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"way = {self.way!r}: must be one of {', '.join(WAYS)}")

    @property
    def scheme(self) -> Scheme:
        """What becomes integers, once the layers are known."""
        return Scheme(in_float=frozenset(self.in_float), wide=frozenset(self.wide))


@dataclass(frozen=True, slots=True)
class Int8:
    """What `to_int8` made: float weights of an int8 network, and the figures of every way that was tried."""

    network: LPIENet
    figures: dict[str, Any]
    longer: LPIENet | None = None  # trained in float for as long, where that was one of the ways


def to_int8(network: LPIENet, task: Task, asked: Quantizing, watcher: Watcher, checkpoints: Path | None = None) -> Int8:
    """The best by SSIM on the validation photographs of the ways that are asked for, with the figures of all of them.

    The figures have SSIM and PSNR on the test photographs too, by which nothing is chosen.

    Before any of them, channels are brought to like ranges (equalise.py) and held twice where that is asked for
    (twice.py), which changes nothing in float. What is quantized after training has weights rounded for the patches
    (rounded.py).
    `best` tries post-training quantization, quantization-aware training, whose learning rate is found by a short sweep,
    and a float training just as long and with the same rate: what both trainings gain is not due to int8. The figures
    of the latter have those of its network in float beside those in int8.
    Layers to stay float, or to have 16 bits, that `network` does not have are passed over; AUTO takes those that cost
    the most, where they bring the loss within what is allowed (sensitivity.costly_layers). With `checkpoints`, the
    beginning of their names, a call that was cut off goes on from them; whoever calls removes them. Raises Diverged
    where a training fails.
    """
    cpu, calibration, in_float, wide = torch.device("cpu"), asked.calibration, asked.in_float, asked.wide
    equal = equalised(network, calibration)
    levels = int(_needs_more(network, equal, task, asked)) if asked.twice == AUTO else int(asked.twice)
    if asked.twice == AUTO:
        watcher.say(f"channels of the highest level held twice: {'yes' if levels else 'no, int8 is close enough'}")
    equal = twice(equal, calibration, levels)
    if AUTO in in_float:
        in_float = costly_layers(equal, calibration, task.validation, watcher)
        watcher.say(f"in float: {', '.join(in_float) or 'nothing; a few layers would not bring int8 close enough'}")
    if AUTO in wide:
        wide = costly_layers(equal, calibration, task.validation, watcher, wide=True)
        watcher.say(f"with 16 bits: {', '.join(wide) or 'nothing; all of them would not bring int8 close enough'}")
    in_float, wide = (sorted(set(layers) & set(layers_of(network.blueprint))) for layers in (in_float, wide))
    asked = replace(asked, in_float=in_float, wide=wide, seed=derive_seed(asked.seed, 0, "quantization"))

    def judged(candidate: LPIENet) -> _Judged:
        candidate = candidate.cpu().eval()
        graph = post_training_quantize(candidate, calibration, scheme=asked.scheme)  # the same as in the export
        margin = margin_of(candidate.blueprint)
        return _Judged(
            candidate, evaluate(graph, task.validation, cpu, margin), evaluate(graph, task.test, cpu, margin)
        )

    def checkpoint(of: str) -> Path | None:
        return None if checkpoints is None else checkpoints.with_name(f"{checkpoints.name}-{of}")

    found: dict[str, _Judged] = {}
    swept: dict[str, float | None] = {}
    if asked.way != "qat":
        watcher.begin("quantization", 1)
        found["post_training"] = judged(rounded(equal, calibration))
        watcher.at(1, f"after training: SSIM {found['post_training'].validation.ssim:.4f}")
    if asked.way != "ptq":
        swept = _sweep(equal, task, asked, watcher, checkpoint("sweep.json"))
        asked = replace(asked, recipe=replace(asked.recipe, learning_rate=_highest_unharmed(swept)))
        watcher.begin("quantization-aware", asked.recipe.steps)
        aware = _quantization_aware(equal, task, asked, _steps(watcher), checkpoint("aware.safetensors"))
        found["quantization_aware"] = judged(aware)
    longer: LPIENet | None = None
    if asked.way == "best":
        watcher.begin("as long in float", asked.recipe.steps)
        longer = filled(network.blueprint, network.state_dict()).train()
        course = Course(asked.recipe, task.device, checkpoint("float.safetensors"), _steps(watcher))
        train(longer, task.batches(asked.seed), task.loss, course)
        found["float_fine_tuned"] = judged(fitted(longer.cpu(), calibration, levels))
    best = max(found, key=lambda name: found[name].validation.ssim)
    kept = found[best]
    made_so = {"method": METHODS[best], "in_float": in_float, "wide": wide, "twice": levels}
    figures: dict[str, Any] = kept.figures() | made_so
    if swept:
        figures["learning_rate"] = {"chosen": asked.recipe.learning_rate, "loss": swept}
    figures |= {name: each.figures() for name, each in found.items()}
    if longer is not None:
        in_floats = _Judged(longer, evaluate(longer, task.validation, cpu), evaluate(longer, task.test, cpu))
        figures["float_fine_tuned"]["float"] = in_floats.figures()
    return Int8(kept.network, figures, longer)


def _needs_more(network: LPIENet, equal: LPIENet, task: Task, asked: Quantizing) -> bool:
    """Whether int8 of `equal`, after training, loses more of `network` than it may."""
    graph = post_training_quantize(rounded(equal, asked.calibration), asked.calibration)
    after = evaluate(graph, task.validation, torch.device("cpu"), margin_of(network.blueprint))
    return not is_close(evaluate(network, task.validation, torch.device("cpu")), after)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A network with its quality on the photographs that choose and on those that only report."""

    network: LPIENet
    validation: Quality
    test: Quality

    def figures(self) -> dict[str, Any]:
        return self.validation.to_json() | as_test(self.test)


def _sweep(
    network: LPIENet, task: Task, asked: Quantizing, watcher: Watcher, kept: Path | None
) -> dict[str, float | None]:
    """The training loss that each of RATES comes to in a short quantization-aware training; None where it diverges.

    Taken from the JSON file `kept` where an earlier call came so far, and else written there.
    """
    if kept is not None and kept.exists():
        return read_json(kept)
    steps = min(_SWEPT, asked.recipe.steps)
    watcher.begin("learning rate", len(RATES) * steps)
    reached: dict[str, float | None] = {}
    for number, rate in enumerate(RATES):
        losses: list[float] = []

        def on_step(step: int, loss: float, losses: list[float] = losses, done: int = number * steps) -> None:
            losses.append(loss)
            watcher.at(done + step + 1, f"loss {loss:.4f}")

        try:
            tried = replace(asked, recipe=Recipe(steps, learning_rate=rate))
            _quantization_aware(network, task, tried, on_step)
            reached[str(rate)] = fmean(losses[len(losses) * 2 // 3 :])
        except Diverged:
            reached[str(rate)] = None
    if not any(reached.values()):
        raise Diverged(f"quantization-aware training diverged with each learning rate: {', '.join(reached)}")
    if kept is not None:
        write_json(kept, reached)
    return reached


def _highest_unharmed(swept: Mapping[str, float | None]) -> float:
    """The highest rate of a sweep that does no harm.

    Not the one with the least loss: that is always the lowest, which leaves a trained network where it is, and in the
    whole training moves it too little (candidate 441 pruned: int8 gains 0.0028 with 2.5e-3, 0.0055 with 2e-2).
    """
    least = min(loss for loss in swept.values() if loss is not None)
    return max(float(rate) for rate, loss in swept.items() if loss is not None and loss <= _UNHARMED * least)


def _quantization_aware(
    network: LPIENet,
    task: Task,
    asked: Quantizing,
    step_done: Callable[[int, float], None],
    checkpoint: Path | None = None,
) -> LPIENet:
    """Float weights after quantization-aware training, its ranges frozen in the last third; resumable like training."""
    fake, steps = FakeQuantized(network, asked.calibration, scheme=asked.scheme), asked.recipe.steps

    def on_step(step: int, loss: float) -> None:
        if (step + 1) % _RANGES_EVERY == 0 and step + 1 <= steps * 2 // 3:
            fake.take_ranges(asked.calibration)  # in the checkpoint too
        step_done(step, loss)

    train(fake, task.batches(asked.seed), task.loss, Course(asked.recipe, task.device, checkpoint, on_step))
    return fake.float_network()


def _steps(watcher: Watcher) -> Callable[[int, float], None]:
    return lambda step, loss: watcher.at(step + 1, f"loss {loss:.4f}")
