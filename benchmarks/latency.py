"""Latency: a small network in int8 against the reference LPIENet in float, in one runtime, both sides in turns.

    python benchmarks/latency.py results/published/denoise/networks/0001 --data DIR --threads 1 2

The network's int8 ranges come from training patches of DIR, where `lpienas compress` takes them from too; SSIM of both
files is measured in the runtime, on the validation photographs of DIR. Printed is by how much the network is faster,
its file smaller, and its SSIM higher. Files are kept in --files.
"""

import argparse
from pathlib import Path

from compress.bench.bench import REFERENCE, Row, bench, judge, ratio
from compress.bench.files import Network, cases_of
from compress.int8.calibration import int8_calibration
from curves import task_of
from nas.task.task import TaskSettings
from results.files import write_json
from results.progress import Silent
from search_spaces.units import parse_size

_REFERENCE = Path(__file__).parent.parent / "results" / "published" / "denoise" / "networks" / "0000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+", metavar="NETWORK", help="a saved network, without suffix")
    parser.add_argument("--reference", type=Path, default=_REFERENCE, help="the trained LPIENet (the published one)")
    parser.add_argument("--in-float", nargs="+", default=[], metavar="LAYER", help="also int8 with these left in float")
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--runtime", choices=("litert", "onnx", "executorch"), default="litert")
    parser.add_argument("--size", type=parse_size, default=(1080, 1920), metavar="HxW")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each side in each of three rounds")
    parser.add_argument("--photos", type=int, default=12, help="validation photographs to measure SSIM on")
    parser.add_argument("--files", type=Path, default=Path("runs/latency"))
    options = parser.parse_args()
    settings = TaskSettings(options.data)
    task = task_of(settings)
    calibration = int8_calibration(task, settings.seed)
    sides = [Network(REFERENCE, options.reference, "float", None, options.files)]
    for path in options.networks:
        sides += [
            Network(path.name, path, "float", None, options.files),
            Network(path.name, path, "int8", None, options.files, calibration),
        ]
        if options.in_float:
            name, in_float = f"{path.name} partly in float", tuple(options.in_float)
            sides.append(Network(name, path, "int8", None, options.files, calibration, in_float))
    cases = [case for side in sides for case in cases_of(side, [options.runtime], [options.size], Silent())]
    cases = judge(cases, task.validation[: options.photos], max(options.threads), Silent())
    found: list[Row] = []
    for threads in options.threads:
        reference, *rows = bench(cases, threads, options.seconds, Silent())
        print(_line(reference))
        for row in rows:
            print(_line(row))
            print(f"    {_against(reference, row)}", flush=True)
        found += [reference, *rows]
    write_json(options.files / "latency.json", {"rows": [row.to_json() for row in found]})


def _line(row: Row) -> str:
    height, width = row.size or (0, 0)
    where = f"{row.runtime} at {height}x{width}, {row.threads} thread(s)"
    took = f"{row.median:.0f} +- {row.spread:.0f} ms"
    return f"{row.network}, {row.precision}, {where}: {took}, {row.file_bytes} bytes, SSIM {row.ssim:.4f}"


def _against(reference: Row, row: Row) -> str:
    assert reference.file_bytes is not None
    assert row.file_bytes is not None
    assert reference.ssim is not None
    assert row.ssim is not None
    times, fewer = ratio(reference, row), reference.file_bytes / row.file_bytes
    faster = (
        "no ratio, its spread is the larger one" if times is None else f"{times[0]:.1f} +- {times[1]:.1f} times faster"
    )
    return f"{faster}; {fewer:.1f} times fewer bytes; SSIM {row.ssim - reference.ssim:+.4f}"


if __name__ == "__main__":
    main()
