"""Settings: what can be asked of a search, a compression and an export, by Python and by the command."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lpienas.fields import (
    a_file,
    a_size,
    count,
    count_or_none,
    levels_or_auto,
    option,
    seconds,
    share_or_cost_or_off,
    switch,
    threads_here,
)
from lpienas.run_settings import LATENCY_IN, ReadOptions, RunOptions, Size
from lpienas.shared import COMPRESSION, FAMILY, GPUS_PER_TRIAL, RAY, TRAINING_THREADS, WORKER_THREADS, WORKERS

FORMATS = ("onnx", "onnx-fixed", "litert", "executorch", "coreml")
IO = ("float", "uint8", "int8")
STARTS = ("inherited", "scratch")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions(RunOptions):
    """What a search is made with and may spend."""

    family: str | None = option(None, **FAMILY)
    trials: int | None = option(
        None, "networks to score in all (60, or as --recipe says)", "N", parse=count, default=""
    )
    confirm: int | None = option(
        None,
        "how many to train fully beside the reference (5, or as --recipe says): hand-made ones for half of them, the "
        "others from the cheapest to the dearest; 0: none",
        "N",
        parse=count_or_none,
        default="",
    )
    full_steps: int | None = option(
        None, "of a full training (6000, or as --recipe says)", "N", parse=count, default=""
    )
    seeds: int = option(2, "full trainings of networks that are too close to call", "N", parse=count)
    start: str = option(
        "inherited", "first weights of a full training, where there is a supernet to inherit from", choices=STARTS
    )
    least_seeds: int = option(1, "full trainings of each of them", "N", parse=count)
    lease: float | None = option(
        None,
        "seconds without a sign of life after which the candidates of a search in --storage are others'; the first "
        "search of a study decides",
        "SECONDS",
        parse=seconds,
        default="60",
    )
    tensorboard: bool = switch("keep the loss of every step, and scores, for TensorBoard: in tensorboard/ of the run")
    workers: int | None = WORKERS
    threads: int | None = WORKER_THREADS
    ray: str | None = RAY
    gpus_per_trial: float | None = GPUS_PER_TRIAL


def is_path(word: str) -> bool:
    return "/" in word or "\\" in word or Path(word).exists()


def _layers(says: str) -> Any:
    """A field of names of a network's layers."""
    return option((), says, "LAYER", several=True, accepts=lambda word: not is_path(word), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressOptions(ReadOptions):
    """Which candidate is made small, and how."""

    name: str | None = option(
        None, "of what is made, for evaluate, export and bench", "NAME", default="a key of all that it is made from"
    )
    pick: str = option("knee", "knee (default), a candidate's number, under=600M, or reference", "WHICH", default="")
    steps: int | None = option(
        None,
        "of the full training (6000, or as the run's recipe says); fine-tuning takes half, quantization-aware training "
        "as well",
        "N",
        parse=count,
        default="",
    )
    prune: float | str | None = option(
        0.3,
        "share of the MACs to remove (0.3), MACs (100M) or latency (25ms) to reach, or off; beside it, a network of "
        "the search that costs as little is trained for as much computing, and the better one is kept",
        "SHARE|COST|off",
        parse=share_or_cost_or_off,
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
    in_float: tuple[str, ...] = _layers(
        "layers that stay float in int8 files, by the names that `lpienas sensitivity` prints; auto: the costliest, "
        "where a third of all at most brings int8 within 0.002 SSIM and 0.1 dB"
    )
    wide: tuple[str, ...] = _layers(
        "layers whose activations have 16 bits in int8 files (ExecuTorch keeps them in float); auto: the "
        "costliest, as many as bring int8 within 0.002 SSIM and 0.1 dB"
    )
    twice: int | str = option(
        0,
        "of the highest levels, whose channels int8 holds in two copies, half a step apart: it loses a third to a half "
        "less, for more multiply-adds; auto: one, where int8 loses more than 0.002 SSIM or 0.1 dB without",
        "LEVELS",
        parse=levels_or_auto,
        default="none",
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
    io: str = option(
        "float",
        "what int8 files take and give: float (values in [0, 1]), uint8 (levels of a picture) or int8 (levels less "
        "128, as NPUs take them; ExecuTorch has no uint8); with integers there is no float operator in the file",
        "TYPE",
        choices=IO,
    )
    activations: int = option(
        8,
        "of int8 files; 16 costs time and keeps nearly all of the quality, in ONNX and LiteRT",
        "8|16",
        parse=count,
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
