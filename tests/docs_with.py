"""Docs with: what blocks of the pages need beside a folder: a shell as a new user has it, a visitor, a phone.

A phone is the one thing of which there is only a stand-in: a folder in the phone's place, an `adb` that copies and runs
there, and tools that want what the real ones want, a file of their format, and print what those print.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.docs_blocks import PAGES, ROOT, Block, blocks_of, write_photographs
from tests.served import asked, free_port

PROGRAMS = Path(sys.executable).parent  # pip's and others of the environment that runs the tests
_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "OMP_NUM_THREADS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")

ADB = """#!{python}
import pathlib, shutil, subprocess, sys
phone, (verb, *words) = pathlib.Path({phone!r}), sys.argv[1:]
if verb == "push":
    *files, target = words
    place = phone / target.lstrip("/")
    if len(files) > 1 and not place.is_dir():
        sys.exit(f"adb: error: target '{{target}}' is not a directory")
    for one in files:
        shutil.copy(one, place)
elif verb == "pull":
    shutil.copy(phone / words[0].lstrip("/"), words[1])
elif verb == "shell":
    text = " ".join(words).replace("/data/", f"{{phone}}/data/").replace("/sdcard/", f"{{phone}}/sdcard/")
    sys.exit(subprocess.run(["sh", "-c", text], env={{"PATH": f"{{phone}}/bin:/usr/bin:/bin"}}).returncode)
else:
    sys.exit(f"adb: unknown command {{verb}}")
"""
TOOL = """#!{python}
import pathlib, sys
asked = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
graph, threads = pathlib.Path(asked["graph"]), asked.get("num_threads", "4")
assert graph.read_bytes()[4:8] == b"TFL3", f"{{graph}} is no graph"
gpu, npu = asked.get("use_gpu") == "true", asked.get("use_npu") == "true"
if pathlib.Path(sys.argv[0]).name == "benchmark_model":
    print(f"STARTING!\\nNum threads: [{{threads}}]\\nGraph: [{{graph}}]")
    named = "GPU" if gpu else "XNNPACK"
    print(f"Explicitly applied {{named}} delegate, and the model graph will be completely executed by the delegate.")
    print("count=50 first=9000 curr=9000 min=8000 max=9900 avg=9000 std=100 p5=8000 median=9000 p95=9900")
    print("Inference timings in us: Init: 1, First inference: 9000, Warmup (avg): 9000, Inference (avg): 9000")
else:
    named = "DispatchDelegate" if npu else "LiteRtGpuDelegate" if gpu else "TfLiteXNNPackDelegate"
    print(f"INFO: STARTING!\\nINFO: Num threads: [{{threads}}]\\nINFO: Loading model from: {{graph}}")
    print(f"INFO: Replacing 49 out of 49 node(s) with delegate ({{named}}) node, yielding 1 partitions.")
    print("INFO: Inference (avg):      18.15 ms (50 runs)\\nINFO: Inference (std):      0.12")
"""
RUNNER = """#!{python}
import pathlib, sys
file = pathlib.Path(sys.argv[sys.argv.index("--model_path") + 1])
assert file.read_bytes()[4:6] == b"ET", f"{{file}} is no program"
print("OutputX 0: tensor(sizes=[1, 3, 256, 256], [...])")
"""


def shown(page: str, what: str) -> list[Block]:
    """The blocks of a page whose note says that they run with `what`."""
    return [block for block in blocks_of(ROOT / page) if block.note == ("with", what)]


def every_shown() -> set[tuple[str, str]]:
    """Pages, with each thing that a note on them names."""
    notes = ((page, block.note) for page in PAGES for block in blocks_of(page))
    return {(str(page.relative_to(ROOT)), note[1]) for page, note in notes if note is not None and note[0] == "with"}


def run_bash(text: str, folder: Path, **variables: str) -> str:
    """What lines print that one bash gets as they stand, with nothing around that is this process's own.

    Raises AssertionError where one of them fails.
    """
    around = {name: value for name, value in os.environ.items() if name not in _OURS and not name.startswith("PYTEST")}
    around["PATH"] = os.pathsep.join(one for one in around["PATH"].split(os.pathsep) if Path(one) != PROGRAMS)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder, env=around | variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, f"{text} ended with {done.returncode}:\n{done.stdout[-4000:]}"
    return done.stdout


def visited(command: str, folder: Path) -> list[dict[str, Any]]:
    """The studies that an optuna-dashboard shows."""
    return list(served(command, folder, "/api/studies")["study_summaries"])


def served(command: str, folder: Path, which: str, programs: Path = PROGRAMS, least: int = 1) -> Any:
    """The JSON that a program serves at `which`, at a free port, of at least so many things; it is ended by Ctrl-C."""
    program, *words = shlex.split(command)
    port = free_port()
    server = subprocess.Popen([programs / program, *words, "--port", str(port)], cwd=folder)
    try:
        until = time.monotonic() + 60
        while len(found := json.loads(asked(port, which, server))) < least and time.monotonic() < until:
            time.sleep(0.5)  # it still reads
        return found
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


@contextmanager
def living_at(home: Path) -> Iterator[Path]:
    """This process has its home folder there and is in it; with photographs, where there are none."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "photos").exists():
        write_photographs(home)
    before, owner = Path.cwd(), os.environ.get("HOME")
    os.chdir(home)
    os.environ["HOME"] = str(home)
    try:
        yield home
    finally:
        os.chdir(before)
        os.environ.pop("HOME")
        if owner is not None:
            os.environ["HOME"] = owner


def stand_in_phone(home: Path, phone: Path) -> Path:
    """What a user of docs/phones.md has downloaded, in `home`; the folder with the `adb` that is to be on the path."""
    for folder in ("data/local/tmp", "sdcard/Download", "bin", "adb"):
        (phone / folder).mkdir(parents=True)
    for path, text in (
        (phone / "adb" / "adb", ADB),
        (phone / "bin" / "getprop", "#!/bin/sh\necho a stand-in\n"),
        (phone / "bin" / "dumpsys", "#!/bin/sh\necho '  temperature: 310'\n"),
        (home / "executor_runner", RUNNER),
        (home / "benchmark_model", TOOL),
        (home / "benchmark_litert_model", TOOL),
    ):
        path.write_text(text.format(python=sys.executable, phone=str(phone)) if "{python}" in text else text)
        path.chmod(0o644 if text == TOOL else 0o755)  # a browser makes no download a program; a build does
    return phone / "adb"
