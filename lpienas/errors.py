"""Errors: one root, so that what a user can mend becomes one line, and a fault of ours or of a library keeps its trace.

The packages below raise ValueError, FileNotFoundError and their like, as Python does. On the way out of the library
they become an `Error`, with the first one as its cause, if our own code raised them or the system refused a file.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from traceback import walk_tb
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

PACKAGES = ("lpienas", "compress", "nas", "results", "search_spaces")
EXTRAS = {  # of setup.cfg: what each brings, as it is imported
    "search": (
        *("optuna", "sqlalchemy", "fvcore", "pytorch_msssim", "scipy", "skimage", "sklearn", "matplotlib"),
        *("plotext", "tifffile", "vl_convert"),
    ),
    "export": (
        *("torch_pruning", "torchao", "onnx", "onnxscript", "litert_torch", "ai_edge_quantizer", "executorch"),
        "huggingface_hub",
    ),
    "perceptual": ("piq",),
    "tensorboard": ("tensorboardX",),
    "storage": ("psycopg", "grpc", "google"),
    "openvino": ("openvino",),
    "ray": ("ray",),
    "coreml": ("coremltools",),
}
_TOLD_BY_WORKERS = ("_RemoteTraceback", "Elsewhere")  # causes of errors, of concurrent.futures and of nas.where.works
_ROOT = Path(__file__).parents[1]
_MENDABLE = (ValueError, RuntimeError, ImportError)


class Error(Exception):
    """What lpienas refuses to do, or could not do; the message says why, and what to do about it."""


@contextmanager
def told() -> Iterator[None]:
    """Within it an error that a user can mend becomes an `Error`; any other one passes as it is."""
    try:
        yield
    except Error:
        raise
    except BrokenPipeError:  # who reads the output has gone
        raise
    except ModuleNotFoundError as error:
        if (extra := extra_of(error.name)) is None and not _is_ours(error):
            raise
        raise Error(str(error) if extra is None else missing(error.name, extra)) from error
    except OSError as error:
        raise Error(_of_system(error)) from error
    except _MENDABLE as error:
        if not _is_ours(error):
            raise
        raise Error(str(error)) from error


def tells(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """`function`, of which every error that a user can mend is an `Error`."""

    @wraps(function)
    def telling(*arguments: _P.args, **named: _P.kwargs) -> _T:
        with told():
            return function(*arguments, **named)

    return telling


def extra_of(module: str | None) -> str | None:
    """The extra that brings `module`, or None."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, brings in EXTRAS.items() if top in brings), None)


def missing(module: str | None, extra: str) -> str:
    """What to say where `module` of `extra` is not installed."""
    return f"this needs {module}, which is not installed: pip install 'lpienas[{extra}]'"


def _of_system(error: OSError) -> str:
    """An OSError names its file and its reason, unless one of ours said it better."""
    if error.errno is None or error.strerror is None:
        return str(error)
    names = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    return f"{names}: {error.strerror}" if names else error.strerror


def _is_ours(error: BaseException) -> bool:
    """Whether the innermost frame that raised `error` is of our packages, in this process or in a worker of it."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    told_by_worker = str(error.__cause__) if type(error.__cause__).__name__ in _TOLD_BY_WORKERS else ""
    if told_by_worker:  # its frames come as text
        files = re.findall(r'^  File "(.+?)", line \d+, in ', told_by_worker, re.MULTILINE)
        return bool(files) and any(Path(files[-1]).is_relative_to(_ROOT / package) for package in PACKAGES)
    return bool(frames) and str(frames[-1].f_globals.get("__name__", "")).partition(".")[0] in PACKAGES
