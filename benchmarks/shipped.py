"""Shipped: the network that comes with the package, trained for long on photographs of free licences alone.

    python benchmarks/free_photographs.py --out ~/free
    python benchmarks/shipped.py --data ~/free --out runs/shipped

Trains the hand-made network that adds its skips (search_spaces.space.ADDITIVE) for --steps on the training folder of
--data (free_photographs.py) with the degradation of --task, and prints its key in OUT/made, its scores on the test
folder and where its time went. Resumable: the same command goes on. What it is worth on photographs that it never saw,
benchmarks/judge.py says.
"""

import argparse
from pathlib import Path

from nas.prepare import prepare
from nas.scoring.full import train_fully
from nas.scoring.training import NETWORK, Training
from nas.task.degrade import TASKS, make_noise
from nas.task.task import TaskSettings
from nas.task.training import Recipe
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.space import ADDITIVE

STEPS = 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--task", choices=TASKS, default="denoise")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folders = {name: str((options.data / name).absolute()) for name in ("training", "validation", "test")}
    settings = TaskSettings(
        folders["training"],
        options.seed,
        validation=folders["validation"],
        test=folders["test"],
        task=options.task,
        noise=make_noise("blend" if options.task == "denoise" else "camera"),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    task = prepare(settings, options.out / "device.json", 1)
    training = Training.on(task, Blueprint.from_genotype(ADDITIVE), Recipe(options.steps), options.seed)
    store = Store(options.out / "made")
    quality, test = train_fully(task, _say, training, store)
    print(f"{store.at(training.key) / NETWORK}: SSIM {quality.ssim:.4f} on the validation photographs")
    for score in test:
        print(f"{score.name}: SSIM {score.ssim:.4f}, PSNR {score.psnr:.2f} dB")


def _say(step: int, loss: float) -> None:
    if (step + 1) % 1000 == 0:
        print(f"step {step + 1}: loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
