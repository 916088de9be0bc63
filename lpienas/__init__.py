"""Find the best small photo-enhancement network for a phone, shrink it, and ship it.

    import lpienas

    if __name__ == "__main__":  # candidates are scored in processes, which import this file again
        small = lpienas.SearchOptions(budget="250M", trials=4, steps=80, patch=32, batch=2, confirm=1, full_steps=30)
        run = lpienas.search("runs/small", small)  # without these, a night's work
        print(run.knee.scores, run.front.says)
        run.compress(lpienas.CompressOptions(steps=40, prune=0.2, name="tiny"))
        run.export(lpienas.ExportOptions(to=("onnx",)))
        lpienas.enhance("runs/small/exported/tiny/lpienet_int8.onnx", "photo.jpg", "better.png")
        network = lpienas.load("runs/small")
        print(network.halo, network.scores)

    search, SearchOptions        score networks in a run folder, made or continued -> Run
    load_run, Run                .front, .knee, .table(), .network, .compress(...), .export(...)
    CompressOptions              which candidate is made small, and how
    ExportOptions                which files are made
    load, Network                a network or an exported file: .enhance(image), .compare(image), .size, .halo, .scores
    report, ReportOptions        one HTML file of what runs found, to decide by
    enhance                      files and folders of photographs
    evaluate                     SSIM and PSNR on photographs that a network was not trained on
    Task, Recipe                 what a network is trained for, and how
    Error                        all that a user can mend, in one sentence

Everything is loaded when it is first used; help(lpienas.search) says more. Costs are multiply-adds: 1 MAC = 2 FLOPs.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before a package is imported that would tell its makers of its use; who has set one of them has the last word.
for _off in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_off, "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

if TYPE_CHECKING:
    from lpienas.errors import Error
    from lpienas.networks import Network, load
    from lpienas.pages import ReportOptions, report
    from lpienas.photographs import enhance, evaluate
    from lpienas.runs import Run, load_run
    from lpienas.searches import search
    from lpienas.settings import CompressOptions, ExportOptions, SearchOptions
    from nas.task.task import Task
    from nas.task.training import Recipe

__all__ = [
    "CompressOptions",
    "Error",
    "ExportOptions",
    "Network",
    "Recipe",
    "ReportOptions",
    "Run",
    "SearchOptions",
    "Task",
    "enhance",
    "evaluate",
    "load",
    "load_run",
    "report",
    "search",
]

_FROM = {
    "lpienas.errors": ("Error",),
    "lpienas.networks": ("Network", "load"),
    "lpienas.pages": ("ReportOptions", "report"),
    "lpienas.photographs": ("enhance", "evaluate"),
    "lpienas.runs": ("Run", "load_run"),
    "lpienas.searches": ("search",),
    "lpienas.settings": ("CompressOptions", "ExportOptions", "SearchOptions"),
    "nas.task.task": ("Task",),
    "nas.task.training": ("Recipe",),
}


def __getattr__(name: str) -> Any:
    """A public name, from where it is defined."""
    for module, names in _FROM.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'lpienas' has no attribute {name!r}")
