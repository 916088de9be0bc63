"""Fault: something that goes wrong while a search runs, injected for real, and what came of it after resuming."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.processes import Processes


@dataclass(frozen=True, slots=True)
class Came:
    """What one injection of a fault came to."""

    lost: int  # trials that were completed, or are of an undisturbed search, and are not there as they were
    doubled: int  # trials that are there twice, or one too many
    seconds: float  # from the same command again to the next change of the study; 0: it went on by itself


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is injected."""

    folder: Path  # empty, for this injection alone
    data: Path  # photographs, to be copied where they are changed
    undisturbed: Path  # a finished search of the same options
    processes: Processes
    seed: int  # of what is drawn


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table. `inject` does the search, the fault and the resuming; raises AssertionError where what the
    command says, or how it ends, is not right."""

    name: str
    inject: Callable[[Place], Came]
    short: bool = True  # whether it is among the ordinary tests
