"""Vips: libvips has all of its threads from the start, since one that goes may take a task with it."""

import subprocess
import sys
from pathlib import Path

import pytest

_COUNTED = """
import os, time
from pathlib import Path
def threads():
    seen = [-1, -2, -3]
    while len(set(seen[-3:])) > 1:  # a thread has its name once it runs
        time.sleep(0.3)
        seen.append(sum("libvips" in comm.read_text() for comm in Path("/proc/self/task").glob("*/comm")))
    return seen[-1]
"""


def run(program: str, **environment: str) -> list[str]:
    """The words that `program` says in a process of its own, whose environment has no settings of libvips but those."""
    words = [sys.executable, "-c", _COUNTED + program]
    usual = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(words, env=usual | environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_all_threads_are_there_before_the_first_picture_and_stay():
    begun, after = run("""
from nas.task.data.vips import vips
vips()
print(threads())
vips().Image.black(2000, 2000).avg()
print(threads())
""")
    assert int(begun) == int(after) >= 12


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_the_users_own_number_of_threads_counts():
    for name, expected in (("VIPS_MAX_THREADS", 5), ("VIPS_CONCURRENCY", 4 * 5 + 8)):
        assert run("from nas.task.data.vips import vips; vips(); print(threads())", **{name: "5"}) == [str(expected)]


def test_reading_brings_no_libvips_before_a_picture_is_read():
    program = "import sys, compress.runtime.photo, nas.task.data.own_set; print('pyvips' in sys.modules)"
    assert run(program) == ["False"]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_process_that_was_copied_before_the_first_picture_reads_it():
    program = """
import nas.task.data.reading
if os.fork():
    print(os.waitstatus_to_exitcode(os.wait()[1]))
else:
    from nas.task.data.vips import vips
    os._exit(int(vips().Image.black(9, 9).avg()) + 7)
"""
    assert run(program) == ["7"]
