"""Scoring: how many candidates a minute a search scores by its supernet, the sampler and the study's file included.

    python benchmarks/scoring.py runs/night --trials 300

Searches anew, in a temporary folder, with the settings and the trained supernet of a run. Counted from the start of the
first candidate that a sampler proposed to the end of the last one; starting the processes is not in it.
"""

import argparse
import os
import resource
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from optuna.trial import FrozenTrial, TrialState

from command import lpienas
from results.run import Run
from results.study import open_study

_SETTINGS = ("data", "budget", "size", "sampler", "seed", "steps", "patch", "batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        shutil.copytree(Run(options.run).supernet, Run(Path(folder)).supernet)
        _search(options, Path(folder))
        scored = [trial for trial in _trials(Path(folder)) if trial.state is TrialState.COMPLETE and trial.params]
    starts = [trial.datetime_start for trial in scored if trial.datetime_start is not None]
    ends = [trial.datetime_complete for trial in scored if trial.datetime_complete is not None]
    seconds = (max(ends) - min(starts)).total_seconds()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(scored)} candidates in {seconds:.0f} s with {options.workers} workers: "
        f"{60 * len(scored) / seconds:.0f} a minute, {(used.ru_utime + used.ru_stime) / len(scored):.2f} processor "
        "seconds each with the start of the processes"
    )


def _search(options: argparse.Namespace, folder: Path) -> None:
    made_with = Run(options.run).settings().to_json()
    words: list[object] = ["search", "--out", folder, "--trials", options.trials]
    words += ["--confirm", 0, "--workers", options.workers]
    for name in _SETTINGS:
        value = "x".join(map(str, made_with[name])) if name == "size" else made_with[name]
        if value is not None:
            words += [f"--{name}", value]
    if made_with["fix"]:
        words += ["--fix", *made_with["fix"]]
    lpienas(*words)


def _trials(folder: Path) -> list[FrozenTrial]:
    return open_study(Run(folder).study).get_trials(deepcopy=False)


if __name__ == "__main__":
    main()
