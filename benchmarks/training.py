"""Training speed: megapixels per second of lpienas and of the loop that a user would write first.

    python benchmarks/training.py [--data DIR] [--format png|jpeg] [--seconds 5] [--rounds 5] [--equal] [--json]

Everything runs in turns, each in processes of its own, on the same clean photographs:

- naive: a Dataset that opens and decodes a file for every patch, crops, flips and adds the same noise in numpy; a
  DataLoader with two workers; contiguous float32; L1 and the SSIM of pytorch_msssim; torch.optim.Adam as it comes;
  torch's own number of threads. No clipping and no schedule.
- naive_one_thread: the same with one thread for torch. On a busy machine torch's threads wait for one another at every
  operator, which makes `naive` slow beyond what an idle machine shows; this is the fairer rival there.
- side_by_side: lpienas in two worker processes of one thread each, as a search trains its candidates (nas.where).
- side_by_side_bfloat16: the same in bfloat16 autocast, which lpienas takes on a processor that multiplies bfloat16 in
  hardware, where it trains as well; not measured on others, on which it would be several times slower.
- one_process: lpienas in one that chooses its number of threads, as the training of one final network does.

CPU seconds per Mpx are those of all processes of a way, loader included: the work itself, whatever else the machine
does. Where `naive_one_thread` takes n times those of `side_by_side`, an idle machine of two processors cannot make
the naive loop catch up to less than n times slower.
A step is a full one: data, forward, loss, backward, clipping, optimizer. FLOPs: 1 multiply-add (MAC) = 2 FLOPs; a
step counts three forward passes of the convolutions alone. The peak is that of a 3x3 convolution from 64 to 64
channels, forward and backward, channels last, in two processes of one thread.

Kept, each measured in turns at one thread (a step before / after both: small network 1.16 to 1.18, half 1.11 to 1.24,
reference 1.06 to 1.10): SSIM by matrices (nas.task.metrics), 2.7 times as fast as pytorch_msssim for eight patches
of 64x64; 1x1 convolutions as matrix products and the attention's join without a copy (blocks.Pointwise).

Tried and dropped, for less than 3 % of a step: a hand-written backward of the inverted residual pair (nothing over the
matrix products alone); the upsampling's backward as a strided depthwise convolution (25 % of that operator, 0.7 % of
a step); activations in place (2 %); contiguous layout (0 %, and 3 % slower for the reference); 1x1 convolutions forced
into oneDNN by a dilation of 2 (0 %, 5 % slower); mallopt and huge pages (0 to 2 %); torch.compile (a step of the small
network 33 % slower, after 56 s of compiling).

--equal trains the small network each way with the same schedule, clipping and number of patches, and prints the SSIM
on the validation photographs: the gain in speed is one at equal quality where the two spreads overlap.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_msssim
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nas.logs import OnStep
from nas.task.data.photos import Photos
from nas.task.degrade import SensorNoise
from nas.task.device import Device, has_bfloat16, thread_choices
from nas.task.evaluation import evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Course, Recipe, train
from nas.where.processes import Processes
from pace import BATCH, PATCH, Clock, Moment, Speed, TurnOver, speed
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import REFERENCE

NETWORKS = {
    "reference": REFERENCE,
    "half": replace(REFERENCE, stages=tuple(replace(stage, width=stage.width // 2) for stage in REFERENCE.stages)),
    "small": Genotype(
        tuple(Stage(depth=1, width=width, attention="none") for width in (8, 16, 32, 16, 8)), head="conv3x3"
    ),
}

BFLOAT16 = "side_by_side_bfloat16"
WAYS = ("naive", "naive_one_thread", "side_by_side", *([BFLOAT16] if has_bfloat16("cpu") else []), "one_process")


# ---- the loop that a user would write first


class PhotoPatches(Dataset[tuple[Tensor, Tensor]]):
    """A random patch, noisy and clean, of a photograph that is opened for it."""

    def __init__(self, files: list[Path], noise: SensorNoise) -> None:
        self.files, self.noise = files, noise

    def __len__(self) -> int:
        return 100_000

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng(torch.initial_seed() + index)
        with Image.open(self.files[index % len(self.files)]) as file:
            image = np.asarray(file.convert("RGB"), dtype=np.float32) / 255
        top = random.integers(image.shape[0] - PATCH + 1)
        left = random.integers(image.shape[1] - PATCH + 1)
        clean = np.rot90(image[top : top + PATCH, left : left + PATCH], int(random.integers(4)))
        if random.random() < 0.5:
            clean = clean[::-1]
        shot, read = self.noise.at(random.random())
        noisy = clean + random.standard_normal(clean.shape) * np.sqrt(shot * clean + read**2)
        sides = (noisy.clip(0, 1), clean)
        noisy_tensor, clean_tensor = (
            torch.from_numpy(np.ascontiguousarray(side.transpose(2, 0, 1), dtype=np.float32)) for side in sides
        )
        return noisy_tensor, clean_tensor


def naive_loop(network: nn.Module, batches: Iterator[list[Tensor]], on_step: OnStep, recipe: Recipe | None) -> None:
    """Train until `on_step` ends it, or for the steps of `recipe` with its schedule and clipping."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step, (noisy, clean) in enumerate(batches):
        if recipe is not None:
            if step == recipe.steps:
                return
            optimizer.param_groups[0]["lr"] = recipe.rate(step)
        optimizer.zero_grad()
        output = network(noisy)
        loss = F.l1_loss(output, clean) + 0.1 * (1 - pytorch_msssim.ssim(output, clean, data_range=1.0))
        loss.backward()
        if recipe is not None:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        on_step(step, 0.0)


