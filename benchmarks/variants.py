"""Variants: networks that no genotype describes, trained and judged for the ablation alone.

A network is changed by hooks on its modules, so that its weights keep their names and its blueprint holds.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from curves import Plan
from nas.suggest import derive_seed
from nas.task.evaluation import evaluate_each, mean_quality
from nas.task.task import Task
from nas.task.training import Course, Diverged, train
from results.files import read_json, write_json, write_tensors
from search_spaces.blocks import InvertedResidual
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.lpienet import LPIENet

_SIDE, _CHANNELS = 256, 16  # of what a normalisation and a convolution are timed on


def _normalised(network: LPIENet) -> None:
    """Batch normalisation after every convolution but those of the head, whose output is the picture."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d) and not name.startswith("head"):
            layer.add_module("norm", nn.BatchNorm2d(layer.out_channels))
            layer.register_forward_hook(lambda layer, _, output: layer.norm(output))


def _without_second_skip(network: LPIENet) -> None:
    """The second pair of each block in place of what it is given, not added to it."""
    for block in network.modules():
        if isinstance(block, InvertedResidual) and block.mixing is not None:
            block.mixing.register_forward_hook(lambda _, given, output: output - given[0])


VARIANTS: dict[str, Callable[[LPIENet], None]] = {
    "batch normalisation": _normalised,
    "no second skip": _without_second_skip,
}


def variant_curve(folder: Path, task: Task, network: LPIENet, plan: Plan, variant: str) -> dict[str, Any]:
    """As curves.curve, without looks on the way and without anatomy: `test` and `seconds`, kept in curve.json."""
    figures = folder / "curve.json"
    if figures.exists() and ("test" in (found := read_json(figures)) or "failed" in found):
        return found
    VARIANTS[variant](network)
    blueprint = network.blueprint
    found = {"steps": plan.recipe.steps, "seed": plan.seed, "variant": variant}
    found |= {"macs": macs_of(blueprint, DEFAULT_SIZE), "parameters": parameters_of(blueprint)}
    checkpoint = folder / "checkpoint.safetensors"
    begun = time.process_time()
    try:
        batch = plan.batch or task.batches(derive_seed(plan.seed, 0, "patches"))
        train(network.train(), batch, task.loss, Course(plan.recipe, task.device, checkpoint))
    except Diverged as error:
        write_json(figures, found | {"failed": str(error)})
        return found | {"failed": str(error)}
    scores = evaluate_each(network.eval(), task.test, task.device.torch)
    found["seconds"] = time.process_time() - begun  # of the last call, where it was cut off
    found["test"] = mean_quality(scores).to_json() | {
        "input": task.test_input.to_json(),
        "photographs": [score.to_json() for score in scores],
    }
    write_tensors(folder / "weights.safetensors", network.state_dict())
    write_json(figures, found)
    checkpoint.unlink(missing_ok=True)
    return found


def cost_of_normalisation() -> dict[str, dict[str, float]]:
    """Milliseconds on one thread, and bytes that are read and written, of a normalisation beside convolutions.

    A forward pass of (1, 16, 256, 256) floats, each module by itself, as runtimes take what is not folded.
    """
    image = torch.rand(1, _CHANNELS, _SIDE, _SIDE)
    modules: dict[str, nn.Module] = {
        "batch normalisation": nn.BatchNorm2d(_CHANNELS),
        "convolution 1x1": nn.Conv2d(_CHANNELS, _CHANNELS, 1),
        "convolution 3x3": nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1),
        "depthwise 3x3": nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, groups=_CHANNELS),
    }
    return {name: _cost(module.eval(), image) for name, module in modules.items()}


def _cost(module: nn.Module, image: Tensor) -> dict[str, float]:
    with torch.inference_mode():
        timed = Timer("module(image)", globals={"module": module, "image": image}, num_threads=1)
        milliseconds = 1e3 * timed.blocked_autorange(min_run_time=1.0).median
    weights = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    return {"milliseconds": milliseconds, "bytes": 2.0 * image.numel() * image.element_size() + weights}
