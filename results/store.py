"""Store: what a stage made, by the key of what it was made from, complete once its record is there.

Another photograph, setting or first weight is another key, so nothing in the store is written over or removed, and to
go on with what was cut off is to ask for the same key again.
"""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.files import fingerprint, held_in, plain_name, read_json, write_json

RECORD = "record.json"  # name of the record in the folder of a stage
FAILED = "failed.json"  # in its place where the stage came to nothing, and would again
CHECKPOINT = "checkpoint"  # with this begin the names of what only an unfinished stage needs


@dataclass(frozen=True, slots=True)
class Stage:
    """Something to be made, and all that decides what comes of it; raises ValueError for what JSON does not hold."""

    kind: str  # training, scoring, pruning or int8
    made_from: Mapping[str, Any]  # as JSON gives it back, so that a tuple and a list are one

    def __post_init__(self) -> None:
        plain_name(self.kind, Path("a stage"))
        object.__setattr__(self, "made_from", json.loads(json.dumps(self.made_from, allow_nan=False)))

    @property
    def key(self) -> str:
        """`training-0b1c2d3e4f5a`, equal for equal values of `made_from`."""
        return f"{self.kind}-{fingerprint(self.made_from)}"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of stages, each in a folder that its key names."""

    folder: Path
    logs: Path | None = None  # folder for TensorBoard, to which what is made writes its losses; None: to none

    def at(self, key: str) -> Path:
        """Folder of one stage; raises ValueError for a key that leads out of the store."""
        return self.folder / plain_name(key, self.folder)

    def is_made(self, key: str) -> bool:
        """Whether the stage is complete."""
        return (self.at(key) / RECORD).exists()

    def record(self, key: str) -> dict[str, Any]:
        """What stands beside the weights: made_from, label, figures, cpu_seconds, where.

        Raises ValueError where that was damaged, or is of another stage.
        """
        path = self.at(key) / RECORD
        record = read_json(path)
        whole = {"kind", "made_from", "label", "figures"} <= record.keys()
        if not whole or Stage(record["kind"], record["made_from"]).key != key:
            raise ValueError(f"{path} is not of {key}, as its own words say: delete this folder to have it made again")
        return record

    def figures(self, key: str) -> dict[str, Any]:
        """What the stage came to."""
        figures: dict[str, Any] = self.record(key)["figures"]
        return figures

    def fail(self, stage: Stage, reason: str) -> None:
        """Write down that a stage came to nothing and would again, and why; what only the work needed goes."""
        write_json(self.at(stage.key) / FAILED, {"kind": stage.kind, "reason": reason, "made_from": stage.made_from})
        self._tidy(stage)

    def failure(self, key: str) -> str | None:
        """Why a stage came to nothing, and how to have it tried again; None for one that did not."""
        path = self.at(key) / FAILED
        if not path.exists():
            return None
        record = read_json(path)
        with held_in(path):
            return f"{record['reason']} (as before; delete {path} to have it tried again)"

    def keep(self, stage: Stage, label: str, figures: Mapping[str, Any], cpu_seconds: float) -> None:
        """Complete a stage: its record is written, and what only the work needed goes.

        `label` says in words what the stage is, from what it was made from. That it was this process that completed it
        is written down too.
        """
        record = {"kind": stage.kind, "label": label, "figures": figures, "cpu_seconds": cpu_seconds}
        record["where"] = {"host": platform.node(), "process": os.getpid()}
        write_json(self.at(stage.key) / RECORD, record | {"made_from": stage.made_from})
        self._tidy(stage)

    def _tidy(self, stage: Stage) -> None:
        for used in self.at(stage.key).glob(f"{CHECKPOINT}*"):
            used.unlink()
