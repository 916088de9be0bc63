"""Machines: what a search needs beside its own process ends: a node of its Ray cluster, or its study's database."""

import os
from unittest.mock import patch

from results.address import PASSWORD
from tests import postgres
from tests.faults.fault import Came, Place
from tests.faults.searching import begin, told, trials_of, wait_until, went_on
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
        came = went_on(place, begun, before)
    assert all(trial.state != "FAIL" for trial in trials_of(run))
    return came


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
        return went_on(place, begun, before)  # searches that share a study draw by their own names
