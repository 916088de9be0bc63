"""Compression: what pruning and int8 make of networks of a front and of the reference, beside their controls.

    python benchmarks/compression.py runs/denoise --pick 441 256 403 reference --steps 600 --pairs PAIRS \\
        --out runs/compression

Each choice is compressed by the command, under a name of its own, and exported to LiteRT in every precision. Resumable.
Printed for each stage: SSIM, PSNR, MACs at 256x256, and bytes of the file where there is one; the controls are a
network of the search that costs no more than the pruned one and had equal computing, and an equally long float training
beside quantization-aware training. With --pairs, the files are judged on pairs of real photographs too.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch

from command import lpienas
from compress.int8.ways import METHODS
from compress.runtime.runtimes import load
from compress.runtime.tiles import enhance
from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import read_folder
from nas.task.degrade import SensorNoise
from nas.task.evaluation import evaluate, input_quality
from results.compressions import Compression, compression_of
from results.files import read_json, write_json
from results.run import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pick", nargs="+", required=True, help="as of `lpienas compress`")
    parser.add_argument("--steps", type=int, required=True, help="of a full training; the search's own are taken over")
    parser.add_argument("--prune", default="0.3")
    parser.add_argument("--distill", default="1")
    parser.add_argument("--size", default="256x256", help="of the files")
    parser.add_argument("--pairs", type=Path, help="folder of noisy and clean photographs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    options.out.mkdir(parents=True, exist_ok=True)
    for pick in options.pick:
        name = f"{options.out.name}-{pick.replace('=', '-')}"
        lpienas(
            "compress", options.run, "--pick", pick, "--steps", options.steps, "--prune", options.prune,
            "--distill", options.distill, "--threads", 1, "--name", name,
        )  # fmt: skip
        lpienas("export", options.run, "--compression", name, "--to", "litert", "--size", options.size, "--workers", 1)
        made = compression_of(Run(options.run), name)
        found[pick] = dict(made.record) | {"exported": made.listed()["files"]}
        if options.pairs is not None:
            found[pick]["real_pairs"] = _on_real_pairs(made, options.out / f"{name}-real-pairs.json", options.pairs)
    for pick, summary in found.items():
        print(f"{pick}: candidate {summary['chosen']['number']}; the noisy photographs {_figures(summary['input'])}")
        for line in _lines(summary):
            print(f"  {line}")
    kept = ("chosen", "input", "scores", "exported", "real_pairs")
    rows = {pick: {name: summary[name] for name in kept if name in summary} for pick, summary in found.items()}
    result = options.out / "compression.json"
    write_json(result, (read_json(result) if result.exists() else {}) | rows)  # an earlier call's picks stay


def _on_real_pairs(made: Compression, kept: Path, folder: Path) -> dict[str, Any]:
    """SSIM and PSNR of every file in its runtime, and of the noisy photographs themselves."""
    if not kept.exists():
        pairs = validation_pairs(read_folder(folder), SensorNoise(), 0, 384)
        found = {"input": input_quality(pairs).to_json()}
        for name in made.listed()["files"]:
            model = load(made.exported / name, 1)
            found[name] = evaluate(partial(enhance, model), pairs, torch.device("cpu")).to_json()
        write_json(kept, found)
    return read_json(kept)


def _lines(summary: dict[str, Any]) -> list[str]:
    scores, files = summary["scores"], summary["exported"].values()
    lines = [_line("trained", scores["trained"])]
    if "pruned" in scores:
        lines += [
            f"pruned, before fine-tuning: {_figures(scores['pruned']['before_fine_tuning'])}",
            _line("pruned and fine-tuned", scores["pruned"]),
        ]
    if "control" in scores:
        control = scores["control"]
        lines.append(
            _line(
                f"control, candidate {control['candidate']}, from {control['start']} for {control['steps']} steps",
                control,
            )
        )
    kept = scores["float"]
    lines.append(_line(f"kept: {kept.get('method', kept['made_by'])}", kept))
    quantized = scores.get("quantized", {})
    for way in METHODS:
        if way in quantized:
            lost = scores["float"]["ssim"] - quantized[way]["ssim"]
            lines.append(f"int8, {way.replace('_', ' ')}: {_figures(quantized[way])}; {lost:+.4f} lost")
    for made in files:
        lines.append(f"{made['precision']} file: {made['bytes']} bytes, {_figures(made)} in {made['runtime']}")
    for name, figures in summary.get("real_pairs", {}).items():
        lines.append(f"real pairs, {name}: {_figures(figures)}")
    return lines


def _line(name: str, figures: dict[str, Any]) -> str:
    return f"{name}: {_figures(figures)}, {figures['macs'] / 1e6:.1f} MMACs"


def _figures(figures: dict[str, Any]) -> str:
    return f"SSIM {figures['ssim']:.4f}, {figures['psnr']:.2f} dB"


if __name__ == "__main__":
    main()
