"""Installation: versions, device, runtimes and extras of this Python, and what is not as it should be."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from lpienas.errors import EXTRAS
from lpienas.fields import threads_here
from nas.task.data.vips import vips

_PACKAGES = {  # imported name -> name of the distribution, where they differ
    **{
        "sqlalchemy": "SQLAlchemy",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "PIL": "pillow",
        "grpc": "grpcio",
        "google": "protobuf",
    },
    **{name: name.replace("_", "-") for name in ("pytorch_msssim", "torch_pruning", "litert_torch", "ai_edge_litert")},
    "ai_edge_quantizer": "ai-edge-quantizer",
    "vl_convert": "vl-convert-python",
}
_CORE = ("torch", "numpy", "safetensors", "pyvips", "PIL", "onnxruntime", "ai_edge_litert", "rich", "filelock")
_RUNTIMES = {  # how a file or network is run: the module that does, and what brings it
    "PyTorch (networks)": ("torch", "lpienas"),
    "ONNX Runtime (.onnx)": ("onnxruntime", "lpienas"),
    "LiteRT (.tflite)": ("ai_edge_litert", "lpienas"),
    "ExecuTorch (.pte)": ("executorch", "lpienas[export]"),
    "OpenVINO (.onnx in bench)": ("openvino", "lpienas[openvino]"),
    "Core ML (.mlpackage)": ("coremltools", "lpienas[coreml]"),
}
_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Installation:
    """What `look` found."""

    python: str
    platform: str
    device: str  # that trainings run on
    processors: int
    threads: int  # that torch takes if nobody says
    versions: dict[str, str]  # by distribution
    runtimes: dict[str, str]  # version, or how to install it
    extras: dict[str, list[str]]  # what each lacks
    findings: list[str]  # sentences on what is not as it should be


def look() -> Installation:
    """What is there, without loading any of it but torch."""
    lacks = {extra: [_package(one) for one in brings if not _there(one)] for extra, brings in EXTRAS.items()}
    named = [*_CORE, *(one for brings in EXTRAS.values() for one in brings)]
    device, threads = _device()
    return Installation(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        device=device,
        processors=threads_here(),
        threads=threads,
        versions={"lpienas": _version("lpienas")} | {_package(one): _version(_package(one)) for one in named},
        runtimes={name: _runtime(module, brought) for name, (module, brought) in _RUNTIMES.items()},
        extras=lacks,
        findings=_findings(threads),
    )


def _findings(threads: int) -> list[str]:
    found = [f"{_package(one)} is missing: pip install --upgrade lpienas" for one in _CORE if not _there(one)]
    if _there("pyvips"):
        try:
            vips()
        except (ImportError, OSError) as error:
            found.append(f"pyvips does not load, so photographs cannot be read: {error}; pip install 'pyvips[binary]'")
    if platform.system() != "Darwin":
        found.append("Core ML files can be written here and run on macOS only")
    if _THREADS in os.environ and threads < threads_here():
        found.append(f"{_THREADS}={os.environ[_THREADS]} leaves torch {threads} of {threads_here()} processors")
    return found


def _device() -> tuple[str, int]:
    """What trainings run on, and torch's threads."""
    if not _there("torch"):
        return "none: torch is missing", 0
    import torch

    from nas.task.device import fastest, processor

    name = fastest()
    where = torch.cuda.get_device_name(0) if name == "cuda" else processor()
    return f"{name} ({where})", torch.get_num_threads()


def _runtime(module: str, brought: str) -> str:
    return _version(_package(module)) if _there(module) else f"not there: pip install '{brought}'"


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # a module that is loaded without a spec, or held back by a test
        return False


def _package(module: str) -> str:
    return _PACKAGES.get(module, module)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
