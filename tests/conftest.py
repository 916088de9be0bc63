"""What several test files share."""

import pytest

from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Decoded photographs are kept for the time of the tests only, and not among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LPIENAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def task() -> Task:
    """The sample photographs in small patches; frozen, so one serves all tests of a process."""
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test"))
