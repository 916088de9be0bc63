"""Bench: every case in turn in a process of its own, no ratio that noise hides, and what phones printed."""

import io
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from rich.console import Console

import compress.bench.bench
from compress.bench.bench import (
    OPENVINO,
    REFERENCE,
    Case,
    Measured,
    Row,
    bench,
    beside,
    judge,
    measure,
    ratio,
)
from compress.bench.files import Conditions, Network, cases_of, cases_of_file, plan, reference_network
from compress.bench.latency import random_image
from compress.runtime.runtimes import load, load_in_openvino
from nas.task.data.pairs import validation_pairs
from nas.task.data.photos import sample_photos
from nas.task.evaluation import evaluate
from nas.task.task import TaskSettings
from results.files import load_network, save_network
from results.photo_score import PhotoScore
from results.progress import Silent
from results.record import RunSettings
from results.run import Run
from results.store import Store
from results.study import Trained, open_study, record_training
from results.table import bench_table
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from tests.compressed import FIGURES, keep_compression

SCORES = {"float": FIGURES | {"ssim": 0.85}, "quantized": FIGURES | {"ssim": 0.84, "test_ssim": 0.79}}
ROW = Row("night", "LiteRT", "int8", (256, 256), 10.0, 1.0, 30, 1, 5_000_000, 80_000, 0.85)
SLOW = replace(ROW, network=REFERENCE, precision="float", median=60.0, spread=6.0)


@pytest.fixture
def network(tmp_path) -> Path:
    genotype = Genotype((Stage(1, 4, 1.0, "none"),) * 3, activation="relu", head="conv3x3", levels=2)
    path = tmp_path / "small"
    save_network(path, build(Blueprint.from_genotype(genotype), seed=0))
    return path


@pytest.fixture
def compressed(tmp_path, network) -> Run:
    """A run folder with a float and an int8 network, which are the same, and no reference."""
    run = Run(tmp_path / "night")
    run.folder.mkdir()
    run.describe(RunSettings())
    keep_compression(run, dict.fromkeys(SCORES, load_network(network)), SCORES)
    return run


def train_reference(run: Run, network: Path, steps: int, ssim: float) -> Path:
    """What `search --confirm` leaves behind; a small network in the reference's place, since files of it are made."""
    key = f"training-{steps}"
    each = tuple(PhotoScore(name, ssim + apart, 30.0) for name, apart in (("a", 0.1), ("b", -0.1)))
    trained = Trained(0, "full", steps, 0, "scratch", ssim + 0.05, 31.0, each, key)
    record_training(open_study(run.study, create=True), trained)
    save_network(Store(run.made).at(key) / "network", load_network(network))
    return Store(run.made).at(key) / "network"


@pytest.fixture(scope="module")
def pairs():
    return validation_pairs(sample_photos().validation[:2], TaskSettings().noise, 0, 72)


def test_cases_take_turns_and_the_order_is_turned_every_second_round(monkeypatch, tmp_path):
    begun = []

    @contextmanager
    def apart(calls):
        """Stands for one process, in which one case is measured."""
        (call,) = calls
        case, _, _ = call.args
        begun.append(case.network)
        times = [1.0, 2.0, 3.0] if case.network == "a" else [10.0, 10.0, 10.0]
        measured = Future()
        measured.set_result(Measured("ONNX Runtime", times, 7))
        yield [measured]

    monkeypatch.setattr(compress.bench.bench, "apart", apart)
    cases = []
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"12345")
        cases.append(Case(name, tmp_path / name, "float", (64, 64)))
    rows = bench(cases, 2, 1.0, Silent(), rounds=3)
    assert begun == ["a", "b", "c", "c", "b", "a", "a", "b", "c"]
    assert [(row.network, row.median, row.passes, row.threads, row.file_bytes) for row in rows] == [
        ("a", 2.0, 9, 2, 5),
        ("b", 10.0, 9, 2, 5),
        ("c", 10.0, 9, 2, 5),
    ]
    assert [row.spread for row in rows] == [1.0, 0.0, 0.0]


def test_a_network_is_measured_in_a_process_of_its_own(network):
    row, other = bench(
        [Case("small", network, "float", size) for size in ((64, 64), (256, 256))], 1, 0.05, Silent(), rounds=1
    )
    assert (row.runtime, row.precision, row.size) == ("PyTorch", "float", (64, 64))
    assert row.passes >= 3
    assert other.median > 2 * row.median
    assert row.peak_memory is not None
    assert row.peak_memory < 200e6  # of the file's own; torch alone takes more
    assert row.file_bytes == network.with_suffix(".safetensors").stat().st_size


