"""Latency: measured in real runtimes, remembered on disk, and made the cheap way without changing what runs."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from compress.bench import latency
from compress.bench.latency import YARDSTICK, Latency, Timing, latency_cost, measure_latency
from compress.int8.quantize import post_training_quantize
from compress.runtime.runtimes import load
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.sides import padded_side
from search_spaces.space import REFERENCE

SMALL = Blueprint.from_genotype(Genotype((Stage(1, 4), *(Stage(1, 4, attention="none"),) * 2), levels=2))


def quartered(genotype: Genotype) -> Genotype:
    return replace(genotype, stages=tuple(replace(stage, width=stage.width // 4) for stage in genotype.stages))


def image(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The size of every export made; the exports themselves are real."""
    made = []
    export = latency._export

    def counted(network, timing, size, path):
        made.append(size)
        export(network, timing, size, path)

    monkeypatch.setattr(latency, "_export", counted)
    return made


def test_a_quarter_of_the_widths_is_faster_than_the_reference():
    whole, quarter = (
        measure_latency(Blueprint.from_genotype(genotype), Timing(size=(512, 512), seconds=0.5))
        for genotype in (REFERENCE, quartered(REFERENCE))
    )
    assert whole.median > 1.3 * quarter.median  # in multiply-adds it is about 14 times
    assert (whole.runtime, whole.precision, whole.size, whole.threads) == ("onnx", "float", (512, 512), 1)
    assert whole.repeats >= latency.FEWEST
    assert whole.spread >= 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float", "int8"])
def test_litert_is_measured_at_the_padded_size(precision, exports):
    measured = measure_latency(SMALL, Timing("litert", precision, (30, 33), seconds=0.1))
    assert measured.median > 0
    assert (measured.precision, measured.size) == (precision, (30, 33))
    assert exports == [(padded_side(30), padded_side(33))]


def test_the_traced_float_file_computes_what_the_network_does(tmp_path):
    network = build(Blueprint.from_genotype(REFERENCE), seed=0).eval()
    latency._write_onnx_by_tracing(network, tmp_path / "a.onnx")
    with torch.no_grad():
        assert (load(tmp_path / "a.onnx")(image(48, 40)) - network(image(48, 40))).abs().max() < 1e-5


@pytest.mark.slow
def test_the_traced_int8_file_runs_integer_convolutions_and_computes_what_the_int8_graph_does(tmp_path):
    import onnx
    import onnxruntime

    graph = post_training_quantize(build(SMALL, seed=0), [image(64, 64)])
    latency._write_onnx_by_tracing(graph, tmp_path / "a.onnx")
    with torch.no_grad():
        error = (load(tmp_path / "a.onnx")(image(48, 40)) - graph(image(48, 40))).square().mean()
    assert -10 * error.log10() > 50  # dB

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in build(SMALL, seed=0).modules())
    assert kinds.count("QLinearConv") == convolutions
    assert "Conv" not in kinds


def test_a_network_is_measured_once_and_remembered_by_another_process(tmp_path, exports):
    first = latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))(SMALL)
    assert latency_cost(tmp_path, Timing(size=(32, 32), seconds=9))(SMALL) == first
    assert exports == [(32, 32)] * 3  # the yardstick alone, and the two that take turns


def test_another_size_network_processor_or_version_is_measured_anew(tmp_path, exports, monkeypatch):
    other = replace(SMALL, activation="relu")
    latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))(SMALL)
    assert latency_cost(tmp_path, Timing(size=(32, 36), seconds=0.1))(SMALL).size == (32, 36)
    latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))(other)
    latency_cost(tmp_path, Timing(size=(32, 32), threads=2, seconds=0.1))(SMALL)
    monkeypatch.setattr(latency, "processor", lambda: "another")
    latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))(SMALL)
    monkeypatch.setattr(latency, "_version", lambda package: "0.0")
    latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))(SMALL)
    kept = [json.loads(path.read_text())["key"] for path in tmp_path.iterdir()]
    assert sum("beside" in key for key in kept) == 6
    assert sum("beside" not in key for key in kept) == 5  # yardsticks: one serves both networks


