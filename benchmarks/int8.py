"""Int8: what integers take from trained networks, by our ways and by other people's tools, each in its own runtime.

    python benchmarks/int8.py runs/night/made/KEY/network --data DIR --pairs PAIRS --out runs/int8

Every row is judged on the validation and test photographs as `compress` judges them, on pairs of real photographs, and
by bands: a dark ramp without noise, and dark photographs, after a gain of 4. All calibrate on the same 64 degraded
training patches. Rows: float, and after --steps steps more; and integers by int8_rows.py: ours, with the channels of
full resolution held twice, with ranges by the loss of the output, by the best of `compress` with as many steps, with
integer ends, the costly layers or all of them with 16 bits, weights only; onnxruntime, ai-edge-quantizer, OpenVINO with
NNCF, torchao's XNNPACK quantizer. A tool that is not installed, or fails, has a cell that says so. Losses are counted
from the better of the float rows, by validation.

Resumable: every cell, a row of a network on one set of photographs, is a file below --out that is kept as it is made.
--table only prints what is there.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.int8.calibration import int8_calibration
from compress.int8.sensitivity import ALLOWED_PSNR, ALLOWED_SSIM
from int8_rows import ROWS, Case, Unavailable
from nas.task.data.pairs import judged, validation_pairs
from nas.task.data.photos import read_folder
from nas.task.degrade import SensorNoise, make_noise
from nas.task.device import Device
from nas.task.evaluation import Pair, evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from results.files import load_network, read_json, write_json
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.receptive import receptive_radius
from search_spaces.sides import padded_side

SIDE = 384  # pixels that photographs are cropped to, as in `compress`
GAIN = 4.0  # of dark photographs
_PAIRS = 32  # real pairs, at most
_DARK = 8  # dark photographs
_FLOAT = ("float", "float-longer")  # rows that losses are counted from
_CPU = torch.device("cpu")
_Network = Callable[[Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="*", help="NAME of NAME.json and NAME.safetensors")
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--pairs", type=Path, help="folder of noisy and clean photographs")
    parser.add_argument(
        "--calibration", type=Path, help="photographs, or pairs, that ranges are taken from, others than these"
    )
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--steps", type=int, default=300, help="of the quantization-aware training (300)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="measure nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.table:
        settings = TaskSettings(options.data, noise=make_noise("blend", None, 0.5))
        task = make_task(settings, read_photos(settings), Device("cpu", False, "to compare"))
        sets = {"validation": task.validation, "test": task.test}
        if options.pairs is not None:
            real = judged(read_folder(options.pairs), _PAIRS)
            sets["pairs"] = validation_pairs(real, SensorNoise(), 0, SIDE)
        calibration = int8_calibration(task, settings.seed, options.calibration)
        for path in options.networks:
            _measure(path, task, calibration, sets, options)
    print("\n".join(table(options.out)), flush=True)


def _measure(
    path: Path,
    task: Task,
    calibration: list[Tensor],
    sets: Mapping[str, Sequence[Pair]],
    options: argparse.Namespace,
) -> None:
    network = load_network(path).eval()
    halo = padded_side(receptive_radius(network.blueprint))
    case = Case(network, task, calibration, options.out / path.name, options.steps, SIDE + 2 * halo)
    write_json(case.folder / "network.json", {"macs": macs_of(network.blueprint, DEFAULT_SIZE)})
    for row in options.rows:
        cells = {of: case.folder / f"{row}.{of}.json" for of in (*sets, "bands")}
        if all(cell.exists() for cell in cells.values()):
            continue
        try:
            run = ROWS[row](case)
        except Unavailable as why:
            for cell in cells.values():
                write_json(cell, {"unavailable": str(why)})
            continue
        for of, cell in cells.items():
            if cell.exists():
                continue
            made = _bands(run, ROWS["float"](case), sets["test"]) if of == "bands" else _judged(run, sets[of])
            write_json(cell, made)
            print(path.name, row, of, made, flush=True)


def _judged(run: _Network, pairs: Sequence[Pair]) -> dict[str, Any]:
    return evaluate(run, pairs, _CPU).to_json()


def _bands(run: _Network, in_float: _Network, pairs: Sequence[Pair]) -> dict[str, Any]:
    """After the gain: the largest step of a ramp, in levels of 255, and how far dark photographs are from float, dB."""
    apart = []
    for _, degraded, _ in list(pairs)[:_DARK]:
        dark = degraded / GAIN
        both = [(network(dark) * GAIN).clamp(0, 1) for network in (run, in_float)]
        apart.append(float(-10 * (both[0] - both[1]).square().mean().clamp(min=1e-10).log10()))
    return {"largest_step": largest_step(run), "photographs_db": sum(apart) / len(apart)}


def largest_step(run: _Network) -> float:
    """The largest step between neighbouring columns of a dark ramp after the gain, in levels of 255.

    The ramp itself has steps of two thirds of a level. Its own border is left out.
    """
    output = run(ramp())[..., 32:-32, 32:-32].double().mean(dim=2)  # (1, 3, columns)
    return float(GAIN * 255 * output.diff(dim=-1).abs().max())


def ramp() -> Tensor:
    """(1, 3, SIDE, SIDE): from black to a quarter of white, from left to right, in steps that no 8-bit picture has."""
    return torch.linspace(0, 1 / GAIN, SIDE).expand(1, 3, SIDE, SIDE).contiguous()


def table(out: Path) -> list[str]:
    """What has been measured, a network after the other, the losses from its better float row beside each figure."""
    lines = []
    for folder in sorted(place.parent for place in out.glob("*/network.json")):
        lines += [
            "",
            f"### {folder.name}, {read_json(folder / 'network.json')['macs'] / 1e6:.1f} MMACs",
            "",
            "| | validation: SSIM | PSNR | test: SSIM | PSNR | pairs: SSIM | PSNR | within | step of ramp | dark |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        better = max(_FLOAT, key=lambda row: _cell(folder, row, "validation").get("ssim", 0.0))
        before = {of: _cell(folder, better, of) for of in ("validation", "test", "pairs")}
        lines += [line for row in ROWS if (line := _line(folder, row, before))]
    return lines


def _line(folder: Path, row: str, before: dict[str, dict[str, Any]]) -> str:
    cells = {of: _cell(folder, row, of) for of in (*before, "bands")}
    if not any(cells.values()):
        return ""
    for cell in cells.values():
        if "unavailable" in cell:
            return f"| {row} | {cell['unavailable']} |"
    shown, lost = [], []
    for of, float_cell in before.items():
        cell = cells[of]
        if not cell or not float_cell:
            shown += ["", ""]
            continue
        ssim, psnr = float_cell["ssim"] - cell["ssim"], float_cell["psnr"] - cell["psnr"]
        lost.append(ssim <= ALLOWED_SSIM and psnr <= ALLOWED_PSNR)
        shown += [f"{cell['ssim']:.4f} ({-ssim:+.4f})", f"{cell['psnr']:.2f} ({-psnr:+.2f})"]
    bands = cells["bands"]
    seen = [f"{bands['largest_step']:.1f}", f"{bands['photographs_db']:.1f} dB"] if bands else ["", ""]
    within = "" if row in _FLOAT or not lost else "yes" if all(lost) else "no"
    return "| " + " | ".join([row, *shown, within, *seen]) + " |"


def _cell(folder: Path, row: str, of: str) -> dict[str, Any]:
    path = folder / f"{row}.{of}.json"
    return read_json(path) if path.exists() else {}


if __name__ == "__main__":
    main()
