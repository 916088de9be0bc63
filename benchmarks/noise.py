"""Noise: what a network trained on clean photographs reaches on real pairs, by the noise that it was trained with.

    python benchmarks/noise.py --data DIR --pairs PAIRS --steps 6000 --out runs/noise
    python benchmarks/noise.py --pairs PAIRS --out runs/noise --statistics

Trains one network from scratch with white noise, with a camera's, and with a blend of both, from the same seeds, and
judges each on pairs of real photographs, by groups (the part of a name before the first `_`), and on white noise at
three levels, on photographs that were not trained on. The degraded photographs themselves stand beside. With
--statistics nothing is trained: the noise of the real pairs is compared with that of the synthetic degradations of
their clean sides. Nothing is chosen by the pairs. Resumable; prints a table and one JSON object, also in --out.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Generator

from nas.prepare import prepare
from nas.scoring.short import score_by_training
from nas.scoring.training import NETWORK, Training
from nas.suggest import derive_seed
from nas.task.data.pairs import validation_pairs
from nas.task.data.photo import Photo, Picture
from nas.task.data.photos import read_folder
from nas.task.degrade import Noise, SensorNoise, make_noise
from nas.task.degrade.noise import KINDS, WHITE_SHARE
from nas.task.degrade.profile import DEFAULT_PROFILE, find_profile
from nas.task.evaluation import Pair, evaluate, in_batches, input_quality
from nas.task.noise_of_pairs import PhotoNoise, noise_of
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from results.files import load_network, write_json
from results.store import Store
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of

LEVELS = (0.0, 0.5, 1.0)  # of white noise
_SHOWN = ("psnr", "luma_correlation", "chroma_correlation", "chroma")
_QUANTILES = (0.05, 0.5, 0.95)
_GREY = 0.2  # linear light at which variances are compared
_CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of clean photographs (default: sample photographs)")
    parser.add_argument("--pairs", type=Path, help="folder of pairs of real photographs")
    parser.add_argument(
        "--network",
        type=Path,
        default=Path(__file__).parents[1] / "results/published/denoise/networks/0001",
        help="NAME of NAME.json, whose blueprint is trained from scratch (the published 0001)",
    )
    parser.add_argument("--noise", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--noise-profile", default=DEFAULT_PROFILE, help=f"name or file ({DEFAULT_PROFILE})")
    parser.add_argument("--blend", type=float, default=WHITE_SHARE, help=f"share of white noise ({WHITE_SHARE})")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each (1)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--statistics", action="store_true", help="compare noise, train nothing")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.statistics and options.pairs is None:
        parser.error("--statistics compares with real pairs: give --pairs")
    noises = {kind: make_noise(kind, find_profile(options.noise_profile), options.blend) for kind in options.noise}
    photos = () if options.pairs is None else read_folder(options.pairs)
    if options.statistics:
        found, name = statistics(photos, noises), "statistics.json"
    else:
        found, name = trained(options, noises, photos), "noise.json"
        print("\n".join(_table(found)))
    print(json.dumps(found, indent=1))
    write_json(options.out / name, found)


def trained(options: argparse.Namespace, noises: dict[str, Noise], photos: Sequence[Picture]) -> dict[str, Any]:
    """Figures of every training, and of the degraded photographs, by set of photographs."""
    plain = TaskSettings(options.data)
    task = prepare(plain, options.out / "device.json", options.threads)
    print(task.photos.source, flush=True)
    sets = {f"{group} pairs": _pairs_of(photos, group) for group in _groups(photos)}
    sets |= {f"white noise, level {level:g}": _white(task.photos.validation, plain, level) for level in LEVELS}
    blueprint = load_network(options.network).blueprint
    figures: dict[str, Any] = {"input": [{name: input_quality(pairs).to_json() for name, pairs in sets.items()}]}
    store = Store(options.out / "made")
    for kind, noise in noises.items():
        settings = TaskSettings(options.data, noise=noise)
        task = prepare(settings, options.out / "device.json", options.threads)
        figures[kind] = []
        for seed in range(options.seeds):
            drawn = derive_seed(seed, 0, "noise benchmark")
            training = Training.on(task, blueprint, Recipe(options.steps), drawn)
            score_by_training(task, partial(_print_step, kind, seed), [training], store)
            network = load_network(store.at(training.scoring.key) / NETWORK).eval()
            judged = {name: evaluate(network, pairs, _CPU).to_json() for name, pairs in sets.items()}
            figures[kind].append(judged)
            print(f"{kind}, seed {seed}: {json.dumps(judged)}", flush=True)
    return {
        "network": options.network.name,
        "macs": macs_of(blueprint, DEFAULT_SIZE),
        "steps": options.steps,
        "noise_profile": options.noise_profile,
        "blend": options.blend,
        "photographs": {name: sum(len(clean) for *_, clean in pairs) for name, pairs in sets.items()},
        "figures": figures,
    }


def statistics(photos: Sequence[Picture], noises: dict[str, Noise]) -> dict[str, Any]:
    """Quantiles of the noise of real pairs, by group, and of synthetic degradations of the same clean sides."""
    found: dict[str, Any] = {}
    for group in _groups(photos):
        real = [photo for photo in photos if _group(photo) == group]
        rows = {"real": _noises(real)}
        for kind, noise in noises.items():
            rows[kind] = _noises([_degraded(photo, noise, number) for number, photo in enumerate(real)])
        found[group] = {name: _summary(row) for name, row in rows.items()}
        for name, summary in found[group].items():
            print(group, name, json.dumps(summary), flush=True)
    return {"quantiles": list(_QUANTILES), "groups": found}


def _group(photo: Picture) -> str:
    return photo.name.partition("_")[0]


def _groups(photos: Sequence[Picture]) -> list[str]:
    return sorted({_group(photo) for photo in photos})


def _pairs_of(photos: Sequence[Picture], group: str) -> Sequence[Pair]:
    return validation_pairs([photo for photo in photos if _group(photo) == group], SensorNoise(), 0, None)


def _white(photos: Sequence[Picture], settings: TaskSettings, level: float) -> list[Pair]:
    shot, read = SensorNoise().at(level)
    fixed = SensorNoise((shot, shot), (read, read))
    return in_batches(validation_pairs(photos, fixed, settings.seed, settings.validation_side))


def _degraded(photo: Picture, noise: Noise, number: int) -> Photo:
    generator = Generator().manual_seed(derive_seed(0, number, "noise statistics"))
    if isinstance(noise, SensorNoise):
        noisy = noise.degrade(photo.clean[None] / 255, generator)
    else:
        noisy = noise.in_turn(number).degrade(photo.clean[None] / 255, generator)
    return Photo(photo.name, photo.clean, (noisy[0] * 255).round().to(torch.uint8))


def _noises(photos: Sequence[Picture]) -> list[PhotoNoise]:
    return [found for photo in photos if (found := noise_of(photo)) is not None]


def _summary(found: Sequence[PhotoNoise]) -> dict[str, Any]:
    columns = {name: [getattr(one, name) for one in found] for name in _SHOWN}
    for channel, name in enumerate(("red", "green", "blue")):
        columns[f"variance_at_{_GREY}_{name}"] = [one.shot[channel] * _GREY + one.read[channel] ** 2 for one in found]
    quantiles = {name: [float(value) for value in np.quantile(v, _QUANTILES)] for name, v in columns.items()}
    return {"photographs": len(found)} | quantiles


def _print_step(kind: str, seed: int, step: int, loss: float) -> None:
    if (step + 1) % 500 == 0:
        print(f"{kind}, seed {seed}: step {step + 1}, loss {loss:.4f}", flush=True)


def _table(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['network']}, {found['macs'] / 1e6:.0f} MMACs, {found['steps']} steps; SSIM and PSNR, means"]
    for name, count in found["photographs"].items():
        lines.append(f"{name} ({count} photographs)")
        for kind, trainings in found["figures"].items():
            ssim, psnr = (fmean(one[name][metric] for one in trainings) for metric in ("ssim", "psnr"))
            lines.append(f"  {kind:8} {ssim:.4f}  {psnr:.2f} dB")
    return lines


if __name__ == "__main__":
    main()
