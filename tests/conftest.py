"""What several test files share."""

import os
from pathlib import Path

import pytest
import torch

from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from tests.browser import MISSING, chromium
from tests.compressed import keep_compression
from tests.interrupts import hear_interrupts

# Files that take longest. They begin first, so that two processes end at about the same time.
LONGEST = ("test_chain", "test_export", "test_compress", "test_compress_int8", "test_sensitivity", "test_prune")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of LONGEST in their order, then the others."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Decoded photographs are kept for the time of the tests only, and not among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LPIENAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Tests of Ctrl-C hold in the background too."""
    hear_interrupts()


@pytest.fixture(autouse=True)
def threads_as_before():
    """Each test begins with as many threads as the first one: what ran before it in this process says nothing."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.fixture(scope="session")
def task() -> Task:
    """The sample photographs in small patches; frozen, so one serves all tests of a process."""
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test"))


@pytest.fixture
def model(tmp_path) -> Path:
    """A run folder with a compressed network, small and untrained."""
    stages = (Stage(depth=1, width=4, attention="none"),) * 5
    blueprint = Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3"))
    keep_compression(Run(tmp_path / "model"), {"float": build(blueprint, seed=0)})
    return tmp_path / "model"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        if found is None:
            assert not os.environ.get("CI"), MISSING
            pytest.skip(MISSING)
        yield found
