"""Shipped: the network that comes with the package, trained for long on photographs of free licences alone.

    python benchmarks/free_photographs.py --out ~/free
    python benchmarks/shipped.py --data ~/free --out runs/shipped
    python benchmarks/shipped.py --data ~/free --quantize lpienas/shipped/denoise/network

Trains the hand-made network that adds its skips (search_spaces.space.ADDITIVE; a wider one to deblur) for --steps on
the training folder of --data (free_photographs.py) with the degradation of --task, and prints its key in OUT/made, its
scores on the test folder and where its time went. Resumable: the same command goes on. What it is worth on photographs
that it never saw, benchmarks/judge.py says. With --quantize nothing is trained: files of that network with weights of
8 bits and activations of 8 and of 16 take their ranges from degraded training patches, and go to OUT/files, checked on
the test folder; the one with 16 bits goes beside the network as well.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from compress.export.parity import ParityError
from compress.export.ship import Bare, ship_network
from compress.export.wanted import Wanted
from compress.int8.calibration import int8_calibration
from compress.int8.scheme import WIDTHS
from lpienas.included import WIDE
from nas.kept import BESIDE
from nas.prepare import prepare
from nas.scoring.full import train_fully
from nas.scoring.training import NETWORK, Training
from nas.task.degrade import TASKS, BlendedNoise, CameraNoise, make_noise
from nas.task.losses import Loss
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from nas.unseen import Unseen
from results.progress import Silent
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.genotype import Stage
from search_spaces.space import ADDITIVE

STEPS = 60_000
# Many photographs are nearly clean, and a loss that is not relative hardly asks for anything there: with both as usual
# such a photograph came out 5 dB worse than it went in (results/published/shipped).
# A blur of 30 pixels needs patches that are larger than it, and a network that sees far and has channels to look with.
OF_TASK = {
    "deblur": TaskSettings(task="deblur", noise=CameraNoise(weak=0.75), shown=0.5, patch=192, batch=16),
    "denoise": TaskSettings(noise=BlendedNoise(CameraNoise(weak=0.5), share=0.4), loss=Loss(relative=0.75)),
}
DEBLURRER = replace(
    ADDITIVE,
    stages=tuple(Stage(depth, width, 2.0, "none") for depth, width in ((3, 32), (3, 48), (4, 64), (3, 48), (3, 32))),
    levels=3,
    stem="space-to-depth",
)
NETWORKS = {"deblur": DEBLURRER}  # of other tasks ADDITIVE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--task", choices=TASKS, default="denoise")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quantize", type=Path, metavar="NETWORK")
    options = parser.parse_args()
    folders = {name: str((options.data / name).absolute()) for name in ("training", "validation", "test")}
    settings = replace(
        OF_TASK.get(options.task, TaskSettings(task=options.task, noise=make_noise("camera"))),
        data=folders["training"],
        seed=options.seed,
        validation=folders["validation"],
        test=folders["test"],
    )
    options.out.mkdir(parents=True, exist_ok=True)
    task = prepare(settings, options.out / "device.json", 1)
    if options.quantize is not None:
        for activations in WIDTHS:
            try:
                _quantize(task, options.quantize, options.out / "files", activations)
            except ParityError as error:
                print(f"activations of {activations} bits: {error}")
        return
    blueprint = Blueprint.from_genotype(NETWORKS.get(options.task, ADDITIVE))
    training = Training.on(task, blueprint, Recipe(options.steps), options.seed)
    store = Store(options.out / "made")
    quality, test = train_fully(task, _say, training, store)
    shutil.copy(options.data / BESIDE, store.at(training.key) / BESIDE)
    print(f"{store.at(training.key) / NETWORK}: SSIM {quality.ssim:.4f} on the validation photographs")
    for score in test:
        print(f"{score.name}: SSIM {score.ssim:.4f}, PSNR {score.psnr:.2f} dB")


def _quantize(task: Task, network: Path, out: Path, activations: int) -> None:
    judged_on = Unseen(task.test, "test", "the test folder")
    bare = Bare(network, out, judged_on, int8_calibration(task, task.settings.seed))
    made = ship_network(bare, Wanted(("onnx",), (DEFAULT_SIZE,), activations=activations), Silent())
    for name, figures in made.items():
        print(f"{name}: {figures['bytes']} bytes, SSIM {figures['ssim']:.4f}, PSNR {figures['psnr']:.2f} dB")
        if figures["precision"] == "16x8":
            shutil.copy(out / name, network.with_name(WIDE))


def _say(step: int, loss: float) -> None:
    if (step + 1) % 1000 == 0:
        print(f"step {step + 1}: loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
