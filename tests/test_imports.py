"""Imports: importing lpienas starts no process, opens no socket and writes no file, and no package tells its makers."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
_WATCHED = """
import sys
seen = []


def hook(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn"):
        seen.append((event, str(arguments)[:200]))
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        seen.append((event, str(arguments)[:200]))


sys.addaudithook(hook)
{body}
sys.stdout.write(repr(seen))
"""


def seen(body: str) -> str:
    """What a new process that runs `body` started and opened."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED.format(body=body)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_socket_and_a_process_are_seen():
    said = seen("import socket, subprocess; socket.socket().close(); subprocess.run(['true'])")
    assert "socket" in said
    assert "subprocess.Popen" in said


def test_importing_lpienas_starts_no_process_and_opens_no_socket():
    names = "lpienas, lpienas.command, nas.search, nas.confirm, nas.calibrate, compress.runtime.photo, results.study"
    assert seen(f"import {names}") == "[]"


def test_what_would_tell_its_makers_of_its_use_is_told_not_to():
    names = "'HF_HUB_DISABLE_TELEMETRY', 'DO_NOT_TRACK', 'RAY_USAGE_STATS_ENABLED'"
    assert seen(f"import os, lpienas; seen += [os.environ[name] for name in ({names})]") == "['1', '1', '0']"


def test_a_runtime_that_would_tell_its_makers_is_told_not_to_wherever_it_is_begun():
    """On Windows; here it takes the call, and says nothing of it."""
    sources = [path for room in ("nas", "compress", "lpienas") for path in (ROOT / room).rglob("*.py")]
    begins = [path for path in sources if "InferenceSession(" in path.read_text()]
    assert len(begins) >= 2
    for path in begins:
        text = path.read_text()
        assert text.count("disable_telemetry_events()") == text.count("InferenceSession("), path


def test_what_shows_studies_in_a_browser_names_nobody_who_counts_visits():
    (folder,) = find_spec("optuna_dashboard").submodule_search_locations
    files = [path for path in Path(folder).rglob("*") if path.suffix in (".js", ".html", ".py")]
    assert any(path.suffix == ".js" and path.stat().st_size > 10**6 for path in files)  # its page
    counters = (b"google-analytics", b"googletagmanager", b"posthog", b"mixpanel", b"sentry.io")
    assert not [path for path in files if any(name in path.read_bytes() for name in counters)]


def test_a_model_card_and_a_file_in_each_runtime_open_no_socket(tmp_path):
    body = f"""
import lpienas
import numpy, onnx, torch
from onnx import helper
ends = [helper.make_tensor_value_info(n, 1, [1, 3, 64, 64]) for n in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "{tmp_path}/a.onnx")
from pathlib import Path
from compress.runtime.runtimes import load, load_in_openvino
for opened in (load, load_in_openvino):
    opened(Path("{tmp_path}/a.onnx"))(torch.zeros(1, 3, 64, 64))
from huggingface_hub import ModelCardData
ModelCardData(license="mit").to_yaml()
seen[:] = [event for event in seen if event[0].startswith("socket")]
"""
    assert seen(body) == "[]"
