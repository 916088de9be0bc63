"""Curves: one long training, resumable, with SSIM and PSNR on the way and on the test photographs at its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from nas.anatomy import STAGE, Sample, anatomy
from nas.scoring.full import ANATOMY, kept_anatomy
from nas.scoring.supernet import crops
from nas.suggest import derive_seed
from nas.task.device import Device, fastest
from nas.task.evaluation import evaluate, evaluate_each
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Batch, Course, Diverged, Recipe, train
from results.files import has_network, load_network, read_json, save_network, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.lpienet import LPIENet, build

LOOKS = (400, 1000, 2000, 4000, 6000, 9000, 12000, 18000, 24000)  # steps after which a network is judged


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is trained."""

    recipe: Recipe
    seed: int
    batch: Batch | None = None  # None: patches of the seed
    ended: Callable[[LPIENet], None] = lambda network: None  # what is done to the trained network before it is kept


def task_of(settings: TaskSettings, bfloat16: bool = False) -> Task:
    """What benchmarks train and judge on: photographs of `settings`, on a card or one processor thread.

    Judged in float32, and trained so unless `bfloat16` says otherwise.
    """
    return make_task(settings, read_photos(settings), Device(fastest(), bfloat16, "benchmark", (1,)))


def curve(folder: Path, task: Task, network: LPIENet, plan: Plan) -> dict[str, Any]:
    """Train `network`; returns what is also kept in `folder`/curve.json.

    {"steps", "seed", "macs", "parameters", "bfloat16", "curve": [{"step", "ssim", "psnr", "stages": [{"name", "firing",
    "ssim_lost"}]}] on the validation photographs, the stages on a few crops of them, "test": {"ssim", "psnr", "input":
    that of the degraded photographs, "photographs": [{"name", "ssim", "psnr"}]}, "anatomy": as `lpienas anatomy --json`
    gives it, "seconds"}. A training that is finished is not repeated, one that was cut off goes on; one that diverges
    is recorded as such, under "failed".
    """
    figures, recipe, seed = folder / "curve.json", plan.recipe, plan.seed
    found: dict[str, Any] = read_json(figures) if figures.exists() else {"curve": [], "seconds": 0.0}
    if "failed" in found:
        return found
    if has_network(folder / "network"):
        return judged(folder, task, found)
    blueprint = network.blueprint
    found |= {"steps": recipe.steps, "seed": seed, "macs": macs_of(blueprint, DEFAULT_SIZE)}
    found |= {"parameters": parameters_of(blueprint), "bfloat16": task.device.bfloat16}
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

    batch = plan.batch or task.batches(derive_seed(seed, 0, "patches"))
    checkpoint = folder / "checkpoint.safetensors"
    try:
        train(network.train(), batch, task.loss, Course(recipe, task.device, checkpoint, look))
    except Diverged as error:
        found["failed"] = str(error)
        write_json(figures, found)
        return found
    plan.ended(network.eval())
    found["seconds"] = before + time.process_time() - begun
    write_json(figures, found)
    save_network(folder / "network", network)
    checkpoint.unlink(missing_ok=True)
    return judged(folder, task, found)


def judged(folder: Path, task: Task, found: dict[str, Any]) -> dict[str, Any]:
    """`found` with the scores of the network in `folder` on the test photographs, and its anatomy, kept there.

    Judged once more where it was by a version that degrades the photographs otherwise; its curve, which needs the
    networks on the way, stays as it was.
    """
    given = task.test_input.to_json()
    if "anatomy" in found and found["test"].get("input") == given:
        return found
    network = load_network(folder / "network").eval().to(task.device.torch)
    scores = evaluate_each(network, task.test, task.device.torch)
    found["test"] = {
        "ssim": sum(score.ssim for score in scores) / len(scores),
        "psnr": sum(score.psnr for score in scores) / len(scores),
        "input": given,
        "photographs": [{"name": score.name, "ssim": score.ssim, "psnr": score.psnr} for score in scores],
    }
    (folder / ANATOMY).unlink(missing_ok=True)  # it goes by the weights, which are the same
    found["anatomy"] = kept_anatomy(folder / "network", folder / ANATOMY, folder.name, task)
    write_json(folder / "curve.json", found)
    return found


def judge_kept(out: Path, task: Task) -> None:
    """Every finished training below `out` as `judged` leaves it, its score printed."""
    for folder in sorted(path for path in out.iterdir() if (path / "curve.json").exists()):
        with claimed(folder) as mine:
            if mine and (done := kept(folder)) is not None:
                test = judged(folder, task, done[0])["test"]
                print(f"{folder.name}: {test['ssim']:.4f} {test['psnr']:.2f} dB", flush=True)


def _stages(network: LPIENet, task: Task) -> list[dict[str, Any]]:
    """What each stage is worth on a few crops, while the network is being trained."""
    found = anatomy(network, "", Sample(crops(task), "crops"), task.device.torch)
    return [
        {"name": part.name, "firing": part.firing, "ssim_lost": part.ssim_lost}
        for part in found.parts
        if part.kind == STAGE
    ]


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
    """Each process trains on one thread; as many may run as there are processors. A card computes in float32 whole."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def kept(folder: Path) -> tuple[dict[str, Any], LPIENet] | None:
    """What a finished training came to, and its network; None where it is not finished."""
    if not has_network(folder / "network"):
        return None
    return read_json(folder / "curve.json"), load_network(folder / "network")
