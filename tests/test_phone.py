"""Phone: what adb is asked for, in which order, and what becomes of its answers; by a stand-in that logs."""

import json
import stat
import sys
from pathlib import Path

import pytest

from compress.bench.bench import REFERENCE, Case
from compress.bench.phone import FOLDER, MOST_ROUNDS, Phone, on_phone
from lpienas.command import main
from results.progress import Silent

# Answers as a phone does: battery temperatures from a file, one a time, and the tool's log by what was asked of it.
ADB = """#!{python}
import json, pathlib, sys
here, words = pathlib.Path({here!r}), sys.argv[1:]
with (here / "asked").open("a") as asked:
    asked.write(json.dumps(words) + "\\n")
answers = json.loads((here / "answers").read_text())
if words[:2] == ["shell", "getprop"]:
    print("a phone")
elif words[:2] == ["shell", "dumpsys"]:
    print("Current Battery Service state:\\n  level: 90\\n  temperature: %d" % answers["temperatures"].pop(0))
elif words[0] == "shell" and "--graph=" in words[1]:
    way = "npu" if "--use_n" in words[1] else "gpu" if "--use_gpu" in words[1] else "cpu"
    graph = words[1].split("--graph=")[1].split()[0]
    whole = "--require_full_delegation=true" in words[1]
    (here / "printed").write_text(answers["whole " + way if whole else way].replace("GRAPH", graph))
elif words[0] == "pull":
    pathlib.Path(words[2]).write_text((here / "printed").read_text())
(here / "answers").write_text(json.dumps(answers))
sys.exit(answers.get("status", 0))
"""
TIMED = """STARTING!
Num threads: [2]
Graph: [GRAPH]
Explicitly applied {delegate} delegate, and the model graph will be completely executed by the delegate.
count=50 first=9000 curr=9000 min=9000 max=9000 avg={time} std=100 p5=1 median={time} p95=1
Inference timings in us: Init: 1, First inference: 1, Warmup (avg): 1, Inference (avg): {time}
"""
OF_MODEL = {
    "cpu": TIMED.format(delegate="XNNPACK", time=9000),
    "gpu": TIMED.format(delegate="GPU", time=3000),
    "npu": "STARTING!\nGraph: [GRAPH]\nERROR: NNAPI is not there",
}


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    adb = tmp_path / "adb"
    adb.write_text(ADB.format(python=sys.executable, here=str(tmp_path)))
    adb.chmod(adb.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "benchmark_model").write_bytes(b"a program")
    return Phone(tmp_path / "benchmark_model", str(adb))


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(b"123456")
    return [
        Case("night small", tmp_path / "a.tflite", "int8", (64, 72), 0.9),
        Case(REFERENCE, tmp_path / "b.tflite", "float", (64, 72)),
    ]


def answer(phone: Phone, temperatures: list[int], **answers: object) -> None:
    (phone.tool.parent / "answers").write_text(json.dumps({"temperatures": temperatures, **OF_MODEL, **answers}))


def asked(phone: Phone) -> list[list[str]]:
    return [json.loads(line) for line in (phone.tool.parent / "asked").read_text().splitlines()]


