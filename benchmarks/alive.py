"""Alive: whether every stage of each network is worth something, on test photographs, with an interval over them.

    python benchmarks/alive.py results/published/denoise/networks/00*.json --data DIR \\
        --front results/published/denoise/front.json

NETWORK is a path of NAME.json and NAME.safetensors. Each is looked into with all test photographs of --data, degraded
as the task does and cropped to --side pixels. Prints of each the stage that is worth least of those with more than 5 %
of the multiply-adds; --front keeps all of them in a published front, by the number of the candidate.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from curves import task_of
from nas.anatomy import COSTLY, STAGE, Sample, anatomy, verdict
from nas.task.task import TaskSettings
from results.files import load_network, read_json, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", type=Path, metavar="NETWORK")
    parser.add_argument("--data", help="folder of clean photographs, or of pairs (default: sample photographs)")
    parser.add_argument("--side", type=int, default=384, help="pixels that photographs are cropped to (384)")
    parser.add_argument("--front", type=Path, help="front.json of a published search, whose anatomies are replaced")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = task_of(TaskSettings(options.data, validation_side=options.side))
    says = f"all {len(task.test)} test photographs, cropped to at most {options.side}x{options.side} pixels"
    found = {}
    for path in sorted({path.with_suffix("") for path in options.networks}):
        found[path.name] = anatomy(load_network(path), path.name, Sample(task.test, says)).to_json()
        print(_line(found[path.name]), flush=True)
    if options.front is not None:
        numbered = {str(int(name)): one for name, one in found.items()}
        front = read_json(options.front)
        write_json(options.front, front | {"anatomy": front.get("anatomy", {}) | numbered})


def _line(found: dict[str, Any]) -> str:
    costly = [part for part in found["stages"] if part["kind"] == STAGE and part["macs_share"] > COSTLY]
    least = min(costly, key=lambda part: float(part["ssim_lost"]))
    interval = f"{least['ssim_low']:+.4f} to {least['ssim_high']:+.4f}" if least["ssim_low"] is not None else "none"
    return (
        f"{found['network']}, {found['macs'] / 1e6:.0f} MMACs, SSIM {found['ssim']:.4f} on {found['photographs']}: "
        f"{least['name']}, {least['macs_share']:.1%} of the MACs, is worth least: {least['ssim_lost']:+.4f} SSIM, 95 % "
        f"interval {interval}; {verdict(found)}"
    )


if __name__ == "__main__":
    main()
