"""Run settings: all that a run folder is made with, and keeps, as it is asked for."""

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
)
from lpienas.shared import DEGRADATION, FIX, OWN_LOSS
from results.photo_score import SEVERAL
from results.record import FOLDERS, RunSettings

LATENCY_IN = ("onnx-float", "onnx-int8", "litert-float", "litert-int8")
TASKS = ("denoise", "deblur", "udc", "hdr", "mixed")
RECIPES = ("default", "demo", "short", "full", "paper")
LOSSES = ("ssim", "gradient", "clipped", "fft", "adversarial", "relative")
_FILES = ("kernels", "noise_profile", "teacher", "degradation", "own_loss")  # are read by who begins a run
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
    least_judged: int | None = kept(
        SEVERAL,
        "degraded photographs of each of these parts, at least: fewer clean ones are degraded at several levels each, "
        "and what is said of one is the mean over its levels",
        "N",
        parse=count,
    )
    score: str | None = kept(
        "short",
        "how candidates are scored: by a short training each from scratch (short, the default), by successive halving "
        "of short trainings, by weights that all share (supernet), or by the same after a little training of each "
        "(tuned)",
        choices=("short", "halving", "supernet", "tuned"),
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
    steps: int | None = kept(None, "training of each (400), or of the supernet (8000)", "N", parse=count, default="")
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
    shown: float | None = kept(
        0.0,
        "of what --task deblur and mixed blur: the mean of frames as they are shown, as GoPro's pairs are made of a "
        "video, in the place of light's",
        "SHARE",
        parse=float,
        default="0",
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

    recipe: str | None = kept(
        "default",
        "trials, steps, and how full trainings go: minutes on samples (demo), an hour (short), a night (full), or as "
        "LPIENet's paper trains (paper: Adam, 500 epochs, L1 + SSIM + gradient loss); other options win over it",
        choices=RECIPES,
    )
    loss: tuple[str, ...] | None = kept(
        (),
        f"weights of the loss's terms beside L1: {', '.join(LOSSES)}; gradient is of edge magnitudes, adversarial of a "
        "critic of them that learns beside the network, in full trainings; relative says how far an image counts by "
        "the loss of the degraded one (0 to 1), so that nearly clean ones count too",
        "TERM=WEIGHT",
        several=True,
        accepts=lambda word: "=" in word,
        default="ssim=0.1",
    )
    teacher: str | Path | None = kept(
        None,
        "a run, a network's .json or an .onnx file, whose outputs are a part of what networks learn",
        "FILE|RUN",
        parse=a_file,
        default="none",
    )
    teacher_share: float | None = kept(0.5, "of the teacher's output in it", "SHARE", parse=float)
    degradation: str | None = kept(None, **DEGRADATION)
    own_loss: str | None = kept(None, **OWN_LOSS)
    storage: str | None = kept(
        None,
        "a study that searches on several machines feed: postgresql://USER@HOST/DATABASE, grpc://HOST:PORT (Optuna's "
        "proxy) or sqlite:///FILE; its settings are taken where none are given. A password is better in ~/.pgpass, "
        "PGPASSWORD or LPIENAS_STORAGE_PASSWORD than here",
        "ADDRESS",
        default="study.journal in the run folder",
    )
    study: str | None = kept("lpienas", "its name in --storage, which may hold several", "NAME")

    def given(self) -> dict[str, Any]:
        """Settings of a run that are asked for; files are read by who begins it."""
        found = {name: getattr(self, name) for name in _kept_options() if name not in _FILES}
        for name in FOLDERS:
            if found[name] is not None:
                found[name] = str(Path(found[name]).absolute())
        return {name: value for name, value in found.items() if value is not None}


def settled(asked: RunOptions, made_with: RunSettings | None) -> RunSettings:
    """Settings of a run: asked for, else those that it was `made_with`, else the default."""
    known = made_with or RunSettings(**{name: told.otherwise for name, told in _kept_options().items()})
    return replace(known, **asked.given())


def _kept_options() -> dict[str, Option]:
    """The options that run.json keeps."""
    return {name: told for name, told in options_of(RunOptions).items() if name not in options_of(ReadOptions)}