class Listening(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_files_are_pushed_once_and_run_on_processor_gpu_and_npu_and_their_logs_pulled(phone, cases):
    answer(phone, [310, 312])
    on_phone(phone, cases, 2, Silent())
    words = asked(phone)
    pushed = [one[1:] for one in words if one[0] == "push"]
    assert pushed == [
        [str(phone.tool), f"{FOLDER}/benchmark_model"],
        [str(cases[0].model), f"{FOLDER}/night-small_int8_64x72.tflite"],
        [str(cases[1].model), f"{FOLDER}/reference_float_64x72.tflite"],
    ]
    assert ["shell", "chmod", "+x", f"{FOLDER}/benchmark_model"] in words
    runs = [one[1] for one in words if one[0] == "shell" and "--graph=" in one[1]]
    assert [[flag for flag in run.split() if flag.startswith("--use")] for run in runs] == 2 * [
        ["--use_xnnpack=true"], ["--use_gpu=true"], ["--use_nnapi=true"]]  # fmt: skip
    assert all("--num_threads=2" in run for run in runs)
    assert sum(one[0] == "pull" for one in words) == len(runs)
    assert [one[:2] for one in words].index(["shell", "chmod"]) < words.index(["shell", runs[0]])


def test_rows_have_the_case_s_name_bytes_and_ssim_and_what_does_not_run_is_told(phone, cases):
    answer(phone, [310, 312])
    watcher = Listening()
    measured = on_phone(phone, cases, 2, watcher)
    assert [(row.network, row.runtime, row.precision, row.median) for row in measured.rows] == [
        ("night small", "LiteRT on the phone (CPU, XNNPACK)", "int8", 9.0),
        ("night small", "LiteRT on the phone (GPU)", "int8", 3.0),
        (REFERENCE, "LiteRT on the phone (CPU, XNNPACK)", "float", 9.0),
        (REFERENCE, "LiteRT on the phone (GPU)", "float", 3.0),
    ]
    assert {(row.file_bytes, row.size, row.threads) for row in measured.rows} == {(6, (64, 72), 2)}
    assert (measured.rows[0].ssim, measured.rows[2].ssim) == (0.9, None)
    assert "no row of night-small_int8_64x72.tflite on the NPU: ERROR: NNAPI is not there" in watcher.said
    assert "ro.product.model: a phone" in measured.log


def test_rounds_are_repeated_until_the_phone_is_as_warm_after_one_as_before(phone, cases):
    answer(phone, [250, 300, 300, 310, 310, 313])
    watcher = Listening()
    measured = on_phone(phone, cases[:1], 2, watcher)
    assert sum(one[0] == "pull" for one in asked(phone)) == 3 * 3
    assert len(measured.rows) == 2  # of the last round alone
    assert "round 3: 31.0 degrees at its beginning, 31.3 at its end" in watcher.said
    assert measured.log.count("STARTING!") == 9


def test_a_phone_that_stays_unsteady_is_said_to_be(phone, cases):
    answer(phone, [250, 300] * MOST_ROUNDS)
    watcher = Listening()
    on_phone(phone, cases[:1], 2, watcher)
    assert any("not steady after 10 rounds" in said for said in watcher.said)


def test_litert_s_tool_is_asked_for_the_whole_graph_first_and_then_for_what_it_takes(phone, cases, tmp_path):
    tool = tmp_path / "benchmark_litert_model"
    tool.write_bytes(b"a program")
    of_litert = "STARTING!\nLoading model from: GRAPH\nReplacing {} node(s) with delegate ({}) node\n"
    time = "Inference (avg):      4.00 ms (50 runs)\n"
    answer(
        phone,
        [310, 312],
        cpu=of_litert.format("9 out of 9", "TfLiteXNNPackDelegate") + time,
        gpu=of_litert.format("7 out of 9", "LiteRtGpuDelegate") + time,
        npu="STARTING!\nLoading model from: GRAPH\n" + time,
        **{"whole gpu": "Benchmarking failed.", "whole npu": "STARTING!\nLoading model from: GRAPH\n" + time},
    )
    measured = on_phone(Phone(tool, phone.adb), cases[:1], 2, Silent())
    assert [row.runtime for row in measured.rows] == [
        "LiteRT on the phone (CPU, XNNPACK)",
        "LiteRT on the phone (GPU, in part)",
        "LiteRT on the phone (NPU asked for, the log does not say)",
    ]
    runs = [one[1] for one in asked(phone) if one[0] == "shell" and "--graph=" in one[1]]
    assert [("--require_full_delegation=true" in run, "--use_cpu=false" in run) for run in runs] == [
        (False, False), (True, True), (False, False), (True, True)]  # fmt: skip


def test_a_file_of_which_the_gpu_takes_nothing_has_no_row_of_the_gpu(phone, cases):
    none = TIMED.format(delegate="GPU", time=9000).replace(
        "Explicitly applied GPU delegate, and the model graph will be completely executed",
        "Though GPU delegate is explicitly applied, the model graph will not be executed",
    )
    answer(phone, [310, 312], gpu=none)
    measured = on_phone(phone, cases[:1], 2, Silent())
    assert [row.runtime for row in measured.rows] == ["LiteRT on the phone (CPU, XNNPACK)"]


def test_without_adb_or_a_phone_or_by_another_tool_it_ends_with_a_sentence(phone, cases, tmp_path, capsys):
    answer(phone, [310], status=1)
    with pytest.raises(RuntimeError, match="adb shell getprop failed: a phone; is one phone plugged in"):
        on_phone(phone, cases, 2, Silent())
    with pytest.raises(RuntimeError, match="install Android's platform tools"):
        Phone(phone.tool, str(tmp_path / "gone")).temperature()
    with pytest.raises(ValueError, match="must be Android's benchmark_model or benchmark_litert_model"):
        Phone(tmp_path / "a.tflite")
    assert main(["bench", str(cases[0].model), "--adb", str(tmp_path / "benchmark_litert_model")]) == 1
    assert "docs/phones.md says where it comes from" in capsys.readouterr().err
