"""Curves: one long training, resumable, with SSIM and PSNR on the way and on the test photographs at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from nas.anatomy import STAGE, anatomy
from nas.scoring.full import ANATOMY, kept_anatomy
from nas.scoring.supernet import crops
from nas.suggest import derive_seed
from nas.task.evaluation import evaluate, evaluate_each
from nas.task.task import Task
from nas.task.training import Batch, Diverged, Recipe, train
from results.files import has_network, load_network, read_json, save_network, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.lpienet import LPIENet, build

LOOKS = (400, 1000, 2000, 4000, 6000, 9000, 12000, 18000, 24000)  # steps after which a network is judged


def curve(
    folder: Path, task: Task, network: LPIENet, recipe: Recipe, seed: int, batch: Batch | None = None
) -> dict[str, Any]:
    """Train `network` with patches of `seed`, or with `batch`; returns what is also kept in `folder`/curve.json.

    {"steps", "seed", "macs", "parameters", "curve": [{"step", "ssim", "psnr", "stages": [{"name", "firing",
    "ssim_lost"}]}] on the validation photographs, the stages on a few crops of them, "test": {"ssim", "psnr",
    "photographs": [{"name", "ssim", "psnr"}]}, "anatomy": as `lpienas anatomy --json` gives it, "seconds"}. A training
    that is finished is not repeated, one that was cut off goes on; one that diverges is recorded as such, under
    "failed".
    """
    figures = folder / "curve.json"
    found: dict[str, Any] = read_json(figures) if figures.exists() else {"curve": [], "seconds": 0.0}
    if "anatomy" in found or "failed" in found:
        return found
    if "test" in found:  # as versions before left it
        return _with_anatomy(folder, task, found)
    blueprint = network.blueprint
    found |= {"steps": recipe.steps, "seed": seed, "macs": macs_of(blueprint, DEFAULT_SIZE)}
    found |= {"parameters": parameters_of(blueprint)}
    begun, before = time.process_time(), found["seconds"]

    def look(step: int, loss: float) -> None:
        if step + 1 not in LOOKS or any(point["step"] == step + 1 for point in found["curve"]):
            return
        quality = evaluate(network.eval(), task.validation, task.device.torch)
        stages = _stages(network, task)
        network.train()
        found["curve"].append({"step": step + 1, "ssim": quality.ssim, "psnr": quality.psnr, "stages": stages})
        found["seconds"] = before + time.process_time() - begun
        write_json(figures, found)

    batch = batch or task.batches(derive_seed(seed, 0, "patches"))
    checkpoint = folder / "checkpoint.safetensors"
    try:
        train(network.train(), batch, task.loss, recipe, task.device, checkpoint, look)
    except Diverged as error:
        found["failed"] = str(error)
        write_json(figures, found)
        return found
    network.eval()
    scores = evaluate_each(network, task.test, task.device.torch)
    found["test"] = {
        "ssim": sum(score.ssim for score in scores) / len(scores),
        "psnr": sum(score.psnr for score in scores) / len(scores),
        "photographs": [{"name": score.name, "ssim": score.ssim, "psnr": score.psnr} for score in scores],
    }
    found["seconds"] = before + time.process_time() - begun
    save_network(folder / "network", network)
    write_json(figures, found)
    checkpoint.unlink(missing_ok=True)
    return _with_anatomy(folder, task, found)


def _stages(network: LPIENet, task: Task) -> list[dict[str, Any]]:
    """What each stage is worth on a few crops, while the network is being trained."""
    found = anatomy(network, crops(task), "", "crops", task.device.torch)
    return [
        {"name": part.name, "firing": part.firing, "ssim_lost": part.ssim_lost}
        for part in found.parts
        if part.kind == STAGE
    ]


def _with_anatomy(folder: Path, task: Task, found: dict[str, Any]) -> dict[str, Any]:
    """`found` with the anatomy of the finished network in `folder`, kept there."""
    found["anatomy"] = kept_anatomy(folder / "network", folder / ANATOMY, folder.name, task)
    write_json(folder / "curve.json", found)
    return found


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process may work in `folder`: several of them share the work of one benchmark."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield True
    except Timeout:
        yield False


def first_weights(blueprint: Blueprint, seed: int) -> LPIENet:
    """A new network with first weights of its own."""
    return build(blueprint, derive_seed(seed, 0, "weights"))


def described(task: Task) -> dict[str, Any]:
    """How many photographs there are and what the degraded test ones have, without a path of this machine."""
    photos = task.photos
    counts = {part: len(getattr(photos, part)) for part in ("training", "validation", "test")}
    return {"photographs": counts, "input": task.test_input.to_json()}


def one_thread() -> None:
    """Each process trains on one thread; as many may run as there are processors."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def kept(folder: Path) -> tuple[dict[str, Any], LPIENet] | None:
    """What a finished training came to, and its network; None where it is not finished."""
    if not has_network(folder / "network"):
        return None
    return read_json(folder / "curve.json"), load_network(folder / "network")