@pytest.mark.parametrize("text", ['{"key": {}', '{"key": {}}', '{"latency": {"size": [1, 2]}}'])
def test_a_damaged_memory_is_an_error_that_names_the_file(text, tmp_path):
    cost = latency_cost(tmp_path, Timing(size=(32, 32), seconds=0.1))
    cost(SMALL)
    (path,) = (path for path in tmp_path.iterdir() if "beside" in path.read_text())
    assert set(json.loads(path.read_text())["key"]) >= {"blueprint", "processor", "runtime", "version"}
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{path.name}.*delete it"):
        cost(SMALL)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"runtime": "tflite"}, "runtime = 'tflite': must be one of onnx, litert"),
        ({"precision": "int4"}, "precision = 'int4': must be one of float, int8"),
        ({"size": (0, 4)}, "size = 0x4: both sides must be at least 1 pixel"),
        ({"threads": 0}, "threads = 0: must be at least 1"),
        ({"seconds": 0.0}, r"seconds = 0.0: must be above 0"),
    ],
)
def test_a_wrong_argument_is_an_error_at_once(arguments, rule, tmp_path):
    with pytest.raises(ValueError, match=rule):
        measure_latency(SMALL, Timing(**arguments))
    with pytest.raises(ValueError, match=rule):
        latency_cost(tmp_path, Timing(**arguments))
    assert not list(Path(tmp_path).iterdir())


def test_a_missing_runtime_is_an_error_that_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(latency.RUNTIMES, "onnx", "no-such-runtime")
    with pytest.raises(ImportError, match="pip install no-such-runtime"):
        latency_cost(tmp_path)


def test_repeating_ends_when_the_median_is_known_and_else_when_time_is_up(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])

    def passes(durations):
        remaining = iter(durations)

        def figure():
            duration = next(remaining)
            clock[0] += duration
            return duration

        return figure

    steady = latency.repeated(passes([9, 9] + [0.1] * 5), 100)
    assert steady == pytest.approx([0.1] * 5)  # warm-up left out
    noisy = latency.repeated(passes([0, 0] + [0.1, 0.3] * 50), 4)
    assert 18 <= len(noisy) <= 22


def test_the_error_of_the_median_is_that_of_simulated_noise():
    generator = torch.Generator().manual_seed(0)
    simulated = 10 + torch.randn(4000, 41, generator=generator)
    spread = float(simulated.quantile(0.75) - simulated.quantile(0.25)) / 2
    expected = float(simulated.median(dim=1).values.std())
    assert Latency(10, spread, 41, "onnx", "float", (4, 4), 1).error == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("threads", "clock"), [(1, "thread_time"), (2, "perf_counter")])
def test_the_time_of_one_thread_is_its_own_and_of_several_the_clock_s(threads, clock, monkeypatch):
    moments = iter((1.0, 1.5))
    with monkeypatch.context() as patched:
        patched.setattr(latency.time, clock, lambda: next(moments))
        taken = latency.pass_time(lambda image: None, image(8, 8), threads)
    assert taken == 500


def test_what_slows_a_network_and_the_yardstick_alike_does_not_change_the_latency(tmp_path, monkeypatch):
    clock, load_of_machine = [0.0], itertools.cycle((1.0, 5.0, 1.0, 9.0, 2.0, 3.0, 7.0))

    def opened(path, threads=1):
        """The yardstick takes 10 ms and begins no turn, the other 3 ms; the load changes from turn to turn."""
        is_yardstick = made[-1] == YARDSTICK

        def run(image):
            if not is_yardstick:
                busy[0] = next(load_of_machine)
            clock[0] += (0.01 if is_yardstick else 0.003) * busy[0]

        return run

    busy, made = [1.0], []
    monkeypatch.setattr(latency, "_export", lambda network, *arguments: made.append(network.blueprint))
    monkeypatch.setattr(latency, "load", opened)
    monkeypatch.setattr(latency.time, "thread_time", lambda: clock[0])
    found = latency_cost(tmp_path, Timing(size=(32, 32)))(SMALL)
    assert found.median == pytest.approx(3)
    assert found.spread == pytest.approx(0, abs=1e-9)


def test_the_yardstick_takes_what_it_takes_alone_and_the_reference_several_times_as_long(tmp_path):
    cost = latency_cost(tmp_path, Timing(size=(128, 128)))
    yardstick, whole = cost(YARDSTICK), cost(Blueprint.from_genotype(REFERENCE))
    kept = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    (alone,) = (each for each in kept if "beside" not in each["key"])
    assert yardstick.median == pytest.approx(alone["latency"]["median"], rel=0.2)  # two copies in turns
    assert whole.median > 2 * yardstick.median
