"""Phone: cases of a bench on the phone that is plugged in, by Android's adb and one of LiteRT's tools.

Every file runs on the processor, the GPU and the NPU, round after round until the phone is no warmer at the end of a
round than at its beginning: a phone that has become warm is the one that users have. The last round counts.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from compress.bench.bench import REFERENCE, Case, Row
from compress.bench.phone_log import TOOLS, rows_of
from results.progress import Watcher

FOLDER = "/data/local/tmp/lpienas"  # on the phone
STEADY = 0.5  # degrees Celsius of the battery by which a round may warm or cool the phone
MOST_ROUNDS = 10
_PASSES = 50
_PROPERTIES = ("ro.product.model", "ro.build.version.release", "ro.board.platform")
# Tool -> what runs where. LiteRT's is asked for the whole graph first, and refuses where an operator stays outside.
_WAYS: dict[str, dict[str, tuple[list[str], ...]]] = {
    "benchmark_model": {
        "CPU": (["--use_xnnpack=true"],),
        "GPU": (["--use_gpu=true"],),
        "NPU": (["--use_nnapi=true"],),
    },
    "benchmark_litert_model": {
        "CPU": (["--use_cpu=true"],),
        "GPU": (["--use_cpu=false", "--use_gpu=true", "--require_full_delegation=true"], ["--use_gpu=true"]),
        "NPU": tuple(
            [*flags, f"--dispatch_library_path={FOLDER}", f"--compiler_plugin_library_path={FOLDER}"]
            for flags in (["--use_cpu=false", "--use_npu=true", "--require_full_delegation=true"], ["--use_npu=true"])
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Phone:
    """The one phone that adb sees, and the tool that is pushed to it."""

    tool: Path  # an Android program, one of TOOLS by its name
    adb: str = "adb"

    def __post_init__(self) -> None:
        if self.tool.name not in TOOLS:
            raise ValueError(f"--adb {self.tool}: must be Android's {' or '.join(TOOLS)}, by that name")
        if not self.tool.is_file():
            raise FileNotFoundError(f"{self.tool} is not there: docs/phones.md says where it comes from")

    def ask(self, *words: str) -> str:
        """What `adb WORDS` prints; raises RuntimeError where it fails or is not there."""
        try:
            done = subprocess.run([self.adb, *words], capture_output=True, text=True, errors="replace", check=False)
        except FileNotFoundError as error:
            raise RuntimeError(f"{self.adb} is not there: install Android's platform tools") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
            raise RuntimeError(f"adb {' '.join(words[:2])} failed: {said[-1]}; is one phone plugged in, and unlocked?")
        return done.stdout

    def temperature(self) -> float:
        """Of the battery, in degrees Celsius; raises RuntimeError where the phone does not tell."""
        found = re.search(r"^\s*temperature: (-?\d+)", self.ask("shell", "dumpsys", "battery"), re.MULTILINE)
        if found is None:
            raise RuntimeError("the phone does not tell its temperature: `adb shell dumpsys battery` has no such line")
        return int(found[1]) / 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it."""

    rows: list[Row]  # of the last round
    log: str  # of all rounds, with the phone's name and temperatures


def on_phone(phone: Phone, cases: Sequence[Case], threads: int, watcher: Watcher) -> Measured:
    """Rows of all `cases`, which are .tflite files, on the phone's processor (so many `threads`), GPU and NPU.

    A file that does not run somewhere has no row there, and `watcher` is told. Raises RuntimeError where adb fails.
    """
    log = [f"{name}: {phone.ask('shell', 'getprop', name).strip()}" for name in _PROPERTIES]
    phone.ask("shell", "mkdir", "-p", FOLDER)
    for path, name in [(phone.tool, phone.tool.name), *((case.model, _name(case)) for case in cases)]:
        phone.ask("push", str(path), f"{FOLDER}/{name}")
    phone.ask("shell", "chmod", "+x", f"{FOLDER}/{phone.tool.name}")
    runs = [(case, where) for case in cases for where in _WAYS[phone.tool.name]]
    rows: list[Row] = []
    watcher.begin("on the phone", MOST_ROUNDS * len(runs))
    for number in range(MOST_ROUNDS):
        before, rows, missing = phone.temperature(), [], []
        for done, (case, where) in enumerate(runs, number * len(runs) + 1):
            text, row = _run(phone, case, where, threads)
            log.append(text)
            rows += [] if row is None else [row]
            missing += [f"{_name(case)} on the {where}: {_last_line(text)}"] if row is None else []
            watcher.at(done, f"{case.network}, {where} {case.precision}")
        after = phone.temperature()
        log.append(f"round {number + 1}: {before} degrees at its beginning, {after} at its end")
        watcher.say(log[-1])
        if abs(after - before) <= STEADY:
            break
    else:
        watcher.say(f"the phone's temperature was not steady after {MOST_ROUNDS} rounds: times may still change")
    for one in missing:
        watcher.say(f"no row of {one}")
    return Measured(rows, "\n".join(log) + "\n")


def _run(phone: Phone, case: Case, where: str, threads: int) -> tuple[str, Row | None]:
    """What the tool printed, and its row; none where nothing of the file ran there."""
    texts = []
    for flags in _WAYS[phone.tool.name][where]:
        printed = f"{FOLDER}/printed.log"
        words = [f"{FOLDER}/{phone.tool.name}", f"--graph={FOLDER}/{_name(case)}", f"--num_threads={threads}"]
        # The status of the tool is not that of adb: what it printed says whether it ran.
        phone.ask("shell", " ".join([*words, f"--num_runs={_PASSES}", *flags, f"> {printed} 2>&1 || true"]))
        with TemporaryDirectory(prefix="lpienas-") as folder:
            phone.ask("pull", printed, f"{folder}/printed.log")
            texts.append(Path(folder, "printed.log").read_text(errors="replace"))
        found = rows_of(texts[-1])
        if found and (runtime := _runtime(found[0].runtime, where, texts[-1])) is not None:
            return "\n".join(texts), replace(
                found[0],
                network=case.network,
                runtime=runtime,
                precision=case.precision,
                size=case.size,
                threads=threads,
                file_bytes=case.model.stat().st_size,
                ssim=case.ssim,
            )
    return "\n".join(texts), None


def _runtime(said: str, where: str, text: str) -> str | None:
    """Where it ran, as the log says; None where it ran on the processor alone and was to run elsewhere."""
    if where == "CPU" or "(CPU" not in said:
        return said
    silent = "Replacing" not in text and "explicitly applied" not in text
    return f"LiteRT on the phone ({where} asked for, the log does not say)" if silent else None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _name(case: Case) -> str:
    """Of the file on the phone: one word, from which its log tells the same row again."""
    network = (
        "reference" if case.network == REFERENCE else re.sub(r"[^\w.-]+", "-", case.network).removesuffix(".tflite")
    )
    height, width = case.size
    made = f"_{case.precision}_{height}x{width}"
    return f"{network.removesuffix(made)}{made}.tflite"
