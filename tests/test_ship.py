import subprocess
import sys
import time
from pathlib import Path

from compress.ship import file_name

ROOT = Path(__file__).parent.parent
PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from compress.ship import _begin_worker

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), _begin_worker, (Path(sys.argv[1]),)) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"  # a zombie has ended


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py"), str(tmp_path / "log")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.1)
    raise AssertionError("the worker is still there ten seconds after its parent was killed")


def test_a_file_is_named_by_precision_and_by_size_where_it_has_one():
    assert file_name("litert", "int8", (480, 640)) == "lpienet_int8_480x640.tflite"
    assert file_name("onnx", "float", (480, 640)) == "lpienet_float.onnx"
