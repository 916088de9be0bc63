"""GPU: training steps a second: kernel by kernel and as a graph, in float32 and bfloat16, one training and several.

    python benchmarks/gpu.py --data ~/photographs [--at-once 1 15] [--publish results/published/gpu/gpu.json]

The same networks, patches (8 of 64x64, cut and degraded as `denoise` does) and recipe in every way, each training in a
process of its own. Steps are counted over --seconds in which all of them train. Several processes take turns on a
card, unless NVIDIA's MPS runs (`nvidia-cuda-mps-control -d`), which lets them compute at the same time; what MPS has to
do with processes that are killed, docs/cluster.md says. Without a card the processor is measured, kernel by kernel.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from curves import first_weights, one_thread, task_of
from nas.task import training as loop
from nas.task.degrade import make_noise
from nas.task.device import fastest, identity_of
from nas.task.task import TaskSettings
from nas.task.training import Course, Recipe, train
from results.files import write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.space import ADDITIVE, REFERENCE

NETWORKS = {"additive": ADDITIVE, "reference": REFERENCE}
KERNELS, GRAPHS, BRIEF = "kernels", "graphs", "graphs, bfloat16"
_FIRST = 40  # steps whose losses are kept: whether a way computes the same
_STEPS = 10**6


class _Over(Exception):
    """The time is."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--at-once", type=int, nargs="+", default=[1], metavar="N")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--start", type=float, default=30.0, help="seconds until all have begun (30)")
    parser.add_argument("--publish", type=Path, metavar="FILE")
    parser.add_argument("--worker", nargs=4, metavar=("NETWORK", "WAY", "SEED", "BEGIN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        _worker(options)
        return
    device = fastest()
    rows: list[dict[str, Any]] = []
    for name in options.networks:
        for way in (KERNELS, GRAPHS, BRIEF) if device == "cuda" else (KERNELS,):
            for count in options.at_once if way != KERNELS else [1]:
                told = _at_once(options, name, way, count)
                rows.append({"network": name, "macs": macs_of(_blueprint(name), DEFAULT_SIZE), "way": way})
                rows[-1] |= {"at_once": count, "steps_per_second": sum(one["rate"] for one in told)}
                rows[-1] |= {"late": sum(one["late"] for one in told), "losses": told[0]["losses"]}
                late = f", {rows[-1]['late']} of them began late: ask for more --start" if rows[-1]["late"] else ""
                print(f"{name}, {way}, {count} at once: {rows[-1]['steps_per_second']:.0f} steps/s{late}", flush=True)
    if options.publish is not None:
        write_json(options.publish, {"device": identity_of(device), "torch": torch.__version__, "rows": rows})


def _blueprint(name: str) -> Blueprint:
    return Blueprint.from_genotype(NETWORKS[name])


def _at_once(options: argparse.Namespace, name: str, way: str, count: int) -> list[dict[str, Any]]:
    begin = time.time() + options.start
    command = [sys.executable, __file__, "--seconds", str(options.seconds)]
    command += ["--data", options.data] if options.data else []
    asked = [[*command, "--worker", name, way, str(seed), str(begin)] for seed in range(count)]
    running = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in asked]
    told = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        raise SystemExit(f"{name}, {way}, {count} at once: a training failed")
    return [json.loads(one.splitlines()[-1]) for one in told]


def _worker(options: argparse.Namespace) -> None:
    """One training until the time is over; prints a line of JSON."""
    name, way, seed, begin = options.worker[0], options.worker[1], int(options.worker[2]), float(options.worker[3])
    one_thread()
    task = task_of(TaskSettings(options.data, noise=make_noise("blend")))
    task = replace(task, device=replace(task.device, bfloat16=way == BRIEF))
    losses: list[float] = []
    at: list[float] = []

    def on_step(step: int, loss: float) -> None:
        at.append(time.time())
        losses.append(loss)
        if at[-1] > begin + options.seconds:
            raise _Over

    in_graphs = loop._in_graphs
    with patch.object(loop, "_in_graphs", lambda *of: way != KERNELS and in_graphs(*of)):
        try:
            network = first_weights(_blueprint(name), seed).train()
            train(network, task.batches(seed), task.loss, Course(Recipe(_STEPS), task.device, on_step=on_step))
        except _Over:
            pass
    rate = sum(begin < one <= begin + options.seconds for one in at) / options.seconds
    print(json.dumps({"rate": rate, "late": at[0] > begin, "losses": losses[:_FIRST]}))


if __name__ == "__main__":
    main()
