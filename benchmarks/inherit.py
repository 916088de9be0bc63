"""Inherit: what a candidate gains by starting from its slice of the supernet instead of from scratch.

    python benchmarks/inherit.py runs/night --top 4 --steps 200 600 [--out runs/inherit]

Takes candidates of all costs of a search that was scored by a supernet, trains each both ways for the same steps with
the same patches, and prints the SSIM of both. The supernet's own training is not counted: a search pays it once for all
of its candidates. Resumable.
"""

import argparse
import os
from pathlib import Path
from statistics import fmean

from curves import task_of
from nas.scoring.short import score_by_training
from nas.scoring.training import Training, begin
from nas.searching import slices_of
from nas.suggest import derive_seed
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from nas.where.choice import make_workers
from results.files import write_json
from results.front import along_cost
from results.run import Run
from results.store import Store
from results.study import REFERENCE_NUMBER, candidates, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.own import require_lpienet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/inherit"))
    parser.add_argument("--top", type=int, default=4)
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 600])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    run = Run(options.run)
    settings = TaskSettings.of_run(run.settings())
    task = task_of(settings)
    inherited = slices_of(run, task)
    if inherited is None:
        raise SystemExit(f"{run.folder} has no supernet: nothing to inherit from")
    found = candidates(open_study(run.study).get_trials(deepcopy=False))
    chosen = along_cost([c for c in found if c.number != REFERENCE_NUMBER], options.top)
    rows, store = [], Store(options.out / "made")
    with make_workers(task, options.workers) as workers:
        running = {}
        for candidate in chosen:
            genotype = require_lpienet(candidate.genotype)
            blueprint = Blueprint.from_genotype(genotype)
            for steps in options.steps:
                for name, first in (("scratch", None), ("inherited", inherited(genotype))):
                    seed = derive_seed(0, candidate.number, "inherit")
                    training = Training.on(task, blueprint, Recipe(steps), seed, first)
                    begin(store, training.scoring, first)
                    running[candidate.number, steps, name] = workers.submit(score_by_training, [training], store)
        for candidate in chosen:
            for steps in options.steps:
                pair = {name: running[candidate.number, steps, name].result() for name in ("scratch", "inherited")}
                rows.append({"number": candidate.number, "macs": candidate.scores.macs, "steps": steps})
                rows[-1] |= {name: quality.ssim for name, quality in pair.items()}
                print(
                    f"candidate {candidate.number} ({candidate.scores.macs / 1e6:.0f} MMACs), {steps} steps: SSIM "
                    f"{pair['scratch'].ssim:.4f} from scratch, {pair['inherited'].ssim:.4f} from inherited weights "
                    f"({candidate.scores.ssim:.4f} before, on the search's crops)",
                    flush=True,
                )
    for steps in options.steps:
        gains = [row["inherited"] - row["scratch"] for row in rows if row["steps"] == steps]
        print(f"{steps} steps: inherited weights gain {fmean(gains):+.4f} SSIM (mean of {len(gains)} networks)")
    write_json(options.out / "result.json", {"rows": rows})


if __name__ == "__main__":
    main()