def test_a_size_that_does_not_fit_is_padded_as_enhance_would(network):
    assert measure(Case("small", network, "float", (50, 43)), 1, 0.01).runtime == "PyTorch"


def test_files_of_a_network_are_made_once_for_each_size_that_needs_one(network, tmp_path):
    folder = tmp_path / "files"
    sizes = ((64, 64), (128, 64))
    small = Network("small", network, "float", 0.9, folder)
    found = cases_of(small, ("pytorch", "onnx"), sizes, Silent())
    assert [(case.model.suffix, case.size) for case in found] == [("", s) for s in sizes] + [
        (".onnx", s) for s in sizes
    ]
    assert len(list(folder.iterdir())) == 1
    made = found[-1].model.stat().st_mtime_ns
    cases_of(small, ("onnx",), sizes, Silent())
    assert found[-1].model.stat().st_mtime_ns == made
    assert [case.size for case in cases_of_file(found[-1].model, sizes)] == list(sizes)
    assert cases_of(replace(small, precision="int8"), ("pytorch",), sizes, Silent()) == []


def test_each_of_two_compressions_is_timed_under_its_name(compressed, network, tmp_path):
    keep_compression(compressed, {"float": load_network(network)}, name="other")
    paths = [compressed.folder, compressed.folder / "compressions" / "small.json"]
    cases = plan(paths, Conditions(["pytorch"], [(64, 64)], tmp_path), Silent())
    assert [case.network for case in cases] == ["night other", "night small", REFERENCE]


def test_the_reference_that_is_timed_is_the_released_one(tmp_path):
    path = reference_network(tmp_path)
    assert path.with_suffix(".safetensors").stat().st_size > 4 * 133_652
    assert reference_network(tmp_path) == path


def test_a_reference_that_was_never_trained_is_timed_and_not_judged(compressed, tmp_path, pairs):
    cases = plan([compressed.folder], Conditions(["pytorch"], [(64, 64)], tmp_path), Silent())
    assert [(case.network, case.ssim, case.judged) for case in cases] == [
        ("night", 0.8, True),
        (REFERENCE, None, False),
    ]
    assert judge(cases[1:], pairs, 1, Silent()) == cases[1:]


def test_the_reference_has_the_weights_of_its_longest_full_training(compressed, network, tmp_path):
    for steps, ssim in ((900, 0.7), (4000, 0.75)):
        longest = train_reference(compressed, network, steps, ssim)
    gone = Trained(0, "full", 9000, 0, "scratch", 0.9, 31.0, (), "training-9000")
    record_training(open_study(compressed.study), gone)
    _, reference = plan([compressed.folder], Conditions(["pytorch"], [(64, 64)], tmp_path), Silent())
    assert (reference.network, reference.model, reference.ssim) == (REFERENCE, longest, 0.75)
    assert reference.judged


def test_ssim_is_measured_once_for_all_sizes_and_is_what_evaluate_says(network, pairs):
    cases = [Case("small", network, "float", size, 0.1) for size in ((128, 128), (64, 64))]
    told = []
    watcher = Silent()
    watcher.at = lambda done, note="": told.append(done)
    judged = judge(cases, pairs, 1, watcher)
    quality = evaluate(load_network(network), pairs, torch.device("cpu"))
    assert [case.ssim for case in judged] == pytest.approx([quality.ssim] * 2, abs=1e-5)
    assert [case.size for case in judged] == [(128, 128), (64, 64)]
    assert told == [1]


@pytest.mark.slow
def test_int8_rows_have_the_reference_in_int8_beside_them_and_ssim_of_their_own(compressed, network, tmp_path, pairs):
    train_reference(compressed, network, 40, 0.75)
    cases = plan([compressed.folder], Conditions(["onnx"], [(64, 64)], tmp_path), Silent())
    assert [(case.network, case.precision) for case in cases] == [
        (name, precision) for name in ("night", REFERENCE) for precision in ("float", "int8")
    ]
    judged = judge(cases, pairs, 1, Silent())
    assert [case.ssim for case in judged[:2]] == [case.ssim for case in judged[2:]]  # the same weights
    assert 0 < abs(judged[0].ssim - judged[1].ssim) < 0.01