_naive_batches: Iterator[list[Tensor]]  # of the naive process, kept from turn to turn


def _begin_naive(files: list[Path], noise: SensorNoise) -> None:
    global _naive_batches
    loader = DataLoader(PhotoPatches(files, noise), batch_size=BATCH, shuffle=True, num_workers=2)
    _naive_batches = iter(loader)


def _naive_turn(blueprint: Blueprint, seconds: float, threads: int) -> list[Moment]:
    clock = Clock(seconds)
    torch.set_num_threads(threads)
    with contextlib.suppress(TurnOver):
        naive_loop(build(blueprint, seed=0), _naive_batches, clock, None)
    return clock.steps


def _naive_training(task: Task, blueprint: Blueprint, recipe: Recipe, seed: int) -> float:
    torch.set_num_threads(1)  # which changes the speed, but not the quality
    network = build(blueprint, seed)
    naive_loop(network, _naive_batches, lambda step, loss: None, recipe)
    return evaluate(network.eval(), task.validation, torch.device("cpu")).ssim


# ---- lpienas


def _turn(task: Task, on_step: OnStep, blueprint: Blueprint, seconds: float, seed: int) -> list[Moment]:
    clock = Clock(seconds)
    with contextlib.suppress(TurnOver):
        train(
            build(blueprint, seed),
            task.batches(seed),
            task.loss,
            Course(Recipe(steps=10**6), task.device, on_step=clock),
        )
    return clock.steps


def _training(task: Task, on_step: OnStep, blueprint: Blueprint, recipe: Recipe, seed: int) -> float:
    network = build(blueprint, seed)
    train(network, task.batches(seed), task.loss, Course(recipe, task.device))
    return evaluate(network.eval(), task.validation, task.device.torch).ssim


def _greet(task: Task, on_step: OnStep) -> int:
    time.sleep(0.5)
    return os.getpid()


def _peak(task: Task, on_step: OnStep, seconds: float) -> float:
    """GFLOP/s of a 3x3 convolution, forward and backward, of this process."""
    convolution = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(BATCH, 64, PATCH, PATCH).to(memory_format=torch.channels_last).requires_grad_()
    flops = 3 * 2 * BATCH * PATCH**2 * 64 * 64 * 9
    rates, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        convolution(image).sum().backward()
        rates.append(flops / (time.monotonic() - begin) / 1e9)
    return statistics.median(rates)


# ---- turns

OURS = tuple(f"__main__:{work.__name__}" for work in (_turn, _training, _greet, _peak))  # run in worker processes


class Contest:
    """The ways to train, ready in their processes; a context manager."""

    def __init__(self, task: Task, files: list[Path]) -> None:
        def processes(count: int, threads: tuple[int, ...], bfloat16: bool = False) -> Processes:
            device = replace(task.device, threads=threads, bfloat16=bfloat16)
            return Processes(replace(task, device=device), count, also=OURS)

        self.task = task
        self.pair, self.brief = processes(2, (1,)), processes(2, (1,), bfloat16=True)
        self.single = processes(1, thread_choices(None))
        assert isinstance(task.settings.noise, SensorNoise)  # the plain loop adds no other
        arguments = (files, task.settings.noise)
        self.naive = ProcessPoolExecutor(1, get_context("spawn"), _begin_naive, arguments)

    def __enter__(self) -> "Contest":
        for pool in (self.pair, self.brief, self.single, self.naive):
            pool.__enter__()
        for pair in (self.pair, self.brief):
            seen: set[int] = set()
            while len(seen) < pair.count:  # a process that is still starting would leave both jobs to the other
                seen |= {future.result() for future in [pair.submit(_greet) for _ in range(pair.count)]}
        return self

    def __exit__(self, *error: Any) -> None:
        for pool in (self.pair, self.brief, self.single, self.naive):
            pool.__exit__(*error)

    def turn(self, way: str, blueprint: Blueprint, seconds: float) -> Speed:
        """Speed of one way, one of WAYS, with the machine to itself."""
        if way in ("naive", "naive_one_thread"):
            threads = 1 if way == "naive_one_thread" else os.cpu_count() or 1  # torch's default
            return speed(self.naive.submit(_naive_turn, blueprint, seconds, threads).result())
        pool, count = {"side_by_side": (self.pair, 2), BFLOAT16: (self.brief, 2), "one_process": (self.single, 1)}[way]
        futures = [pool.submit(_turn, blueprint, seconds, seed) for seed in range(count)]
        return speed(*(future.result() for future in futures))

    def peak(self, seconds: float) -> float:
        """GFLOP/s of both processors."""
        return sum(future.result() for future in [self.pair.submit(_peak, seconds) for _ in range(2)])

    def equal(self, steps: int, seeds: int) -> dict[str, Any]:
        """SSIM of the small network trained each way, and the seconds of all trainings of a way."""
        blueprint, recipe = Blueprint.from_genotype(NETWORKS["small"]), Recipe(steps)
        begin = time.monotonic()
        naive = [
            self.naive.submit(_naive_training, self.task, blueprint, recipe, seed).result() for seed in range(seeds)
        ]
        found = {
            "steps": steps,
            "input_ssim": self.task.input.ssim,
            "naive": {"ssim": naive, "seconds": time.monotonic() - begin},
        }
        for way, pair in (("side_by_side", self.pair), (BFLOAT16, self.brief)):
            if way in WAYS:
                begin = time.monotonic()
                futures = [pair.submit(_training, blueprint, recipe, seed) for seed in range(seeds)]
                ours = [future.result() for future in futures]
                found[way] = {"ssim": ours, "seconds": time.monotonic() - begin}
        return found


