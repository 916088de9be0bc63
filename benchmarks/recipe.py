"""Recipe: what each convolution's own share of the learning rate is worth, and how much of the decoder stays alive.

    python benchmarks/recipe.py --steps 300 --seeds 2

Trains networks with the recipe of lpienas and with one learning rate for all convolutions (Adam as it comes, 5e-3, a
twentieth of the steps to warm up), from the same weights on the same patches. Prints SSIM on the validation
photographs, and how many of the channels before the full-resolution decoder's block are open for more than 2 % of the
pixels.
"""

import argparse
from collections.abc import Callable
from statistics import fmean
from unittest.mock import patch

import torch
from torch import Tensor, nn

from nas.suggest import derive_seed
from nas.task.device import Device
from nas.task.evaluation import evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Recipe, train
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.space import REFERENCE

_SMALL = Genotype(tuple(Stage(1, width, 1.0, "none") for width in (8, 16, 32, 16, 8)), head="conv3x3")
_ATTENTIVE = Genotype(
    (
        Stage(2, 4, 0.5, "both"),
        Stage(2, 16, 1.0, "none"),
        Stage(1, 16, 0.5, "spatial"),
        Stage(2, 16, 1.0, "channel"),
        Stage(2, 8, 0.5, "none"),
    ),
    head="conv3x3",
)
NETWORKS = {
    "small, no attention": _SMALL,
    "small, with attention": _ATTENTIVE,
    "reference, 3x3 head": Genotype(REFERENCE.stages, head="conv3x3"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = TaskSettings(options.data)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))
    print(f"{task.photos.source}\n{options.steps} steps; the input has SSIM {task.input.ssim:.4f}")
    for name, genotype in NETWORKS.items():
        for way, trained in (("one rate", _one_rate), ("shares", _shares)):
            found = [_train(task, genotype, trained, options.steps, seed) for seed in range(options.seeds)]
            ssims, opened = zip(*found, strict=True)
            each = ", ".join(f"{ssim:.4f}" for ssim in ssims)
            print(f"{name:22} {way:9} SSIM {fmean(ssims):.4f} ({each}), {fmean(opened):4.0%} open", flush=True)


Way = Callable[[LPIENet, Task, int, int], None]


def _train(task: Task, genotype: Genotype, way: Way, steps: int, seed: int) -> tuple[float, float]:
    network = build(Blueprint.from_genotype(genotype), derive_seed(seed, 0, "weights"))
    way(network, task, steps, derive_seed(seed, 0, "patches"))
    return evaluate(network.eval(), task.validation, torch.device("cpu")).ssim, _open(network, task)


def _shares(network: LPIENet, task: Task, steps: int, seed: int) -> None:
    train(network, task.batches(seed), task.loss, Recipe(steps), task.device)


def _one_rate(network: LPIENet, task: Task, steps: int, seed: int) -> None:
    def together(trained: nn.Module) -> dict[float, list[nn.Parameter]]:
        return {1.0: list(trained.parameters())}

    with patch("nas.task.training.shares", together), patch("nas.task.training._BETAS", (0.9, 0.999)):
        train(network, task.batches(seed), task.loss, Recipe(steps, 5e-3, 0.05), task.device)


def _open(network: LPIENet, task: Task) -> float:
    """Share of the channels of the full-resolution decoder whose ReLU lets more than 2 % of the pixels through."""
    seen: list[Tensor] = []
    hook = network.get_submodule("decoder2.1").register_forward_hook(
        lambda module, inputs, output: seen.append(output > 0)
    )
    with torch.inference_mode():
        network(task.validation[0][1][..., :192, :192])
    hook.remove()
    return float((seen[0].double().mean(dim=(0, 2, 3)) > 0.02).double().mean())


if __name__ == "__main__":
    main()
