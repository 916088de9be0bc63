"""Ablation: what each gene is worth, one changed at a time on one small network, all trained alike.

    python benchmarks/ablation.py --out runs/ablation --steps 1500 --seeds 2

Prints SSIM (mean and spread over seeds), PSNR, MACs and parameters of every row beside the base network. Resumable.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from nas.scoring.short import score_by_training
from nas.suggest import derive_seed
from nas.task.device import Device
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.training import Diverged, Recipe
from nas.workers import make_workers
from results.files import write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage

BASE = Genotype(tuple(Stage(1, width, 1.0, "none") for width in (8, 16, 32, 16, 8)), head="conv3x3")


def _all_stages(**genes: object) -> Genotype:
    return replace(BASE, stages=tuple(replace(stage, **genes) for stage in BASE.stages))  # type: ignore[arg-type]


def _wider(factor: float) -> Genotype:
    return replace(BASE, stages=tuple(replace(stage, width=int(stage.width * factor)) for stage in BASE.stages))


ROWS = {
    "base: widths 8/16/32/16/8, depth 1, no attention, ELU, conv 3x3 head": BASE,
    "space-to-depth stem": replace(BASE, stem="space-to-depth"),
    "space-to-depth stem, widths x2": replace(_wider(2), stem="space-to-depth"),
    "gated head": replace(BASE, head="gated"),
    "paper's block": replace(BASE, block="paper"),
    "MobileNetV2's block": replace(BASE, block="mobilenet"),
    "MobileNetV2's block, expansion 2": replace(_all_stages(expansion=2.0), block="mobilenet"),
    "ReLU": replace(BASE, activation="relu"),
    "attention: channel": _all_stages(attention="channel"),
    "attention: spatial": _all_stages(attention="spatial"),
    "attention: both": _all_stages(attention="both"),
    "depth 2": _all_stages(depth=2),
    "expansion 2": _all_stages(expansion=2.0),
    "widths x0.5": _wider(0.5),
    "widths x1.5": _wider(1.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    settings = TaskSettings(options.data)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))
    print(f"{task.photos.source}\n{options.steps} steps; the input has SSIM {task.input.ssim:.4f}")
    result = {}
    with make_workers(task, options.workers) as workers:
        running = {
            (name, seed): workers.submit(
                score_by_training,
                Blueprint.from_genotype(genotype),
                Recipe(options.steps),
                derive_seed(seed, 0, name),
                options.out / name.replace(" ", "-").replace("/", "_").replace(":", "") / f"{options.steps}-{seed}",
            )
            for name, genotype in ROWS.items()
            for seed in range(options.seeds)
        }
        for name, genotype in ROWS.items():
            cost, found = cost_of(Blueprint.from_genotype(genotype)), []
            for seed in range(options.seeds):
                try:
                    found.append(running[name, seed].result())
                except Diverged as error:
                    print(f"{name}, seed {seed}: {error}")
            if not found:
                continue
            ssims = [quality.ssim for quality in found]
            spread = f" +- {stdev(ssims):.4f}" if len(ssims) > 1 else ""
            psnr = fmean(quality.psnr for quality in found)
            print(f"SSIM {fmean(ssims):.4f}{spread}, {psnr:.2f} dB, {cost.macs / 1e6:6.1f} MMACs  {name}", flush=True)
            result[name] = {"ssim": ssims, "psnr": psnr, "macs": cost.macs, "parameters": cost.parameters}
    write_json(options.out / f"ablation-{options.steps}.json", result)


if __name__ == "__main__":
    main()
