"""How much: what SSIM and PSNR come of so many photographs and so many steps, on pairs of a real camera.

    python benchmarks/how_much.py --data ~/pairs --out runs/how-much      # several at once share the work
    python benchmarks/how_much.py --out runs/how-much --publish results/published/how-much/how-much.json

Each cell is a training from scratch of the hand-made network (search_spaces.space.ADDITIVE) on the first so many
training pairs, in the order of a digest of their names, so that more photographs are those and others. All cells are
judged on the same test pairs. Each length has a schedule of its own: a long training in its middle is not a short one.
"""

import argparse
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

from curves import Plan, claimed, curve, described, first_weights, one_thread, task_of
from nas.task.degrade import make_noise
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from results.files import read_json, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.space import ADDITIVE

PHOTOGRAPHS = (5, 10, 20, 50, 150)
STEPS = (1000, 3000, 10000, 40000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of pairs (default: sample photographs, degraded)")
    parser.add_argument("--out", type=Path, default=Path("runs/how-much"))
    parser.add_argument("--photographs", type=int, nargs="+", default=PHOTOGRAPHS, metavar="N")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS, metavar="N")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="train with bfloat16 arithmetic, judge without")
    parser.add_argument("--publish", type=Path, metavar="FILE", help="write what is there, and train nothing")
    options = parser.parse_args()
    if options.publish is not None:
        _publish(options.out, options.publish)
        return
    one_thread()
    settings = TaskSettings(options.data, noise=make_noise("blend"))
    task = task_of(settings, options.bfloat16)
    write_json(options.out / "data.json", described(task))
    there = len(task.photos.training)
    if too_many := [count for count in options.photographs if count > there]:
        print(f"left out: {too_many} photographs, of which there are {there} to train on", flush=True)
    for seed in range(options.seeds):
        for steps in options.steps:  # what is short comes first
            for count in options.photographs:
                if count <= there:
                    _train(options.out, task, (count, steps, seed))


def fewer(task: Task, count: int) -> Task:
    """`task` with `count` of its training photographs: the first by a digest of their names."""
    ordered = sorted(task.photos.training, key=lambda photo: sha256(photo.name.encode()).hexdigest())
    return replace(task, photos=replace(task.photos, training=tuple(ordered[:count]), manifest=None))


def _train(out: Path, task: Task, cell: tuple[int, int, int]) -> None:
    """One training: photographs, steps and seed."""
    count, steps, seed = cell
    folder = out / f"{count},{steps},{seed}"
    with claimed(folder) as mine:
        if mine:
            network = first_weights(Blueprint.from_genotype(ADDITIVE), seed)
            found = curve(folder, fewer(task, count), network, Plan(Recipe(steps), seed))
            print(*cell, found.get("failed") or found["test"]["ssim"], flush=True)


def _publish(out: Path, file: Path) -> None:
    """Every training, and a table: a line a number of photographs, a column a number of steps."""
    cells: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for path in sorted(out.glob("*/curve.json")):
        found = read_json(path)
        count, steps, _ = map(int, path.parent.name.split(","))
        if "test" in found:
            cells.setdefault((count, steps), []).append(found)
    lengths = sorted({steps for _, steps in cells})
    print("photographs " + "".join(f"{steps:>18} steps" for steps in lengths))
    for count in sorted({count for count, _ in cells}):
        said = [_said(cells.get((count, steps), [])) for steps in lengths]
        print(f"{count:11} " + "".join(f"{one:>24}" for one in said))
    rows = [{"photographs": n, "steps": s, "trainings": done} for (n, s), done in sorted(cells.items())]
    write_json(file, {"cells": rows, **read_json(out / "data.json")})


def _said(done: list[dict[str, Any]]) -> str:
    if not done:
        return ""
    ssim, psnr = (fmean(one["test"][metric] for one in done) for metric in ("ssim", "psnr"))
    return f"{ssim:.4f} {psnr:.2f} dB"


if __name__ == "__main__":
    main()
