"""The command: one verb a stage; what it does is in verbs.py, what can be asked of it here."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import verbs

_T = TypeVar("_T")
_LATENCY_IN = ("onnx-float", "onnx-int8", "litert-float", "litert-int8")
_RUN_OR_NETWORK = "run folder (its compressed network), or a network: its .json, with the .safetensors beside it"

_DESCRIPTION = """\
Find the best small photo-enhancement network for a phone, shrink it, and ship it.

  lpienas data     ~/photos                      see what a folder of photographs is taken for
  lpienas space    --budget 600M                 see how much of the search space fits
  lpienas search   --out runs/night              score networks by SSIM and multiply-adds (MACs)
  lpienas calibrate --out runs/night             how far the scores can be trusted
  lpienas front    runs/night --plot front.png   see what was found
  lpienas anatomy  networks/0403.json            what each stage of a network is worth
  lpienas compress runs/night --pick knee        train one fully, prune it, quantize it
  lpienas export   runs/night                    write and check files for phones, and their model card
  lpienas enhance  runs/night photo.jpg -o better.png
  lpienas evaluate runs/night --data DIR
  lpienas noise    --data PAIRS                  how the noise of a camera is

Costs are multiply-adds (1 MAC = 2 FLOPs) at 256x256 unless --size says otherwise.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0 done, 1 the work failed, 2 wrong arguments, 130 interrupted."""
    options = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], None] = options.verb
    try:
        verb(options)
    except KeyboardInterrupt:
        print("\nlpienas: interrupted; the same command continues where it stopped", file=sys.stderr)
        return 130
    except (ValueError, FileNotFoundError, ImportError, RuntimeError) as error:
        if os.environ.get("LPIENAS_TRACEBACK"):
            raise
        print(f"lpienas: {error}", file=sys.stderr)
        return 1
    return 0


# How text becomes settings.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lpienas", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = parser.add_subparsers(required=True, metavar="VERB")

    describe = _verb(
        words,
        "describe",
        verbs.describe,
        "count a network's parameters and multiply-adds",
        "lpienas describe --preset reference --size 1080x1920",
    )
    network = describe.add_mutually_exclusive_group()
    network.add_argument("--preset", choices=("reference", "paper"), default="reference", help="which known network")
    network.add_argument("--genotype", type=Path, metavar="FILE", help="a genotype as JSON instead of a preset")
    describe.add_argument("--size", type=_size, default=(256, 256), metavar="HxW", help="input size (256x256)")

    space = _verb(
        words,
        "space",
        verbs.space,
        "show which costs the search space can reach, and how much of it fits a budget",
        "lpienas space --budget 600M --size 256x256",
    )
    space.add_argument("--budget", type=_macs, metavar="MACS", help="600M, or 1.2GFLOPs")
    space.add_argument("--size", type=_size, default=(256, 256), metavar="HxW", help="input size (256x256)")
    _add_fix(space)
    space.set_defaults(fix=[])
    space.add_argument("--samples", type=_count, default=2000, metavar="N", help="genotypes drawn at random (2000)")
    space.add_argument("--seed", type=int, default=0, metavar="N", help="of the drawing (0)")

    search = _verb(
        words,
        "search",
        verbs.search,
        "score networks; run again to continue",
        "lpienas search --out runs/night --data ~/pairs --budget 600M --trials 60",
    )
    _add_search_settings(search)
    search.add_argument("--trials", type=_count, default=200, metavar="N", help="networks to score in all (200)")
    search.add_argument(
        "--confirm",
        type=_count_or_none,
        default=5,
        metavar="N",
        help="how many to train fully beside the reference (5), from the cheapest to the dearest of the front; 0: none",
    )
    search.add_argument("--full-steps", type=_count, default=6000, metavar="N", help="of a full training (6000)")
    search.add_argument(
        "--seeds", type=_count, default=2, metavar="N", help="full trainings of networks that are too close to call (2)"
    )
    search.add_argument(
        "--start",
        choices=("inherited", "scratch"),
        default="inherited",
        help="first weights of a full training, where there is a supernet to inherit from (inherited)",
    )
    search.add_argument("--least-seeds", type=_count, default=1, metavar="N", help="full trainings of each of them (1)")
    _add_workers(search)

    calibrate = _verb(
        words,
        "calibrate",
        verbs.calibrate,
        "measure how far each cheap score agrees with full training",
        "lpienas calibrate --out runs/night --networks 12 --tau 0.8",
    )
    _add_search_settings(calibrate)
    calibrate.add_argument("--networks", type=_count, default=12, metavar="N", help="networks to train fully (12)")
    calibrate.add_argument("--full-steps", type=_count, default=6000, metavar="N", help="of a full training (6000)")
    calibrate.add_argument("--seeds", type=_count, default=1, metavar="N", help="full trainings of each network (1)")
    calibrate.add_argument(
        "--start",
        choices=("inherited", "scratch"),
        default="inherited",
        help="first weights of a full training: the supernet's, as a search does it (inherited), or random ones",
    )
    calibrate.add_argument("--short-steps", type=_count, metavar="N", help="of the highest rung (400)")
    calibrate.add_argument("--tau", type=float, default=0.7, metavar="TAU", help="agreement that is asked for (0.7)")
    _add_workers(calibrate)

    front = _verb(words, "front", verbs.front, "show what a search found", "lpienas front runs/night --plot front.png")
    front.add_argument("run", type=Path, metavar="RUN", help="run folder")
    front.add_argument("--plot", type=Path, metavar="FILE.png", help="draw SSIM over the cost")
    front.add_argument(
        "--control", type=Path, metavar="RUN", help="draw the front of a random search of equal computing beside it"
    )

    anatomy = _verb(
        words,
        "anatomy",
        verbs.anatomy,
        "show what each stage of a network costs and is worth",
        "lpienas anatomy results/published/denoise/networks/0403 --data ~/pairs",
    )
    anatomy.add_argument("model", type=Path, metavar="RUN|NETWORK", help=_RUN_OR_NETWORK)
    anatomy.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="pairs, or clean photographs to be degraded (the run's own validation photographs, or the samples)",
    )
    _add_threads(anatomy, measured=False)

    compress = _verb(
        words,
        "compress",
        verbs.compress,
        "train one candidate fully, prune it, quantize it",
        "lpienas compress runs/night --pick under=600M --prune 0.5 --qat",
    )
    compress.add_argument("run", type=Path, metavar="RUN", help="run folder")
    compress.add_argument(
        "--pick", default="knee", metavar="WHICH", help="knee (default), a candidate's number, under=600M, or reference"
    )
    compress.add_argument(
        "--steps",
        type=_count,
        default=6000,
        metavar="N",
        help="of the full training (6000); fine-tuning takes half, quantization-aware training as well",
    )
    compress.add_argument(
        "--prune",
        type=_share_or_latency_or_off,
        default=0.3,
        metavar="SHARE|TIME|off",
        help="share of the MACs to remove (0.3), latency to reach (25ms), or off; beside it, a network of the search "
        "that has as few MACs is trained for as much computing, and the better one is kept",
    )
    compress.add_argument(
        "--latency-in",
        choices=_LATENCY_IN,
        default="litert-int8",
        help="runtime and precision of a latency to reach, on one thread of this host (litert-int8)",
    )
    compress.add_argument(
        "--size", type=_size, default=(256, 256), metavar="HxW", help="size of a latency to reach (256x256)"
    )
    compress.add_argument(
        "--distill",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="of the output of the network before pruning in the loss of fine-tuning (1); 0: none",
    )
    ways = compress.add_mutually_exclusive_group()
    for way, does in (
        ("qat", "int8 by quantization-aware training only"),
        ("ptq", "int8 by post-training quantization only"),
        ("float", "no int8"),
    ):
        ways.add_argument(f"--{way}", action="store_const", const=way, dest="int8", help=does)
    compress.set_defaults(int8="best")
    _add_cache(compress)
    _add_kept(compress)
    compress.add_argument(
        "--in-float",
        nargs="+",
        default=(),
        metavar="LAYER",
        help="layers that stay float in int8 files, by the names that `lpienas sensitivity` prints; auto: the "
        "costliest, where a third of all at most brings int8 within 0.002 SSIM and 0.1 dB",
    )
    compress.add_argument(
        "--calibration",
        type=Path,
        metavar="FOLDER",
        help="photographs as the camera takes them, or pairs, that int8 ranges are taken from (training patches)",
    )
    _add_threads(compress)

    sensitive = _verb(
        words,
        "sensitivity",
        verbs.sensitivity,
        "show what each layer of a compressed network loses in int8",
        "lpienas sensitivity runs/night",
    )
    sensitive.add_argument("run", type=Path, metavar="RUN", help="run folder")
    _add_threads(sensitive)

    export = _verb(
        words,
        "export",
        verbs.export,
        "write files for phones and check each in its own runtime",
        "lpienas export runs/night --to litert --size 256x256 720x1280 1080x1920 2160x3840",
    )
    export.add_argument("run", type=Path, metavar="RUN|NETWORK", help=_RUN_OR_NETWORK)
    export.add_argument("--out", type=Path, metavar="DIR", help="of a network: where files go (beside it)")
    export.add_argument(
        "--data", type=Path, metavar="DIR", help="of a network: pairs that files are checked on (test photographs)"
    )
    export.add_argument(
        "--calibration",
        type=Path,
        metavar="FOLDER",
        help="of a network: photographs that int8 ranges are taken from (without, no int8)",
    )
    export.add_argument(
        "--to",
        nargs="+",
        choices=("onnx", "litert", "executorch", "coreml"),
        default=("onnx", "litert", "executorch"),
        metavar="FORMAT",
        help="onnx, litert, executorch, coreml (default: the first three; Core ML files can be run on macOS only)",
    )
    export.add_argument(
        "--size",
        nargs="+",
        type=_size,
        default=[(512, 512)],
        metavar="HxW",
        help="image sizes of LiteRT, ExecuTorch and Core ML files, a file each, padded up to multiples of 8 (512x512); "
        "phones are usually compared at 256x256 720x1280 1080x1920 2160x3840",
    )
    export.add_argument(
        "--licence",
        metavar="TEXT",
        help="what others may do with the files, for their metadata and the model card (what was said last)",
    )
    export.add_argument(
        "--workers",
        type=_count,
        default=min(4, os.cpu_count() or 1),
        metavar="N",
        help="files made at a time, about 1.2 GB each (one per processor, at most 4)",
    )

    enhance = _verb(
        words,
        "enhance",
        verbs.enhance,
        "enhance photographs of any size, or folders of them",
        "lpienas enhance runs/night/exported/lpienet_int8.onnx photo.jpg -o better.png\n"
        "  lpienas enhance runs/night holiday/ -o better/",
    )
    enhance.add_argument(
        "model", type=Path, metavar="MODEL", help="run folder, a network's .json, .onnx, .tflite or .pte"
    )
    enhance.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="picture files, and folders whose pictures are all meant"
    )
    enhance.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="picture file to write; a folder for several"
    )
    there = enhance.add_mutually_exclusive_group()
    there.add_argument("--force", action="store_true", help="overwrite results that exist")
    there.add_argument("--skip", action="store_true", help="leave results that exist, and do the rest")
    enhance.add_argument(
        "--megapixels", type=_count, default=400, metavar="N", help="larger pictures are refused by their header (400)"
    )
    enhance.add_argument("--compare", type=Path, metavar="FILE", help="also draw before and after side by side")
    _add_threads(enhance, measured=False)

    measure = _verb(
        words,
        "bench",
        verbs.bench,
        "time a run's network, or exported files, beside the reference",
        "lpienas bench runs/night --runtime litert --size 1080x1920 --threads 2",
    )
    measure.add_argument(
        "models", type=Path, nargs="*", metavar="RUN|MODEL", help="run folder, network, or exported file"
    )
    measure.add_argument(
        "--runtime",
        nargs="+",
        choices=("pytorch", "onnx", "litert", "executorch", "openvino"),
        help="of a run's network (all that are installed); a file runs in its own",
    )
    measure.add_argument(
        "--size",
        nargs="+",
        type=_size,
        metavar="HxW",
        help="256x256 720x1280 1080x1920 2160x3840 if not given; a file of one size is timed at that",
    )
    measure.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="measure SSIM of every file in its own runtime on these photographs; of the folder that the "
        "run was searched on, on its test photographs (the run's own figures on its test photographs)",
    )
    _add_whole(measure)
    measure.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each case in each round (2)")
    measure.add_argument(
        "--import",
        type=Path,
        nargs="+",
        default=[],
        dest="imported",
        metavar="FILE",
        help="what benchmark_model printed on a phone: its rows are put below",
    )
    measure.add_argument("--threads", type=_count, default=1, metavar="N", help="processor threads of a runtime (1)")

    delegates = _verb(
        words,
        "delegates",
        verbs.delegates,
        "say which operators of exported files phones' accelerators do not take",
        "lpienas delegates runs/night",
    )
    delegates.add_argument("models", type=Path, nargs="+", metavar="RUN|MODEL", help="run folder, or an exported file")

    samples = _verb(
        words,
        "samples",
        verbs.samples,
        "write the sample photographs kept for the test, noisy and clean",
        "lpienas samples --out photos",
    )
    samples.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write noisy/ and clean/ in")
    samples.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise (0)")

    data = _verb(
        words,
        "data",
        verbs.data,
        "show what a folder of photographs is taken for, and what is wrong with it",
        "lpienas data ~/GoPro --blur blur_gamma",
    )
    data.add_argument("folder", type=Path, metavar="DIR", help="photographs, or pairs of them")
    _add_photographs(data)
    data.add_argument("--seed", type=int, metavar="N", help="of the split (0)")
    data.add_argument("--quick", action="store_true", help="do not look at the pixels of any pair")

    noise = _verb(
        words,
        "noise",
        verbs.noise,
        "estimate a camera's noise profile from pairs of photographs",
        "lpienas noise --data ~/pairs --out my-camera.json\n"
        "  lpienas search --out runs/night --data ~/photos --noise camera --noise-profile my-camera.json",
    )
    noise.add_argument("--data", type=Path, required=True, metavar="DIR", help="pairs of noisy and clean photographs")
    noise.add_argument(
        "--out", type=Path, metavar="FILE.json", help="write the profile, for --noise-profile of a search"
    )
    noise.add_argument("--force", action="store_true", help="overwrite a file that exists")

    evaluate = _verb(
        words,
        "evaluate",
        verbs.evaluate,
        "measure SSIM and PSNR on photographs",
        "lpienas evaluate runs/night runs/night/exported/*.onnx --data ~/pairs --json",
    )
    evaluate.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL", help="run folders, networks, and exported files"
    )
    evaluate.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="pairs, or clean photographs to be degraded; of the folder that the run was searched on only its test "
        "photographs count (default: the test photographs of the run, or of the samples)",
    )
    _add_whole(evaluate)
    _add_threads(evaluate, measured=False)
    return parser


def _verb(
    verbs: Any, name: str, function: Callable[[argparse.Namespace], None], purpose: str, example: str
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object on standard output, nothing else")
    verb.set_defaults(verb=function)
    return verb


def _add_search_settings(verb: argparse.ArgumentParser) -> None:
    """All that a run folder is made with; a folder that is there already keeps what is not given."""
    verb.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder, made or continued")
    verb.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="pairs or clean photographs, in any layout that `lpienas data DIR` knows "
        "(default: sample photographs of scikit-image, scikit-learn and matplotlib)",
    )
    verb.add_argument(
        "--score",
        choices=("supernet", "short", "halving"),
        help="how candidates are scored: by weights that all share (supernet, the default), by a short training each, "
        "or by successive halving of short trainings",
    )
    verb.add_argument("--cost", choices=("macs", "latency", "memory"), help="what is to be small (macs)")
    verb.add_argument(
        "--latency-in",
        choices=_LATENCY_IN,
        help="runtime and precision that latency is measured in, on one thread of this host (onnx-float)",
    )
    verb.add_argument(
        "--budget", metavar="COST", help="never score above it: 600M, 1.2GFLOPs; 25ms of latency; 8MB of memory"
    )
    _add_fix(verb)
    verb.add_argument("--steps", type=_count, metavar="N", help="training of the supernet (1000), or of each (400)")
    verb.add_argument("--sampler", choices=("auto", "gp", "tpe", "nsga2", "random"), help="who proposes (auto)")
    verb.add_argument("--seed", type=int, metavar="N", help="of everything random (0)")
    verb.add_argument("--size", type=_size, metavar="HxW", help="size at which costs are taken (256x256)")
    verb.add_argument("--patch", type=_count, metavar="PIXELS", help="side of a training patch (64)")
    verb.add_argument("--batch", type=_count, metavar="N", help="patches a step (8)")
    verb.add_argument(
        "--noise",
        choices=("white", "camera", "blend"),
        help="what clean photographs are degraded with: white noise on sRGB values, noise as a camera makes it in "
        "linear light, or one of both for every patch (blend)",
    )
    verb.add_argument(
        "--blend", type=float, metavar="SHARE", help="of white noise among the patches of --noise blend (0.5)"
    )
    _add_noise_profile(verb)
    _add_photographs(verb)
    _add_kept(verb)
    verb.add_argument(
        "--judged",
        type=_count_or_none,
        metavar="N",
        help="photographs of the validation part, and of the test part, that networks are judged by, at most (64); "
        "0: all",
    )
    verb.add_argument(
        "--synthetic",
        type=float,
        metavar="SHARE",
        help="of the patches, where --data holds pairs: their clean side with --noise instead of the degraded side (0)",
    )


def _add_photographs(verb: argparse.ArgumentParser) -> None:
    """How folders of photographs are read."""
    verb.add_argument("--validation", type=Path, metavar="DIR", help="photographs to choose by (a part of the others)")
    verb.add_argument("--test", type=Path, metavar="DIR", help="photographs for the test (a part of the others)")
    verb.add_argument("--blur", choices=("blur", "blur_gamma"), help="which of GoPro's blurred sides is meant")
    verb.add_argument(
        "--skip-unusable", action="store_const", const=True, help="leave out pictures that cannot be used, and say so"
    )
    _add_cache(verb)


def _add_cache(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--cache",
        type=_bytes,
        metavar="SIZE",
        help="of decoded photographs on disk, at most (16GB, and half of the free disk), in LPIENAS_CACHE or the "
        "user's cache folder",
    )


def _add_whole(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--whole",
        action="store_true",
        help="judge photographs whole (default: at most 384x384 pixels around the centre, as the run itself is judged)",
    )


def _add_kept(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--photographs",
        choices=("same", "kept"),
        default="same",
        help="of a run that goes on on a folder that has changed: refuse (same), or take those of the run that are "
        "still there (kept)",
    )


def _add_noise_profile(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--noise-profile",
        metavar="NAME|FILE.json",
        help="the camera's noise: wide (default), darmstadt, galaxy-s6, pixel, nexus-6, lg-g4, oppo-reno, or a file "
        "that `lpienas noise --out` wrote",
    )


def _add_fix(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--fix",
        nargs="+",
        metavar="GENE=VALUE",
        help="leave genes these choices: activation=relu attention=none,spatial encoder1.depth=1; or ones that the "
        "space leaves out: head=gated stem=space-to-depth block=paper",
    )


def _add_workers(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--workers", type=_count, metavar="N", help="candidates at a time (one a processor, at most 4; on a GPU one)"
    )
    verb.add_argument("--threads", type=_count, metavar="N", help="processor threads of each worker (1)")


def _add_threads(verb: argparse.ArgumentParser, measured: bool = True) -> None:
    """`measured`: without the option, the verb finds out whether one thread or all of them are faster."""
    default, says = (None, "one or all, whichever is faster") if measured else (os.cpu_count() or 1, "all")
    verb.add_argument("--threads", type=_count, default=default, metavar="N", help=f"processor threads ({says})")


def _size(text: str) -> tuple[int, int]:
    from search_spaces.units import parse_size

    return _or_argument_error(parse_size, text)


def _macs(text: str) -> int:
    from search_spaces.units import parse_macs

    return _or_argument_error(parse_macs, text)


def _bytes(text: str) -> int:
    from search_spaces.units import parse_bytes

    return _or_argument_error(parse_bytes, text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of at least 1")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _share_or_latency_or_off(text: str) -> float | str | None:
    """A share as a number, a latency as its text, or None."""
    from search_spaces.units import parse_cost

    if text == "off":
        return None
    wrong = f"{text!r}: write the share of the MACs to remove, like 0.5, a latency to reach, like 25ms, or off"
    try:
        share = float(text)
    except ValueError:
        try:
            parse_cost("latency", text)
        except ValueError:
            raise argparse.ArgumentTypeError(wrong) from None
        return text
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(wrong)
    return share


def _or_argument_error(parse: Callable[[str], _T], text: str) -> _T:
    """argparse shows the message of its own error type only."""
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
