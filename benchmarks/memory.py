"""Memory: the peak of `enhance` on a photograph above the idle process, by network and runtime.

    python benchmarks/memory.py --threads 1

The idle process has imported all that the verb imports and has opened the model. What comes on top, most of all at a
time: the photograph in and out, the runtime's activations, its copies, and what the encoder keeps. Every measurement
has a process of its own (VmHWM of Linux), and its time is the processor's. Without --photo the picture is synthetic:
waves and noise in 8 bits.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from compress.bench.files import reference_network
from compress.bench.resident import forget_peak, peak, resident
from compress.export.formats import FORMATS, Variant, export_network
from compress.quiet import quiet
from compress.runtime import photo, tiles
from compress.runtime.runtimes import in_pytorch, load
from results.files import load_network
from search_spaces.units import parse_size

_KNEE = Path(__file__).parent.parent / "results" / "published" / "denoise" / "networks" / "0001"
_STATIC = (512, 512)  # the default of `lpienas export`


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="enlarged to --size (a synthetic picture)")
    parser.add_argument("--size", type=parse_size, default=(2160, 3840), metavar="HxW")
    parser.add_argument("--runtime", nargs="+", choices=("pytorch", *FORMATS), default=("pytorch", *FORMATS))
    parser.add_argument("--network", type=Path, default=_KNEE, help="beside the reference, without suffix (0001)")
    parser.add_argument("--only", choices=("reference", "network"), help="one of the two")
    parser.add_argument(
        "--tile", nargs="+", type=int, default=[tiles.TILE], help="N: of N x N pixels at most, where any size will do"
    )
    parser.add_argument("--suffix", choices=photo.WRITTEN, default=".png", help="of the pictures (.png)")
    parser.add_argument("--files", type=Path, metavar="DIR", help="keep exported files there (a temporary folder)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="lpienas-") as temporary:
        folder = options.files or Path(temporary)
        picture = Path(temporary) / f"photo{options.suffix}"
        _draw(options.photo, options.size, picture)
        networks = {"reference": reference_network(folder), "network": options.network}
        chosen = {word: path for word, path in networks.items() if options.only in (None, word)}
        print(f"{'network':20} {'runtime':13} {'tile':>9} {'tiles':>5} {'idle MB':>8} {'above MB':>8} {'CPU s':>8}")
        for word, network in chosen.items():
            for runtime in options.runtime:
                model = _model(network, runtime, folder)
                for tile in options.tile if runtime == "pytorch" or FORMATS[runtime].any_size else [0]:
                    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                        line = pool.submit(_measure, model, picture, tile, options.threads).result()
                    print(f"{network.name if word == 'network' else word:20} {line}", flush=True)


def _measure(model: Path, picture: Path, tile: int, threads: int) -> str:
    """One line of the table, measured in this process; `tile` 0: the file has one size."""
    torch.set_num_threads(threads)
    runtime = load(model, threads) if model.exists() else in_pytorch(load_network(model))  # a network is two files
    seen: list[int] = []
    network = partial(tiles.enhance_rows, runtime, on_tile=lambda _, total: seen.append(total), tile=tile)
    forget_peak()
    idle, begun = resident(), time.process_time()
    photo.enhance_photo(network, picture, picture.with_name(f"enhanced{picture.suffix}"))
    above, seconds = peak() - idle, time.process_time() - begun
    shown = "x".join(map(str, runtime.size)) if runtime.size else f"{tile}"
    return f"{runtime.name:13} {shown:>9} {seen[-1]:5d} {idle / 1e6:8.0f} {above / 1e6:8.0f} {seconds:8.1f}"


def _model(network: Path, runtime: str, folder: Path) -> Path:
    """A file of `network` for `runtime`, at the size that `lpienas export` gives it; PyTorch needs none."""
    if runtime == "pytorch":
        return network
    made = FORMATS[runtime]
    path = folder / f"{network.name}{made.suffix}"
    if path.exists():
        return path
    with quiet():
        export_network(load_network(network), Variant(runtime, "float", None if made.any_size else _STATIC), path)
    return path


def _draw(source: Path | None, size: tuple[int, int], target: Path) -> None:
    import pyvips

    height, width = size
    if source is not None:
        picture = pyvips.Image.new_from_file(str(source))
        enlarged = picture.resize(width / picture.width, vscale=height / picture.height)
        enlarged.write_to_file(str(target))
        return
    places = pyvips.Image.xyz(width, height)
    waves = (places[0] / 30).sin().bandjoin([(places[1] / 50).sin(), ((places[0] + places[1]) / 70).sin()])
    (90 + 80 * waves + pyvips.Image.gaussnoise(width, height, sigma=10)).cast("uchar").write_to_file(str(target))


if __name__ == "__main__":
    main()