@pytest.mark.slow
def test_layers_that_a_run_left_in_float_are_float_in_what_is_timed_and_files_of_both_kinds_stand_side_by_side(
    compressed, network, tmp_path
):
    train_reference(compressed, network, 40, 0.75)
    made = []
    for in_float in ([], ["encoder1.0", "head"]):
        scores = SCORES | {"quantized": SCORES["quantized"] | {"in_float": in_float}}
        keep_compression(compressed, dict.fromkeys(SCORES, load_network(network)), scores)
        cases = plan([compressed.folder], Conditions(["onnx"], [(64, 64)], tmp_path), Silent())
        (int8,) = (case.model for case in cases if case.precision == "int8" and case.network == "night")
        made.append(int8)
    weights = [
        [node for node in onnx.load(path).graph.node if node.op_type == "DequantizeLinear" and len(node.attribute) > 0]
        for path in made
    ]
    assert made[0] != made[1]
    assert len(weights[0]) - len(weights[1]) >= 2


def test_a_file_is_named_by_all_that_it_is_made_from(network, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "compress.bench.files.export_network", lambda source, variant, path, *rest, **named: path.touch()
    )
    images = [random_image(64, 64)]
    first = Network("small", network, "int8", 0.9, tmp_path, images)
    others = [replace(first, calibration=[image / 2 for image in images]), replace(first, in_float=("head",))]
    cases = [cases_of(one, ["litert"], [(64, 64), (64, 72)], Silent()) for one in (first, *others, first)]
    files = [[case.model for case in of_one] for of_one in cases]
    assert len({*files[0], *files[1], *files[2]}) == 6
    assert files[3] == files[0]


def test_a_file_runs_in_openvino_as_in_onnx_runtime(network, tmp_path):
    pytest.importorskip("openvino")
    small = Network("small", network, "float", 0.9, tmp_path)
    (case,) = cases_of(small, (OPENVINO,), ((64, 72),), Silent())
    runtime, other = load_in_openvino(case.model), load(case.model)
    assert (runtime.size, runtime.blueprint) == (other.size, other.blueprint)
    for size in ((64, 72), (40, 48)):
        image = random_image(*size)
        assert (runtime(image) - other(image)).abs().max() < 1e-5
    assert measure(case, 1, 0.01).runtime == "OpenVINO"


def test_a_ratio_whose_spread_is_larger_than_itself_is_refused():
    assert ratio(SLOW, ROW) == pytest.approx((6.0, 6.0 * (0.1**2 + 0.1**2) ** 0.5))
    assert ratio(SLOW, replace(ROW, spread=10.1)) is None
    assert ratio(replace(SLOW, spread=61.0), ROW) is None


def test_a_row_stands_beside_the_reference_in_its_runtime_at_its_size_in_float():
    others = [
        replace(SLOW, runtime="ONNX Runtime"),
        replace(SLOW, size=(512, 512)),
        replace(SLOW, precision="int8"),
        replace(SLOW, threads=2),
        ROW,
    ]
    assert beside(ROW, others) is None
    assert beside(ROW, [*others, SLOW]) is SLOW
    assert beside(SLOW, [*others, SLOW]) is None


def test_the_table_names_every_figure():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(bench_table([ROW.to_json() | {"faster": ratio(SLOW, ROW)}, SLOW.to_json() | {"faster": None}]))
    shown = console.export_text()
    for part in ("night", "LiteRT int8", "256x256", "10.0 +- 1.0", "6.0 +- 0.8", "80", "0.8500", REFERENCE):
        assert part in shown


def test_a_terminal_of_80_columns_holds_every_word_and_number_of_the_table():
    large = replace(SLOW, runtime="ExecuTorch", size=(2160, 3840), median=40321.4, spread=1234.5, file_bytes=1_000_000)
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(bench_table([row.to_json() | {"faster": (6.0, 0.8)} for row in (ROW, large)]))
    shown = console.export_text()
    for part in (
        "night",
        "LPIENet",
        "reference",
        "ExecuTorch",
        "2160x3840",
        "40321 +- 1234",
        "6.0 +- 0.8",
        "threads 1",
    ):
        assert part in shown
    assert {"size", "0.8500", "1000"} <= set(shown.split())
    assert "\u2026" not in shown


def test_wrong_numbers_are_refused(network):
    with pytest.raises(ValueError, match="threads = 0"):
        bench([Case("small", network, "float", (64, 64))], 0, 1.0, Silent())
