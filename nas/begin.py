"""Begin: what a study is of is written down by the first search that feeds it, and held against every later one."""

import platform
import time
from pathlib import Path
from typing import Any

import optuna

from nas.scoring.supernet import have_supernet, supernet_digest
from nas.searching import Searching
from results.front import ReferencePoint
from results.leases import Leases
from results.progress import Watcher
from results.record import FOLDERS, OF_SUPERNET, SHARED
from results.standing import ask
from results.study import (
    PHOTOGRAPHS,
    SETTINGS,
    fix,
    fix_reference_point,
    fix_supernet,
    fixed_supernet,
    name_metrics,
    record_test_input,
)

_PAUSE = 0.5  # seconds between two tries of what another search is doing


def begin_study(searching: Searching, study: optuna.Study, leases: Leases, watcher: Watcher) -> Path | None:
    """Fix what all scores of a study have in common; returns the supernet that gives them, where one does.

    Raises ValueError where the study is of something else.
    """
    task, settings = searching.task, searching.settings
    while not leases.claim("begin"):
        time.sleep(_PAUSE)
    try:
        name_metrics(study, settings.cost)
        if leases.me is not None:
            if SETTINGS not in study.user_attrs:
                study.set_user_attr(SETTINGS, _of_all_machines(searching))
            fix(study, PHOTOGRAPHS, task.photos.fingerprint, "its photographs are others")
            if settings.cost == "latency":
                fix(study, "latency of", platform.node(), "its latencies were measured on another machine")
        fix_reference_point(study, ReferencePoint(task.input.ssim, searching.cost_of(searching.dearest)))
        record_test_input(study, task.test_input.ssim)
        ask(study, trials=settings.trials)
    finally:
        leases.give_up("begin")
    if settings.score not in OF_SUPERNET:
        return None
    path = searching.supernet.at(searching.run.supernet)
    missing, work = leases.me is not None and not path.exists(), f"supernet {path.name}"
    # Of the same training another processor makes other weights.
    if missing and (fixed_supernet(study, path.name) is not None or not leases.claim(work)):
        raise ValueError(
            f"the scores of this study are by the supernet of another machine: copy {path.name} from the folder "
            f"supernet/ of its run to {path.parent} once it is there, and run this again; or search with --score "
            "short or halving, in another --study"
        )
    supernet = have_supernet(searching.supernet, searching.run.supernet, watcher)
    fix_supernet(study, supernet.name, supernet_digest(supernet))
    leases.done(work)
    return supernet


def _of_all_machines(searching: Searching) -> dict[str, Any]:
    """The settings of the run, but for those that each machine has itself."""
    stated = searching.run.settings().to_json()
    stated |= dict.fromkeys(FOLDERS)
    return {name: value for name, value in stated.items() if name not in ("sampler", *SHARED)}