def write_files(photos: Photos, folder: Path, ending: str) -> list[Path]:
    """The training photographs as files."""
    files = []
    for photo in photos.training:
        files.append(folder / f"{Path(photo.name).stem}.{ending}")
        Image.fromarray(photo.clean.permute(1, 2, 0).numpy()).save(files[-1], quality=95)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="folder of photographs without a degraded side; default: the samples")
    parser.add_argument("--format", choices=("png", "jpeg"), default="png", help="of the files of the naive loop")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="some of these names")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of these names, a naive one first")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--equal", action="store_true", help="train to the end instead, and compare SSIM")
    parser.add_argument("--steps", type=int, default=400, help="of --equal")
    parser.add_argument("--seeds", type=int, default=4, help="of --equal")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()

    settings = TaskSettings(data=chosen.data, patch=PATCH, batch=BATCH)
    photos = read_photos(settings)
    task = make_task(settings, photos, Device("cpu", False, "the precision of the naive loop"))
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(photos, Path(folder), chosen.format)
        with Contest(task, files) as contest:
            if chosen.equal:
                found = contest.equal(chosen.steps, chosen.seeds)
            else:
                found = measure(
                    contest, chosen.networks.split(","), chosen.ways.split(","), chosen.rounds, chosen.seconds
                )
    if chosen.json:
        print(json.dumps(found))
    elif chosen.equal:
        print_equal(found)
    else:
        print_speed(found, chosen.format)


def measure(contest: Contest, names: list[str], ways: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """Speeds of every network and way, one list entry a round."""
    blueprints = {name: Blueprint.from_genotype(NETWORKS[name]) for name in names}
    turns: dict[str, dict[str, list[Speed]]] = {name: {way: [] for way in ways} for name in names}
    peaks = []
    for _ in range(rounds):
        peaks.append(contest.peak(min(seconds, 2.0)))
        for name, blueprint in blueprints.items():
            for way in ways:
                turns[name][way].append(contest.turn(way, blueprint, seconds))
    macs = {name: cost_of(blueprint, (PATCH, PATCH)).macs / PATCH**2 for name, blueprint in blueprints.items()}
    return {"load": os.getloadavg()[0], "peak_gflops": peaks, "macs_per_pixel": macs, "turns": turns}


def print_speed(found: dict[str, Any], ending: str) -> None:
    """A table, one line for each network and way: medians, and the range of the ratios over the rounds."""
    peak = statistics.median(found["peak_gflops"])
    print(f"{os.cpu_count()} processors, load {found['load']:.1f}; batch {BATCH}, patches {PATCH}x{PATCH}")
    print(f"naive loop: {ending} files; peak of a 3x3 convolution: {peak:.0f} GFLOP/s")
    print(f"{'network':9} {'way':21} Mpx/s  {'times the first':21} CPU s/Mpx  GFLOP/s, share of the peak")
    for name, ways in found["turns"].items():
        first = [turn["mpx_s"] for turn in next(iter(ways.values()))]
        for way, turns in ways.items():
            rates = [turn["mpx_s"] for turn in turns]
            rate, ratios = statistics.median(rates), [ours / naive for ours, naive in zip(rates, first, strict=True)]
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            work = statistics.median(turn["cpu_s_per_mpx"] for turn in turns)
            flops = rate * 1e6 * found["macs_per_pixel"][name] * 2 * 3 / 1e9
            print(f"{name:9} {way:21} {rate:5.3f}  {ratio:21} {work:10.2f}  {flops:7.1f} {flops / peak:6.1%}")


def print_equal(found: dict[str, Any]) -> None:
    noisy = f"SSIM of the noisy input {found['input_ssim']:.4f}"
    print(f"small network, {found['steps']} steps of {BATCH} patches; {noisy}")
    for way in (name for name in WAYS if name in found):
        scores, seconds = found[way]["ssim"], found[way]["seconds"]
        ssim = f"SSIM {statistics.mean(scores):.4f} ({min(scores):.4f} to {max(scores):.4f})"
        print(f"{way:21} {ssim} over {len(scores)} seeds, {seconds:.0f} s for all")


if __name__ == "__main__":
    main()
