"""Publish: gather what a search found into a folder of results/published/.

    python benchmarks/publish.py runs/night --control runs/random --heads runs/reference/reference-600.json \\
        --pairs DIR --to results/published/denoise

Writes front.json (every figure, what each stage is worth, the commands, the settings, the processor seconds), front.png
with the control's front, calibration.json where there is one, and the networks of the front after full training (seed
0): blueprint, weights, and an ONNX file. With --pairs, they are also judged on pairs of real photographs.
"""

import argparse
import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from compress.export.onnx_file import write_onnx
from nas.confirm import folder_of
from nas.scoring.full import ANATOMY
from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import read_folder
from nas.task.degrade import SensorNoise
from nas.task.evaluation import evaluate, input_quality
from nas.task.metrics import SSIM_DEFINITION
from results.files import load_network, read_json, save_network, write_json
from results.plots import plot_front
from results.report import FrontReport, report_front
from results.run import Run
from results.study import full_trainings, open_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--control", type=Path, help="run folder of a random search with the same processor seconds")
    parser.add_argument("--heads", type=Path, help="what benchmarks/reference.py wrote: the reference with other heads")
    parser.add_argument("--pairs", type=Path, help="folder of real pairs")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    run, record = Run(options.run), read_json(options.run / "run.json")
    report = _report(run)
    control = None if options.control is None else _report(Run(options.control))
    size = (record["settings"]["size"][0], record["settings"]["size"][1])
    heads = {} if options.heads is None else read_json(options.heads)
    others = {f"LPIENet, {name}": (head["macs"], fmean(head["ssim"])) for name, head in heads.items()}
    plot_front(options.to / "front.png", report, size, None if control is None else control.front, others)
    trained = {training.number: training for training in full_trainings(open_study(run.study)) if training.seed == 0}
    published = report.to_json() | {
        "full_trainings": [vars_of(training) for training in full_trainings(open_study(run.study))],
        "commands": [_without_paths(entry["command"], run, record["settings"]["data"]) for entry in record["commands"]],
        "settings": {name: value for name, value in record["settings"].items() if name != "data"},
        "versions": record["versions"],
        "cpu_seconds": read_json(run.summary).get("cpu_seconds"),
        "ssim_definition": SSIM_DEFINITION,
        "heads": heads,
    }
    if control is not None and options.control is not None:
        seconds = read_json(Run(options.control).summary).get("cpu_seconds")
        published["control"] = control.to_json() | {"cpu_seconds": seconds}
    networks = options.to / "networks"
    shutil.rmtree(networks, ignore_errors=True)
    published["anatomy"] = {}
    for candidate in (*report.front, report.reference):
        first = trained[candidate.number]
        folder = folder_of(run, first)
        network, path = load_network(folder / "network"), networks / f"{candidate.number:04d}"
        save_network(path, network)
        write_onnx(network.eval(), network.blueprint, None, path.with_suffix(".onnx"))
        published["anatomy"][candidate.number] = read_json(folder / ANATOMY)
    if options.pairs is not None:
        published["real_pairs"] = _on_real_pairs(options.pairs, networks)
    if run.calibration.exists():
        shutil.copyfile(run.calibration, options.to / "calibration.json")
    write_json(options.to / "front.json", published)
    print(report.verdict)
    for name, (macs, ssim) in others.items():
        print(_reached(report, name, macs, ssim))
    print(json.dumps(published.get("real_pairs", {}), indent=1))


def _reached(report: FrontReport, name: str, macs: float, ssim: float) -> str:
    enough = [candidate for candidate in report.front if candidate.scores.ssim >= ssim]
    if not enough:
        return f"{name} has SSIM {ssim:.4f}: no network of the front reaches it"
    cheapest = min(enough, key=lambda candidate: candidate.scores.macs)
    return (
        f"{name} has SSIM {ssim:.4f}: candidate {cheapest.number} reaches it ({cheapest.scores.ssim:.4f}) with "
        f"{cheapest.scores.macs / macs:.0%} of its MACs"
    )


def vars_of(training: Any) -> dict[str, Any]:
    return {name: getattr(training, name) for name in ("number", "steps", "seed", "start", "ssim", "psnr")}


def _without_paths(command: str, run: Run, data: str | None) -> str:
    """The command as another user would type it: folders lie elsewhere."""
    command = command.replace("lpienas.py ", "lpienas ").replace(str(run.folder), f"runs/{run.folder.name}")
    return command if data is None else command.replace(data, "DIR")


def _report(run: Run) -> FrontReport:
    settings = run.settings()
    return report_front(open_study(run.study), settings.score, settings.cost)


def _on_real_pairs(folder: Path, networks: Path) -> dict[str, Any]:
    pairs = validation_pairs(read_folder(folder), SensorNoise(), 0, 384)
    found: dict[str, Any] = {"pairs": len(pairs), "input": input_quality(pairs).to_json()}
    for path in sorted(networks.glob("*.safetensors")):
        network = load_network(path.with_suffix("")).eval()
        found[path.stem] = evaluate(network, pairs, torch.device("cpu")).to_json()
    return found


if __name__ == "__main__":
    main()
