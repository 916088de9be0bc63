"""Settings: what can be asked of a search, a compression and an export, by Python and by the command."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lpienas.fields import (
    Option,
    a_file,
    a_size,
    a_size_on_disk,
    count,
    count_or_none,
    kept,
    option,
    options_of,
    share_or_latency_or_off,
    switch,
    threads_here,
)
from lpienas.shared import COMPRESSION, FAMILY, FIX, FULL_STEPS, TRAINING_THREADS, WORKER_THREADS, WORKERS
from results.record import FOLDERS, RunSettings

LATENCY_IN = ("onnx-float", "onnx-int8", "litert-float", "litert-int8")
TASKS = ("denoise", "deblur", "udc", "hdr", "mixed")
FORMATS = ("onnx", "onnx-fixed", "litert", "executorch", "coreml")
STARTS = ("inherited", "scratch")
Size = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How the photographs of a run are found and kept at hand."""

    photographs: str = option(
        "same",
        "of a run that goes on on a folder that has changed: refuse (same), or take those of the run that are still "
        "there (kept)",
        choices=("same", "kept"),
    )
    cache: int | None = option(
        None,
        "of decoded photographs on disk, at most, in LPIENAS_CACHE or the user's cache folder",
        "SIZE",
        parse=a_size_on_disk,
        default="16GB, and half of the free disk",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(ReadOptions):
    """All that a run folder is made with; a folder that is there already keeps what is None."""

    data: str | Path | None = kept(
        None,
        "pairs or clean photographs, in any layout that `lpienas data DIR` knows",
        "DIR",
        parse=a_file,
        default="sample photographs of scikit-image, scikit-learn and matplotlib",
    )
    validation: str | Path | None = kept(
        None, "photographs to choose by", "DIR", parse=a_file, default="a part of the others"
    )
    test: str | Path | None = kept(
        None, "photographs for the test", "DIR", parse=a_file, default="a part of the others"
    )
    blur: str | None = kept(None, "which of GoPro's blurred sides is meant", choices=("blur", "blur_gamma"), default="")
    skip_unusable: bool | None = kept(False, "leave out pictures that cannot be used, and say so", parse=bool)
    judged: int | None = kept(
        64,
        "photographs of the validation part, and of the test part, that networks are judged by, at most; 0: all",
        "N",
        parse=count_or_none,
    )
    score: str | None = kept(
        "supernet",
        "how candidates are scored: by weights that all share (supernet, the default), by a short training each, or by "
        "successive halving of short trainings",
        choices=("supernet", "short", "halving"),
        default="",
    )
    cost: str | None = kept("macs", "what is to be small", choices=("macs", "latency", "memory"))
    latency_in: str | None = kept(
        "onnx-float",
        "runtime and precision that latency is measured in, on one thread of this host",
        choices=LATENCY_IN,
    )
    budget: str | None = kept(
        None, "never score above it: 600M, 1.2GFLOPs; 25ms of latency; 8MB of memory", "COST", default=""
    )
    fix: tuple[str, ...] | None = kept((), **FIX)
    steps: int | None = kept(None, "training of the supernet (1000), or of each (400)", "N", parse=count, default="")
    sampler: str | None = kept("auto", "who proposes", choices=("auto", "gp", "tpe", "nsga2", "random"))
    seed: int | None = kept(0, "of everything random", "N", parse=int)
    size: Size | None = kept((256, 256), "size at which costs are taken", "HxW", parse=a_size)
    patch: int | None = kept(64, "side of a training patch", "PIXELS", parse=count)
    batch: int | None = kept(8, "patches a step", "N", parse=count)
    task: str | None = kept(
        "denoise",
        "what networks learn to undo: noise (denoise, the default), blur of shake and motion (deblur), a display "
        "before the camera (udc), overexposure (hdr), or blur, overexposure and noise by chance (mixed)",
        choices=TASKS,
        default="",
    )
    kernels: str | Path | None = kept(
        None,
        "blur kernels of --task deblur and mixed, or the point spread function of --task udc: .npy, .npz, .mat, .png",
        "FILE",
        parse=a_file,
        default="made by a model",
    )
    noise: str | None = kept(
        "blend",
        "what clean photographs are degraded with: white noise on sRGB values, noise as a camera makes it in linear "
        "light, or one of both for every patch (blend); other tasks than denoise have a camera's",
        choices=("white", "camera", "blend"),
        default="",
    )
    blend: float | None = kept(0.5, "of white noise among the patches of --noise blend", "SHARE", parse=float)
    noise_profile: str | None = kept(
        None,
        "the camera's noise: wide (default), darmstadt, galaxy-s6, pixel, nexus-6, lg-g4, oppo-reno, or a file that "
        "`lpienas noise --out` wrote",
        "NAME|FILE.json",
        default="",
    )
    synthetic: float | None = kept(
        0.0,
        "of the patches, where --data holds pairs: their clean side with --noise instead of the degraded side",
        "SHARE",
        parse=float,
        default="0",
    )

    def given(self) -> dict[str, Any]:
        """Settings of a run that are asked for; kernels and a camera's noise are read by who begins it."""
        found = {name: getattr(self, name) for name in _kept_options() if name not in ("kernels", "noise_profile")}
        for name in FOLDERS:
            if found[name] is not None:
                found[name] = str(Path(found[name]).absolute())
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions(RunOptions):
    """What a search is made with and may spend."""

    family: str | None = option(None, **FAMILY)
    trials: int = option(200, "networks to score in all", "N", parse=count)
    confirm: int = option(
        5,
        "how many to train fully beside the reference (5), from the cheapest to the dearest of the front; 0: none",
        "N",
        parse=count_or_none,
        default="",
    )
    full_steps: int = FULL_STEPS
    seeds: int = option(2, "full trainings of networks that are too close to call", "N", parse=count)
    start: str = option(
        "inherited", "first weights of a full training, where there is a supernet to inherit from", choices=STARTS
    )
    least_seeds: int = option(1, "full trainings of each of them", "N", parse=count)
    tensorboard: bool = switch("keep the loss of every step, and scores, for TensorBoard: in tensorboard/ of the run")
    workers: int | None = WORKERS
    threads: int | None = WORKER_THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions(ReadOptions):
    """Which candidate is made small, and how."""

    name: str | None = option(
        None, "of what is made, for evaluate, export and bench", "NAME", default="a key of all that it is made from"
    )
    pick: str = option("knee", "knee (default), a candidate's number, under=600M, or reference", "WHICH", default="")
    steps: int = option(
        6000,
        "of the full training (6000); fine-tuning takes half, quantization-aware training as well",
        "N",
        parse=count,
        default="",
    )
    prune: float | str | None = option(
        0.3,
        "share of the MACs to remove (0.3), latency to reach (25ms), or off; beside it, a network of the search that "
        "costs as little is trained for as much computing, and the better one is kept",
        "SHARE|TIME|off",
        parse=share_or_latency_or_off,
        default="",
    )
    prune_loss: float | None = option(
        None,
        "SSIM that pruning may lose on training patches, before fine-tuning, in place of a share; with a latency, how "
        "far it goes on below that",
        "SSIM",
        parse=float,
        default="",
    )
    latency_in: str = option(
        "litert-int8",
        "runtime and precision of a latency to reach, on one thread of this host",
        choices=LATENCY_IN,
    )
    size: Size = option((256, 256), "size of a latency to reach", "HxW", parse=a_size)
    distill: float = option(
        1.0,
        "of the output of the network before pruning in the loss of fine-tuning (1); 0: none",
        "WEIGHT",
        parse=float,
        default="",
    )
    int8: str = option(
        "best",
        "",
        instead="int8",
        ways=(
            ("qat", "int8 by quantization-aware training only"),
            ("ptq", "int8 by post-training quantization only"),
            ("float", "no int8"),
        ),
    )
    in_float: tuple[str, ...] = option(
        (),
        "layers that stay float in int8 files, by the names that `lpienas sensitivity` prints; auto: the costliest, "
        "where a third of all at most brings int8 within 0.002 SSIM and 0.1 dB",
        "LAYER",
        several=True,
        accepts=lambda word: not is_path(word),
        default="",
    )
    calibration: str | Path | None = option(
        None,
        "photographs as the camera takes them, or pairs, that int8 ranges are taken from",
        "FOLDER",
        parse=a_file,
        default="training patches",
    )
    threads: int | None = TRAINING_THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Which files are made of a network, and what they say of themselves."""

    compression: str | None = COMPRESSION
    family: str | None = option(None, **FAMILY)
    pick: str = option(
        "knee", "of a run of an own family: knee (default), a candidate's number, or under=600M", "WHICH", default=""
    )
    out: Path | None = option(None, "of a network: where files go", "DIR", parse=a_file, default="beside it")
    data: Path | None = option(
        None, "of a network: pairs that files are checked on", "DIR", parse=a_file, default="test photographs"
    )
    calibration: Path | None = option(
        None, "of a network: photographs that int8 ranges are taken from", "FOLDER", parse=a_file, default="no int8"
    )
    to: tuple[str, ...] = option(
        ("onnx", "litert", "executorch"),
        "onnx, litert, executorch (default: these three), onnx-fixed (a file for each --size, which NPUs and many "
        "converters want), coreml (can be run on macOS only)",
        "FORMAT",
        choices=FORMATS,
        several=True,
        default="",
    )
    size: tuple[Size, ...] = option(
        ((512, 512),),
        "image sizes of all files but onnx, a file each, padded up to multiples of 8 (512x512); phones are usually "
        "compared at 256x256 720x1280 1080x1920 2160x3840, by the Mobile AI protocol at 1088x1920",
        "HxW",
        parse=a_size,
        several=True,
        accepts=lambda word: word[:1].isdigit() and not is_path(word),
        default="",
    )
    opset: int | None = option(
        None,
        "operators of ONNX files: 17, for older converters, to 20",
        "N",
        parse=count,
        default="as there is, or 20",
    )
    licence: str | None = option(
        None,
        "what others may do with the files, for their metadata and the model card",
        "TEXT",
        default="what was said last",
    )
    hub: Path | None = option(
        None, "of a run: also write a folder that is ready to be pushed to Hugging Face", "FOLDER", parse=a_file
    )
    workers: int = option(
        min(4, threads_here()),
        "files made at a time, about 1.2 GB each",
        "N",
        parse=count,
        default="one per processor, at most 4",
    )
    force: bool = option(False, "of a network: overwrite files that exist", parse=bool)


def settled(asked: RunOptions, made_with: RunSettings | None) -> RunSettings:
    """Settings of a run: asked for, else those that it was `made_with`, else the default."""
    known = made_with or RunSettings(**{name: told.otherwise for name, told in _kept_options().items()})
    return replace(known, **asked.given())


def _kept_options() -> dict[str, Option]:
    """The options that run.json keeps."""
    return {name: told for name, told in options_of(RunOptions).items() if name not in options_of(ReadOptions)}


def is_path(word: str) -> bool:
    return "/" in word or "\\" in word or Path(word).exists()
