"""Asked: all that decides a compression, which is known before any photograph is decoded, and its key."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from compress.settings import CompressSettings, Fast
from nas.prepare import known_device
from nas.scoring.training import SCRATCH
from nas.task.data.listing import list_folder
from nas.task.data.manifest import Photographs
from nas.task.data.tiles import default_folder
from nas.task.task import Task, TaskSettings
from results.candidate import Candidate
from results.files import fingerprint
from results.record import OF_SUPERNET
from results.run import Run
from results.store import Stage
from results.study import REFERENCE_NUMBER, candidates, open_study, stated_start

_METHOD = 2  # counts the changes of what a compression does that no other part of its key tells


@dataclass(frozen=True, slots=True)
class Asked:
    """A compression that is asked for."""

    chosen: Candidate
    settings: CompressSettings
    inherits: bool  # whether its trainings begin with weights of the run's supernet
    made_from: Mapping[str, Any]  # all that decides what comes of it, in plain values

    @property
    def key(self) -> str:
        """A name for all that decides it."""
        return fingerprint(self.made_from)


def asked_on(run: Run, chosen: Candidate, settings: CompressSettings, task: Task) -> Asked:
    """A compression on a task that is opened; raises DataError for photographs to calibrate on that are of no use."""
    return _asked(run, chosen, settings, task.trains_on, task.device.precision)


def asked_unopened(run: Run, chosen: Candidate, settings: CompressSettings) -> Asked | None:
    """The same by what the run wrote down of its photographs and of this machine; None where it did not."""
    device = known_device(run.device)
    if device is None or not run.photographs.exists():
        return None
    trains_on = TaskSettings.of_run(run.settings()).made_from(Photographs.read(run.photographs).fingerprint)
    return _asked(run, chosen, settings, trains_on, device.precision)


def _asked(
    run: Run, chosen: Candidate, settings: CompressSettings, trains_on: Mapping[str, Any], precision: str
) -> Asked:
    study, asked, folder = open_study(run.study), settings.prune, settings.calibration
    # As the search trained its best, so that what it trained is found again.
    scored_so = run.settings().score in OF_SUPERNET and any(run.supernet.glob("supernet-*.safetensors"))
    inherits = scored_so and stated_start(study) != SCRATCH and chosen.number != REFERENCE_NUMBER
    found = [[c.number, c.scores.macs, c.scores.ssim] for c in candidates(study.get_trials(deepcopy=False))]
    made_from = {
        "candidate": chosen.number,
        "genotype": chosen.genotype.to_json(),
        "settings": _plain(settings),
        "calibration": None if folder is None else list_folder(folder, default_folder(), _patch(trains_on)).fingerprint,
        "inherits": inherits,
        "candidates": None if asked is None else fingerprint(found),  # the control is one of them
        "trains_on": dict(trains_on),
        "precision": precision,
        "measured_by": asked.timing.made_by if isinstance(asked, Fast) else None,
        "method": _METHOD,
    }
    return Asked(chosen, settings, inherits, Stage("compression", made_from).made_from)


def _plain(settings: CompressSettings) -> dict[str, Any]:
    """For keys: `wide` and `twice`, which older compressions do not know, only where they are asked for."""
    values = asdict(replace(settings, calibration=None))
    return {name: value for name, value in values.items() if value or name not in ("wide", "twice")}


def _patch(trains_on: Mapping[str, Any]) -> int:
    """Pixels per side that a photograph to calibrate on must have."""
    return int(trains_on["task"]["patch"])
