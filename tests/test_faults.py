"""Faults: after each of them the same command goes on, and every trial is there once, as without the fault."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.chaos import chaos
from tests.faults.fault import Fault, Place
from tests.faults.processes import Forks, forks
from tests.faults.rows import FAULTS
from tests.faults.searching import TRIALS, begin, completed
from tests.small_photos import small_photos

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes and files are looked up in /proc")


@pytest.fixture(scope="module")
def forking():
    with forks() as begun:
        yield begun


@pytest.fixture(scope="module")
def undisturbed(forking: Forks, tmp_path_factory) -> Place:
    home = tmp_path_factory.mktemp("undisturbed")
    place = Place(home, small_photos(home / "photographs"), home / "run", forking, 0)
    begun = begin(place)
    assert begun.wait() == 0, begun.says.read_text()
    assert len(completed(home / "run")) == TRIALS
    return place


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.short], ids=lambda fault: fault.name)
def test_after_a_fault_nothing_is_lost_and_nothing_twice(fault: Fault, undisturbed: Place, tmp_path: Path):
    came = fault.inject(Place(tmp_path, undisturbed.data, undisturbed.undisturbed, undisturbed.processes, 1))
    assert (came.lost, came.doubled) == (0, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_after_kills_at_random_nothing_is_lost_and_nothing_twice(workers: int, undisturbed: Place, tmp_path: Path):
    kills, came, _ = chaos(replace(undisturbed, folder=tmp_path, seed=1), trials=12, seconds=6, workers=workers)
    assert kills >= 1
    assert (came.lost, came.doubled) == (0, 0)
