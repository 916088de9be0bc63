"""Interrupted workers: whenever Ctrl-C comes, it ends a worker process without a word, or leaves it alone."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.where.parent import end_with_interrupt, ignore_interrupt, unheard

CONTEXT = multiprocessing.get_context("spawn")
ROOT = Path(__file__).parents[1]


def ends(ready: Path, go: Path) -> None:
    _until(ready, go)
    end_with_interrupt()
    time.sleep(60)


def ignores(ready: Path, go: Path) -> None:
    _until(ready, go)
    ignore_interrupt()
    os.kill(os.getpid(), signal.SIGINT)


def _until(ready: Path, go: Path) -> None:
    ready.touch()
    while not go.exists():
        time.sleep(0.01)


@pytest.mark.parametrize(("work", "status"), [(ends, 130), (ignores, 0)])
def test_an_interrupt_while_a_worker_begins_is_heard_once_it_listens_and_nothing_is_said(work, status, tmp_path, capfd):
    ready, go = tmp_path / "ready", tmp_path / "go"
    process = CONTEXT.Process(target=work, args=(ready, go))
    with unheard():
        process.start()
    for moment in range(100):  # at any moment, while Python begins there too
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.02)
        if ready.exists() and moment > 20:
            break
    while not ready.exists():
        time.sleep(0.01)
    go.touch()
    process.join(60)
    assert process.exitcode == status
    assert capfd.readouterr().err == ""


def interrupt_meanwhile() -> None:
    with unheard():
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def test_an_interrupt_that_comes_while_workers_are_begun_is_not_lost():
    with pytest.raises(KeyboardInterrupt):
        interrupt_meanwhile()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


IN_BACKGROUND = """
import signal
from nas.where.parent import end_with_interrupt
end_with_interrupt()
signal.raise_signal(signal.SIGINT)
print("went on")
"""


def test_a_worker_of_what_goes_on_in_spite_of_ctrl_c_goes_on_too():
    """As behind `&` in a script, whose commands are begun with Ctrl-C ignored."""
    script = f"{sys.executable} -c '{IN_BACKGROUND}' & wait $!"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "went on\n")
