"""Recipe: how networks are best trained, by SSIM and PSNR over the steps, and what their stages are worth at the end.

    python benchmarks/recipe.py --data ~/photographs --out runs/recipe --only 0403 --ways today best --seeds 3
    python benchmarks/recipe.py --data ~/photographs --out runs/recipe --judge  # judges what is trained once more
    python benchmarks/recipe.py --out runs/recipe --publish results/published/recipe/recipe.json

Trains networks from scratch, each in several ways that differ in one thing from the best one, on the same patches, with
first weights of their own for each seed. "today" is the recipe of versions before 2026-11-25. Several processes
started with the same arguments share the work; what is finished is not repeated.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from curves import Plan, claimed, curve, described, first_weights, judge_kept, kept, one_thread, task_of
from edges import folded, with_edges
from nas.suggest import derive_seed
from nas.task.degrade import make_noise
from nas.task.degrade.noise import KINDS
from nas.task.task import Task, TaskSettings, sampler_of
from nas.task.training import Batch, Recipe
from results.files import load_network, read_json, write_json
from search_spaces.blocks import ConvHead
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet
from search_spaces.space import ADDITIVE, REFERENCE, scaled

_0403 = Genotype(
    (
        Stage(2, 12, 1.5, "none"),
        Stage(2, 8, 0.5, "spatial"),
        Stage(1, 16, 1.0, "none"),
        Stage(3, 8, 0.5, "channel"),
        Stage(1, 4, 0.5, "both"),
    ),
    "mobilenet",
    "relu",
    "conv3x3",
)
_DEEP = Genotype(
    tuple(Stage(depth, width, 1.0, "none") for depth, width in ((1, 8), (1, 16), (2, 32), (1, 16), (1, 8))),
    "mobilenet",
    "relu",
    "conv3x3",
)
_HALF = scaled(REFERENCE, 0.5)
NETWORKS = {
    "0403": _0403,
    "deep": _DEEP,
    "adds": ADDITIVE,
    "adds-half": scaled(ADDITIVE, 0.5),
    "half": replace(_HALF, head="conv3x3"),
    "half-relu": replace(_HALF, head="conv3x3", activation="relu"),
    "half-gated": _HALF,
    "lpienet": replace(REFERENCE, head="conv3x3"),
    "lpienet-relu": replace(REFERENCE, head="conv3x3", activation="relu"),
    "lpienet-gated": REFERENCE,
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to train: settings of the recipe, and what is changed in a network before."""

    recipe: dict[str, Any]
    genes: dict[str, Any]  # of the network itself; the reference's released form has none of them
    begun: Callable[[LPIENet], None] = lambda network: None
    patches: tuple[int, int] | None = None  # pixels a side, patches a step, in place of 64 and 8
    late: tuple[int, int] | None = None  # the same for the last third of the steps
    bfloat16: bool = False  # in place of float32; judged in float32 all the same
    teacher: float = 0.0  # how much of the target is what the published network `adds` makes of the same patches


def _blind(network: LPIENet) -> None:
    """Begin a 3x3 head without the decoder, as versions before did."""
    if isinstance(network.head, ConvHead):
        with torch.no_grad():
            network.head.project.weight[:, : network.head.decoder].zero_()


