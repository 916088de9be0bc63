"""How much a latency scatters when it is measured again and again, alone and beside the yardstick.

    python benchmarks/scatter.py [NETWORK...] [--in onnx-float] [--size 256x256] [--minutes 2.5] [--pause 4]

A search over latency compares candidates that are measured minutes apart, so what counts is how far a network's figure
moves over minutes. Each of NETWORK (saved ones, paths without suffix; default: three of the published front) is
measured every few seconds both ways, on one thread: alone, as measure_latency of compress.bench does, and in turns with
YARDSTICK, as latency_cost does: as a share of what that takes, times what it took once. Printed: median, least, most,
and the coefficient of variation, which is the standard deviation over the mean.
"""

import argparse
import statistics
import time
from pathlib import Path

from compress.bench.latency import YARDSTICK, Timing, opened, pass_time, repeated
from compress.runtime.runtimes import Runtime
from results.files import load_network
from search_spaces.units import parse_size

_PUBLISHED = Path(__file__).parents[1] / "results" / "published" / "denoise" / "networks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = [_PUBLISHED / name for name in ("0042", "0001", "0046")]
    parser.add_argument("networks", nargs="*", type=Path, default=default, help="saved networks, without suffix")
    parser.add_argument("--in", dest="runtime", default="onnx-float", help="runtime and precision, like litert-int8")
    parser.add_argument("--size", type=parse_size, default=(256, 256))
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between measurements")
    options = parser.parse_args()

    runtime, precision = options.runtime.split("-")
    timing = Timing(runtime, precision, options.size)
    yardstick, image = opened(YARDSTICK, timing)
    networks = {path.name: opened(load_network(path).blueprint, timing)[0] for path in options.networks}
    alone: dict[str, list[float]] = {name: [] for name in networks}
    beside: dict[str, list[float]] = {name: [] for name in networks}
    unit = statistics.median(repeated(lambda: pass_time(yardstick, image, 1), 5.0))
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        for name, network in networks.items():

            def taken(network: Runtime = network) -> float:
                return pass_time(network, image, 1)

            def share(network: Runtime = network) -> float:
                return pass_time(network, image, 1) / pass_time(yardstick, image, 1)

            alone[name].append(statistics.median(repeated(taken, 5.0)))
            beside[name].append(unit * statistics.median(repeated(share, 5.0)))
        time.sleep(options.pause)
    number = len(next(iter(alone.values())))
    print(f"{options.runtime} at {options.size[0]}x{options.size[1]}, {number} times")
    print(f"{'network':12} {'':8} {'median':>8} {'least':>8} {'most':>8}  variation")
    for name in networks:
        for way, found in (("alone", alone[name]), ("beside", beside[name])):
            spread = statistics.stdev(found) / statistics.mean(found)
            figures = " ".join(f"{value:5.2f} ms" for value in (statistics.median(found), min(found), max(found)))
            print(f"{name:12} {way:8} {figures}  {spread:.1%}")


if __name__ == "__main__":
    main()
