"""Bench of phones: what benchmark_model printed becomes rows, and the table tells them apart."""

import io
import json

import pytest
from rich.console import Console

from compress.bench.bench import Row
from compress.bench.phone_log import imported
from lpienas.command import main
from results.table import bench_table

PRINTED = """STARTING!
Log parameter values verbosely: [0]
Num threads: [4]
Graph: [/data/local/tmp/lpienet_int8_1080x1920.tflite]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.
count=3 first=210000 curr=190000 min=180000 max=210000 avg=195000 std=9000
count=50 first=182000 curr=181000 min=179000 max=190000 avg=181500 std=1200 p5=180 median=181000 p95=185000
Inference timings in us: Init: 8123, First inference: 210000, Warmup (avg): 195000, Inference (avg): 181500
Memory footprint delta from the start of the tool (MB): init=3.5 overall=212.5
"""


# As of LiteRT's source of August 2026: litert/tools/benchmark_litert_model.h and tflite's benchmark_model.cc.
OF_LITERT = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [4]
INFO: [benchmark_litert_model.cc:259] Loading model from: /data/local/tmp/lpienas/lpienet_float16_1080x1920.tflite
INFO: Replacing 49 out of 49 node(s) with delegate (LiteRtGpuDelegate) node, yielding 1 partitions for subgraph 0.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=9 first=21000 curr=19000 min=18000 max=21000 avg=19500 std=900 p5=18000 median=19000 p95=21000
INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=18200 curr=18100 min=17900 max=19000 avg=18150 std=120 p5=17900 median=18100 p95=18500
INFO: [benchmark_litert_model.h:88]
========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:93] Model initialization: 210.50 ms
INFO: [benchmark_litert_model.h:95] Warmup (first):       21.00 ms
INFO: [benchmark_litert_model.h:97] Warmup (avg):         19.50 ms (9 runs)
INFO: [benchmark_litert_model.h:99] Inference (avg):      18.15 ms (50 runs)
INFO: [benchmark_litert_model.h:107] Inference (std):      0.12
INFO: [benchmark_litert_model.h:126] Overall footprint:    96.25 MB
"""


def test_what_litert_s_own_tool_printed_becomes_a_row_in_milliseconds(tmp_path):
    (tmp_path / "log").write_text(OF_LITERT)
    (row,) = imported(tmp_path / "log")
    assert (row.network, row.precision, row.size) == ("lpienet_float16_1080x1920.tflite", "float16", (1080, 1920))
    assert (row.median, row.spread, row.passes, row.is_mean) == (18.1, 0.12, 50, False)
    assert (row.runtime, row.threads, row.peak_memory) == ("LiteRT on the phone (GPU)", 4, 96_250_000)


def test_of_litert_s_tool_without_the_line_of_counts_the_mean_is_said_to_be_one(tmp_path):
    kept = [line for line in OF_LITERT.splitlines() if not line.startswith("count=")]
    (tmp_path / "log").write_text("\n".join(kept))
    (row,) = imported(tmp_path / "log")
    assert (row.median, row.spread, row.passes, row.is_mean) == (18.15, 0.12, 50, True)


@pytest.mark.parametrize(
    ("says", "accelerator"),
    [
        ("Replacing 49 out of 49 node(s) with delegate (DispatchDelegate) node", "NPU"),
        (
            "Replacing 9 out of 10 node(s) with delegate (TfLiteXNNPackDelegate) node\n"
            "Replacing 40 out of 49 node(s) with delegate (TfLiteGpuDelegateV2) node",
            "GPU, in part",
        ),
        ("Replacing 49 out of 49 node(s) with delegate (TfLiteXNNPackDelegate) node", "CPU, XNNPACK"),
        ("", "CPU"),
    ],
)
def test_litert_s_tool_says_what_its_delegates_replaced(says, accelerator, tmp_path):
    lines = ["" if "Replacing" in line else line for line in OF_LITERT.splitlines()]
    (tmp_path / "log").write_text("\n".join([*lines[:4], says, *lines[4:]]))
    (row,) = imported(tmp_path / "log")
    assert row.runtime == f"LiteRT on the phone ({accelerator})"


def test_rows_of_a_phone_stand_beside_the_reference_that_ran_there_in_the_same_way(tmp_path, capsys):
    reference = PRINTED.replace("lpienet_int8_1080x1920", "reference_float_1080x1920").replace("181000", "905000")
    on_gpu = PRINTED.replace("XNNPACK", "GPU").replace("for CPU", "for GPU")
    (tmp_path / "log").write_text(PRINTED + reference + on_gpu)
    assert main(["bench", "--import", str(tmp_path / "log"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"] for row in rows][1] == "LPIENet reference"
    assert rows[0]["faster"][0] == pytest.approx(5.0)
    assert (rows[1]["faster"], rows[2]["faster"]) == (None, None)


def test_a_median_is_not_compared_with_a_mean(tmp_path, capsys):
    reference = PRINTED.replace("lpienet_int8_1080x1920", "reference_float_1080x1920")
    (tmp_path / "log").write_text(PRINTED + reference.replace("p5=180 median=181000 p95=185000", ""))
    assert main(["bench", "--import", str(tmp_path / "log"), "--json"]) == 0
    assert [row["faster"] for row in json.loads(capsys.readouterr().out)["rows"]] == [None, None]


def test_what_a_phone_printed_becomes_a_row(tmp_path):
    (tmp_path / "log").write_text(PRINTED)
    (row,) = imported(tmp_path / "log")
    assert row == Row(
        network="lpienet_int8_1080x1920.tflite",
        runtime="LiteRT on the phone (CPU, XNNPACK)",
        precision="int8",
        size=(1080, 1920),
        median=181.0,
        spread=1.2,
        passes=50,
        threads=4,
        peak_memory=212_500_000,
        file_bytes=None,
        ssim=None,
    )


def test_where_a_phone_printed_the_mean_alone_the_row_and_the_table_say_so(tmp_path):
    (tmp_path / "log").write_text(PRINTED.replace("p5=180 median=181000 p95=185000", ""))
    (row,) = imported(tmp_path / "log")
    assert (row.median, row.is_mean) == (181.5, True)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(bench_table([row.to_json() | {"faster": None}]))
    assert "181.5 +- 1.2 mean" in console.export_text()


def test_several_graphs_in_one_log_are_several_rows_and_one_that_failed_is_left_out(tmp_path):
    failed = PRINTED.split("count=3")[0].replace("int8_1080x1920", "float_256x256")
    other = (
        PRINTED.replace("lpienet_int8_1080x1920", "other")
        .replace("median=181000", "median=90000")
        .replace("XNNPACK", "GPU")
    )
    (tmp_path / "log").write_text(PRINTED + failed + other)
    first, second = imported(tmp_path / "log")
    assert first.size == (1080, 1920)
    assert (second.network, second.size, second.precision, second.median) == ("other.tflite", None, "unknown", 90.0)


@pytest.mark.parametrize(
    ("says", "accelerator"),
    [
        (
            "INFO: Created TensorFlow Lite delegate for GPU.\n"
            "VERBOSE: Replacing 49 out of 49 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.\n"
            "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.\n"
            "INFO: Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate.",
            "GPU",
        ),
        (
            "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
            "INFO: Explicitly applied NNAPI delegate, and the model graph will be partially executed by the delegate "
            "w/ 3 delegate kernels.",
            "NNAPI, in part",
        ),
        ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", "CPU, XNNPACK"),
        (
            "INFO: Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate.",
            "CPU",
        ),
    ],
)
def test_the_accelerator_is_the_one_that_the_log_says_was_applied(says, accelerator, tmp_path):
    lines = [line for line in PRINTED.splitlines() if "delegate" not in line]
    (tmp_path / "log").write_text("\n".join([*lines[:4], says, *lines[4:]]))
    (row,) = imported(tmp_path / "log")
    assert row.runtime == f"LiteRT on the phone ({accelerator})"


def test_a_log_without_a_result_is_refused(tmp_path):
    (tmp_path / "log").write_text("adb: no devices/emulators found")
    with pytest.raises(ValueError, match="no result of benchmark_model"):
        imported(tmp_path / "log")


def test_the_verb_shows_imported_rows_and_refuses_nothing_at_all(tmp_path, capsys):
    (tmp_path / "log").write_text(PRINTED)
    assert main(["bench", "--import", str(tmp_path / "log"), "--json"]) == 0
    assert '"median": 181.0' in capsys.readouterr().out
    assert main(["bench"]) == 1
    assert "give a run folder" in capsys.readouterr().err
