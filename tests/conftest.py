"""What several test files share."""

import pytest

from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos


@pytest.fixture(scope="session")
def task() -> Task:
    """The sample photographs in small patches; frozen, so one serves all tests of a process."""
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test"))
