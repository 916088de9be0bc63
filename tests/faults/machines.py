"""Machines: what a search needs beside its own process ends: a node of its Ray cluster, or its study's database."""

import os
import time
from unittest.mock import patch

from results.address import PASSWORD
from tests import postgres
from tests.faults.fault import Came, Place
from tests.faults.searching import begin, compared, lines_of, told, trials_of, wait_until
from tests.postgres import running_postgres
from tests.ray_nodes import two_nodes


def node_killed(place: Place) -> Came:
    """`kill -9` of one of two nodes of a Ray cluster while both train: its candidate is trained on the other."""
    run = place.folder / "run"
    with two_nodes() as cluster:
        begun = begin(place, more=("--ray", cluster.address, "--workers", "2", "--steps", "20"))
        wait_until(begun, lambda: told(run) >= 1)
        before = trials_of(run)
        assert not begun.has_ended(), begun.says.read_text()[-2000:]
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        killed, lines = time.monotonic(), lines_of(run)
        wait_until(begun, lambda: lines_of(run) != lines)
        seconds = time.monotonic() - killed
        assert begun.wait() == 0, begun.says.read_text()[-2000:]
    assert all(trial.state != "FAIL" for trial in trials_of(run))
    return compared(place, before, seconds, alike=False)


def database_killed(place: Place) -> Came:
    """`kill -9` of PostgreSQL while a search feeds a study there; it is begun again, and the search goes on."""
    run = place.folder / "run"
    with running_postgres() as server, patch.dict(os.environ, {PASSWORD: postgres.PASSWORD}):
        begun = begin(place, more=("--storage", server.create("faults"), "--study", "night"))
        wait_until(begun, lambda: told(run) >= 2)
        before = trials_of(run)
        server.kill()
        wait_until(begun, lambda: "does not answer" in begun.says.read_text())
        assert not begun.has_ended(), begun.says.read_text()[-2000:]
        server.start()
        started, lines = time.monotonic(), lines_of(run)
        wait_until(begun, lambda: lines_of(run) != lines)
        seconds = time.monotonic() - started
        assert begun.wait() == 0, begun.says.read_text()[-2000:]
        return compared(place, before, seconds, alike=False)  # searches that share a study draw by their own names
