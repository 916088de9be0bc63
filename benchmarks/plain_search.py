"""A plain Optuna script for the same job, as its documentation suggests it: the opponent of benchmarks/search.py.

    python benchmarks/plain_search.py --photos DIR --cpu-seconds 600 --out plain.json

TPE with default settings; every candidate is trained briefly from scratch, in contiguous float32, on patches that a
DataLoader cuts from picture files; it is scored by SSIM on the validation photographs and by multiply-adds. What it
shares with lpienas is only what the comparison needs to be fair: the space, the networks, the noise, the validation.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytorch_msssim
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nas.suggest import suggest
from nas.task.degrade import make_noise
from nas.task.device import Device
from nas.task.evaluation import evaluate
from nas.task.task import TaskSettings, make_task, read_photos
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.lpienet import LPIENet
from search_spaces.own import require_lpienet
from search_spaces.space import default_space


class Patches(Dataset[Tensor]):
    """Random patches of picture files, decoded when they are asked for."""

    def __init__(self, files: list[Path], patch: int, length: int) -> None:
        self.files, self.patch, self.length = files, patch, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Tensor:
        random = np.random.default_rng((index, torch.initial_seed() % 2**32))
        with Image.open(self.files[random.integers(len(self.files))]) as file:
            image = np.asarray(file.convert("RGB"))
        top, left = (random.integers(side - self.patch + 1) for side in image.shape[:2])
        crop = image[top : top + self.patch, left : left + self.patch]
        crop = np.rot90(crop, int(random.integers(4)))
        return torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="training photographs as files")
    parser.add_argument("--data", help="lpienas's data folder, for validation (default: sample photographs)")
    parser.add_argument("--cpu-seconds", type=float, required=True)
    parser.add_argument("--steps", type=int, default=200, help="of each candidate")
    parser.add_argument("--budget", type=int, help="MACs; dearer candidates are pruned")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    settings = TaskSettings(options.data, noise=make_noise("blend"))
    generator = torch.Generator().manual_seed(options.seed)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "plain"))
    files = sorted(options.photos.iterdir())
    space, found = default_space(), []
    begun = time.process_time()

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        genotype = suggest(trial, space)
        blueprint = Blueprint.from_genotype(require_lpienet(genotype))
        macs = cost_of(blueprint).macs
        if options.budget:
            trial.set_constraint("budget", macs / options.budget - 1)
            if macs > options.budget:
                raise optuna.TrialPruned
        network = LPIENet(blueprint)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        data = Patches(files, settings.patch, options.steps * settings.batch)
        for clean in DataLoader(data, settings.batch, num_workers=0):
            degraded = settings.noise.degrade(clean, generator)
            output = network(degraded)
            similarity = pytorch_msssim.ssim(output, clean, data_range=1.0)
            loss = torch.nn.functional.l1_loss(output, clean) + 0.1 * (1 - similarity)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        quality = evaluate(network.eval(), task.validation, torch.device("cpu"))
        row: dict[str, Any] = {"genotype": genotype.to_json(), "ssim": quality.ssim, "macs": macs}
        found.append(row | {"cpu_seconds": time.process_time() - begun})
        print(f"{len(found)}: SSIM {quality.ssim:.4f}, {macs / 1e6:.0f} MMACs", flush=True)
        return quality.ssim, macs

    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=options.seed)
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    while time.process_time() - begun < options.cpu_seconds:
        study.optimize(objective, n_trials=1)
    options.out.write_text(json.dumps({"candidates": found, "cpu_seconds": time.process_time() - begun}, indent=2))


if __name__ == "__main__":
    main()
