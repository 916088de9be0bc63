"""Reference: what the hand-made LPIENet reaches with each of its two heads, trained like a search's best networks.

    python benchmarks/reference.py --out runs/reference --steps 4000 --seeds 3 [--data DIR] [--against runs/night]

The gated head starts open (search_spaces/initialise.py), which is its best chance. With --against, says with how many
of the MACs a network of that run's front reaches the better of the two. Resumable.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from curves import task_of
from nas.scoring.short import score_by_training
from nas.scoring.training import Training
from nas.suggest import derive_seed
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from nas.where.choice import make_workers
from results.files import write_json
from results.report import report_front
from results.run import Run
from results.store import Store
from results.study import open_study
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.space import REFERENCE

HEADS = {"gated head (as released)": REFERENCE, "conv 3x3 head (as in the paper)": replace(REFERENCE, head="conv3x3")}
SIZE = (256, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--against", type=Path, metavar="RUN", help="a search whose best were trained as long")
    parser.add_argument("--heads", nargs="+", choices=("gated", "conv3x3"), default=("gated", "conv3x3"))
    options = parser.parse_args()
    heads = {name: genotype for name, genotype in HEADS.items() if genotype.head in options.heads}
    settings = TaskSettings(options.data)
    task = task_of(settings)
    print(f"{task.photos.source}\n{options.steps} steps; the input has SSIM {task.input.ssim:.4f}")
    result = {}
    seeds = [derive_seed(seed, 0, "reference") for seed in range(options.seeds)]
    with make_workers(task, options.workers) as workers:
        running = {
            (name, seed): workers.submit(
                score_by_training,
                [Training.on(task, Blueprint.from_genotype(genotype), Recipe(options.steps), drawn)],
                Store(options.out / "made"),
            )
            for seed, drawn in enumerate(seeds)
            for name, genotype in heads.items()
        }
        for name, genotype in heads.items():
            ssims = [running[name, seed].result().ssim for seed in range(options.seeds)]
            macs = macs_of(Blueprint.from_genotype(genotype), SIZE)
            spread = f" +- {stdev(ssims):.4f}" if len(ssims) > 1 else ""
            print(
                f"{name}: SSIM {fmean(ssims):.4f}{spread} over {len(ssims)} seeds, {macs / 1e6:.0f} MMACs", flush=True
            )
            result[name] = {"ssim": ssims, "macs": macs}
    write_json(options.out / f"reference-{options.steps}.json", result)
    if options.against is not None:
        _compare(options.against, result)


def _compare(folder: Path, result: dict[str, dict[str, object]]) -> None:
    report = report_front(open_study(Run(folder).study))
    print(f"front of {folder}, by {report.basis}:")
    for name, figures in result.items():
        ssims, macs = figures["ssim"], figures["macs"]
        assert isinstance(ssims, list)
        assert isinstance(macs, int)
        as_good = [candidate for candidate in report.front if candidate.scores.ssim >= fmean(ssims)]
        if as_good:
            share = as_good[0].scores.macs / macs
            print(f"  candidate {as_good[0].number} reaches the reference with {name} at {share:.1%} of its MACs")
        else:
            print(f"  none reaches the reference with {name}")


if __name__ == "__main__":
    main()
