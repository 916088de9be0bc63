"""Spent: the seconds of a call that was cut off count, whether it ended by an error or by a kill."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from results.files import read_json
from results.progress import Silent
from results.spent import Counting, Spent

ROOT = Path(__file__).parents[1]
WORK = """
import sys
from pathlib import Path
import results.spent
from results.progress import Silent

results.spent.SECONDS = 0.0
with results.spent.Spent(Path(sys.argv[1])) as spent:
    watcher = results.spent.Counting(Silent(), spent)
    while True:
        sum(range(1000))
        watcher.at(1)
"""


def work(seconds: float) -> None:
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        pass


def test_a_call_that_ends_by_an_error_counts(tmp_path):
    path = tmp_path / "spent.json"
    with suppress(KeyError), Spent(path):
        work(0.05)
        raise KeyError
    with Spent(path) as spent:
        work(0.05)
    assert 0.1 <= spent.seconds() < 1
    assert read_json(path)["cpu_seconds"] == pytest.approx(spent.seconds(), abs=0.05)


def test_a_call_that_was_killed_counts_but_for_its_last_seconds(tmp_path):
    path = tmp_path / "spent.json"
    process = subprocess.Popen([sys.executable, "-c", WORK, str(path)], cwd=ROOT)
    for _ in range(600):
        if path.exists() and read_json(path)["cpu_seconds"] > 0.1:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert Spent(path).seconds() > 0.1


def test_what_was_spent_before_there_was_a_file_and_in_other_processes_counts(tmp_path):
    with Spent(tmp_path / "spent.json", 40.0) as spent:
        spent.others = lambda: 2.0
    assert 42 <= read_json(tmp_path / "spent.json")["cpu_seconds"] < 43


def test_a_watcher_that_counts_tells_all_that_it_is_told(tmp_path):
    told = []

    class Told(Silent):
        def begin(self, stage, total):
            told.append((stage, total))

        def at(self, done, note=""):
            told.append((done, note))

        def say(self, line):
            told.append(line)

    watcher = Counting(Told(), Spent(tmp_path / "spent.json"))
    watcher.begin("search", 3)
    watcher.at(1, "best")
    watcher.say("done")
    assert told == [("search", 3), (1, "best"), "done"]
