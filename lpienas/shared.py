"""Shared: options that several verbs have and that mean the same in each, told once."""

from typing import Any

from lpienas.fields import a_file, count, named, needed, option, switch, threads_here

A_RUN: Any = named("run folder", "RUN", parse=a_file)
A_RUN_OR_NETWORK: Any = named(
    "run folder (its compressed network), a network (its .json, with the .safetensors beside it), or denoise, the one "
    "that comes with the package",
    "RUN|NETWORK",
    parse=a_file,
)
A_RUN_TO_WRITE: Any = needed("run folder, made or continued", "RUN", parse=a_file)
COMPRESSION: Any = option(None, "of a run: which one", "NAME", default="the one that was asked for last")
FIX: dict[str, Any] = {  # of a search and of what shows its space
    "says": "leave genes these choices: activation=relu attention=none,spatial encoder1.depth=1; or ones that the "
    "space leaves out: head=gated stem=space-to-depth block=paper",
    "shows": "GENE=VALUE",
    "several": True,
    "accepts": lambda word: "=" in word,
    "default": "",
}
DEGRADATION: dict[str, Any] = {
    "says": "a degradation of your own, in the place of --task's and --noise: a Python file, which is run, and what in "
    "it is the degradation",
    "shows": "FILE.py:NAME",
    "default": "",
}
OWN_LOSS: dict[str, Any] = {
    "says": "a loss of your own, in the place of --loss: a Python file, which is run, and the function in it",
    "shows": "FILE.py:NAME",
    "default": "",
}
FAMILY: dict[str, Any] = {
    "says": "networks of your own: the file that defines them, which is run, and what in it is the family",
    "shows": "FILE.py:NAME",
    "default": "",
}
FULL_STEPS: Any = option(6000, "of a full training", "N", parse=count)
WHOLE: Any = switch(
    "judge photographs whole (default: at most 384x384 pixels around the centre, as the run itself is judged)"
)
WORKERS: Any = option(
    None,
    "candidates at a time",
    "N",
    parse=count,
    default="one a processor, at most 4; on a GPU one; on a Ray cluster as many as it has room for",
)
RAY: Any = option(
    None,
    "score candidates on a Ray cluster: on one that begins on this machine (local), or on the one at an address, as "
    "HOST:6379, or auto on one of its machines",
    "local|ADDRESS",
    default="",
)
GPUS_PER_TRIAL: Any = option(
    None, "of a Ray cluster: the part of a GPU that each worker gets, as 0.5, or 1", "N", parse=float, default="0"
)
WORKER_THREADS: Any = option(None, "processor threads of each worker", "N", parse=count, default="1")
TRAINING_THREADS: Any = option(None, "processor threads", "N", parse=count, default="one or all, whichever is faster")
ALL_THREADS: Any = option(threads_here(), "processor threads", "N", parse=count, default="all")
