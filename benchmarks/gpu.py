"""GPU: training steps a second on a GPU: one kernel after the other, and as a graph; one training and several at once.

    python benchmarks/gpu.py --data ~/photographs [--at-once 1 4 8 16] [--publish results/published/gpu/gpu.json]

The same networks, patches (8 of 64x64, cut and degraded as `denoise` does) and recipe in every way. Several trainings
are threads of one process (benchmarks/at_once.py). The loss of step 40 says whether a way computes the same.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from curves import first_weights, one_thread, task_of
from nas.task import training as loop
from nas.task.degrade import make_noise
from nas.task.device import identity_of
from nas.task.task import Task, TaskSettings
from nas.task.training import Course, Recipe, train
from results.files import write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.space import ADDITIVE, REFERENCE

NETWORKS = {"additive": ADDITIVE, "reference": REFERENCE}
_WARM = 60  # steps before the clock begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4, 8, 16], metavar="N")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--publish", type=Path, metavar="FILE")
    options = parser.parse_args()
    one_thread()
    if not torch.cuda.is_available():
        raise SystemExit("no card: torch sees none")
    task = task_of(TaskSettings(options.data, noise=make_noise("blend")))
    brief = replace(task, device=replace(task.device, bfloat16=True))
    rows: list[dict[str, Any]] = []
    for name in options.networks:
        blueprint = Blueprint.from_genotype(NETWORKS[name])
        ways: list[tuple[str, Task, int]] = [("kernels", task, 1)]
        ways += [(way, one, count) for count in options.at_once for way, one in (("graphs", task), ("bfloat16", brief))]
        for way, one, count in ways:
            with patch.object(loop, "_in_graphs", lambda *_: False) if way == "kernels" else _nothing():
                rate, losses = _rate(one, blueprint, options.steps, count)
            rows.append({"network": name, "macs": macs_of(blueprint, DEFAULT_SIZE), "way": way, "at_once": count})
            rows[-1] |= {"steps_per_second": rate, "losses": losses[:40], "memory": torch.cuda.max_memory_reserved()}
            print(f"{name} {way} {count} at once: {rate:.0f} steps/s, loss {losses[39]:.4f}", flush=True)
    if options.publish is not None:
        write_json(options.publish, {"card": identity_of("cuda"), "torch": torch.__version__, "rows": rows})


def _nothing() -> Any:
    return patch.object(loop, "_in_graphs", loop._in_graphs)


def _rate(task: Task, blueprint: Blueprint, steps: int, count: int) -> tuple[float, list[float]]:
    """Steps a second of `count` trainings together, once all are under way; the losses of the first."""
    found = [_Run() for _ in range(count)]

    def one(seed: int) -> None:
        network = first_weights(blueprint, seed).train()
        train(network, task.batches(seed), task.loss, Course(Recipe(steps), task.device, on_step=found[seed]))

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))
    begin, end = max(run.warm for run in found), min(run.end for run in found)
    taken = sum(run.taken_between(begin, end) for run in found)
    return taken / max(end - begin, 1e-9), found[0].losses


class _Run:
    """What a training says of its steps, and when."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.at: list[float] = []

    def __call__(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        self.at.append(time.perf_counter())

    @property
    def warm(self) -> float:
        return self.at[_WARM]

    @property
    def end(self) -> float:
        return self.at[-1]

    def taken_between(self, begin: float, end: float) -> int:
        return sum(begin <= at <= end for at in self.at)


if __name__ == "__main__":
    main()