_TEACHER = Path(__file__).parents[1] / "results/published/recipe/networks/adds"
_ADAM = {"optimizer": "adam", "learning_rate": 2e-2, "betas": (0.8, 0.99)}
WAYS = {
    "best": Way({}, {}),
    "none": Way({}, {"opening": "none"}),
    "leaky": Way({}, {"opening": "leaky"}),
    "today": Way(_ADAM, {}, _blind),
    "adam": Way(_ADAM, {}),
    "adam-5e-3": Way(_ADAM | {"learning_rate": 5e-3}, {}),
    "5e-3": Way({"learning_rate": 5e-3}, {}),
    "1e-2": Way({"learning_rate": 1e-2}, {}),
    "2e-2": Way({"learning_rate": 2e-2}, {}),
    "4e-2": Way({"learning_rate": 4e-2}, {}),
    "warmup-5": Way({"warmup": 0.05}, {}),
    "betas-99": Way({"betas": (0.95, 0.99)}, {}),
    "patch-128": Way({}, {}, patches=(128, 2)),
    "patch-128-late": Way({}, {}, late=(128, 2)),
    "patch-32": Way({}, {}, patches=(32, 32)),
    "batch-4": Way({}, {}, patches=(64, 4)),
    "batch-16": Way({}, {}, patches=(64, 16)),
    "bfloat16": Way({}, {}, bfloat16=True),
    "edges": Way({}, {}, with_edges),
    "teacher": Way({}, {}, teacher=0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--noise", choices=KINDS, default="blend")
    parser.add_argument("--out", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=["0403"], metavar="NETWORK")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--judge", action="store_true", help="judge what versions before have trained, train nothing")
    parser.add_argument("--publish", type=Path, metavar="FILE", help="write what is there, and train nothing")
    options = parser.parse_args()
    if options.publish is not None:
        _publish(options.out, options.publish)
        return
    one_thread()
    settings = TaskSettings(options.data, noise=make_noise(options.noise))
    task = task_of(settings)
    write_json(options.out / "data.json", described(task) | {"noise": options.noise})
    if options.judge:
        judge_kept(options.out, task)
        return
    for seed in range(options.seeds):
        for name in options.only:
            for way in options.ways:
                _train(options.out, task, Row(name, way, options.steps, seed))


@dataclass(frozen=True, slots=True)
class Row:
    """One training."""

    network: str  # of NETWORKS
    way: str  # of WAYS
    steps: int
    seed: int


def _train(out: Path, task: Task, row: Row) -> None:
    name, way, steps, seed = row.network, row.way, row.steps, row.seed
    folder = out / f"{name},{way},{steps},{seed}"
    with claimed(folder) as mine:
        if not mine:
            return
        blueprint = Blueprint.from_genotype(replace(NETWORKS[name], **WAYS[way].genes))
        network = first_weights(blueprint, seed)
        WAYS[way].begun(network)
        recipe, batch = Recipe(steps, **WAYS[way].recipe), _batches(task, WAYS[way], steps, seed)
        of_way = replace(task, device=replace(task.device, bfloat16=WAYS[way].bfloat16))
        found = curve(folder, of_way, network, Plan(recipe, seed, batch, folded))
        result = found["failed"] if "failed" in found else f"{found['test']['ssim']:.4f} {found['test']['psnr']:.2f} dB"
        print(f"{folder.name}: {result}", flush=True)


def _batches(task: Task, way: Way, steps: int, seed: int) -> Batch:
    """The patches of a training; those of a way without wishes are the task's own."""

    def of(patches: tuple[int, int] | None, purpose: str) -> Batch:
        if patches is None:
            return task.batches(derive_seed(seed, 0, "patches"))
        settings = replace(task.settings, patch=patches[0], batch=patches[1])
        return sampler_of(settings, task.photos, derive_seed(seed, 0, purpose), task.device).batch

    early = of(way.patches, "patches")
    late = early if way.late is None else of(way.late, "late patches")
    teacher = load_network(_TEACHER).eval() if way.teacher else None

    def batch(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = (late if 3 * step >= 2 * steps else early)(step)
        if teacher is not None:
            with torch.no_grad():
                clean = clean.lerp(teacher(degraded), way.teacher)
        return degraded, clean

    return batch


def _publish(out: Path, file: Path) -> None:
    """One row a training, and their means by network, way and steps.

    Rows of `file` that are of no training in `out` stay; each has what its test photographs were degraded to.
    """
    published = read_json(file) if file.exists() else {"trainings": []}
    rows = {_key(row): row for row in published["trainings"]}
    for row in rows.values():
        row.get("test", {}).setdefault("input", published["input"])
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        found = read_json(folder / "curve.json") if (folder / "curve.json").exists() else {}
        if kept(folder) is None and "failed" not in found:
            continue
        name, way, steps, seed = folder.name.split(",")
        row = {"network": name, "way": way, **found, "steps": int(steps), "seed": int(seed)}
        rows[_key(row)] = row
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in rows.values():
        groups.setdefault((row["network"], row["way"], row["steps"]), []).append(row)
    for key, group in groups.items():
        done = [row["test"] for row in group if "test" in row]
        if done:
            ssim, psnr = (fmean(one[metric] for one in done) for metric in ("ssim", "psnr"))
            print(f"{key[0]:14} {key[1]:10} {key[2]:6} steps, {len(done)} seeds: SSIM {ssim:.4f}, PSNR {psnr:.2f} dB")
    write_json(file, {"trainings": [rows[key] for key in sorted(rows)], **read_json(out / "data.json")})


def _key(row: dict[str, Any]) -> tuple[str, str, int, int]:
    return row["network"], row["way"], row["steps"], row["seed"]


if __name__ == "__main__":
    main()
