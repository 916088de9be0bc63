"""Ship: workers that end with their parent, names, and no file without the word of its own runtime."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

import compress.export.ship as ship_module
from compress.bench.latency import _write_onnx_by_tracing
from compress.export.card import Known, about_of
from compress.export.kit import kit_of
from compress.export.parity import ParityError
from compress.export.side_by_side import begin_worker, opened
from compress.export.wanted import Wanted, asked, file_name
from compress.runtime.about import texts_of
from lpienas.command import main
from nas.task.evaluation import evaluate
from nas.task.task import Task
from results.compressions import Compression
from results.files import fingerprint, load_network, read_json
from results.progress import Silent
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from tests.compressed import FIGURES, keep_compression
from tests.finished_search import Told

ROOT = Path(__file__).parent.parent
PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from compress.export.side_by_side import begin_worker

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), begin_worker, (Path(sys.argv[1]),)) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


@pytest.fixture
def compressed(tmp_path) -> Compression:
    """A compression without int8."""
    run = Run(tmp_path / "run")
    run.describe(RunSettings())
    return keep_compression(run, {"float": network_of(0)})


def network_of(seed: int) -> LPIENet:
    genotype = Genotype(tuple(Stage(1, 4, 1.0, "none") for _ in range(5)), activation="relu", head="conv3x3")
    return build(Blueprint.from_genotype(genotype), seed)


def job_of(compressed: Compression, task: Task, format: str, path: Path, size: tuple[int, int]) -> ship_module._Job:
    network = compressed.network("float")
    about = about_of(Known.by_run(load_network(network).blueprint, FIGURES, task, "free"), format, "float")
    judges = ship_module._Judges(task.validation, task.test)
    return ship_module._Job(ship_module._Origin(network, "weights"), format, "float", path, size, about, judges)


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


def test_a_size_is_padded_to_multiples_of_8_and_a_file_of_any_size_is_made_once():
    wanted = list(asked(Wanted(("onnx", "executorch"), [(1080, 1920), (20, 30), (24, 32)])))
    assert wanted == [
        ("onnx", (1080, 1920), "float"),
        ("onnx", (1080, 1920), "int8"),
        ("executorch", (1080, 1920), "float"),
        ("executorch", (1080, 1920), "int8"),
        ("executorch", (24, 32), "float"),
        ("executorch", (24, 32), "int8"),
    ]


def test_integer_ends_and_16_bits_take_the_place_of_int8_in_the_formats_that_have_them():
    formats = ("onnx", "litert", "executorch")

    def int8_of(**words):
        wanted = Wanted(formats, [(32, 32)], **words)
        return [(made, precision) for made, _, precision in asked(wanted) if "8" in precision]

    assert int8_of(io="int8") == [(made, "int8-io-int8") for made in formats]
    assert int8_of(io="uint8") == [(made, "int8-io-uint8") for made in formats[:2]]
    assert int8_of(activations=16) == [(made, "16x8") for made in formats[:2]]
    with pytest.raises(ValueError, match="leave one of them out"):
        Wanted(formats, [(32, 32)], io="int8", activations=16)


def test_a_kind_of_int8_that_no_format_has_is_refused_and_one_that_some_lack_is_told(compressed, task, monkeypatch):
    both = keep_compression(compressed.run, {"float": network_of(0), "quantized": network_of(1)}, name="both")
    with pytest.raises(ValueError, match="--io uint8: no such int8 file of executorch; there is of onnx, onnx-fixed"):
        Wanted(("executorch",), [(32, 32)], io="uint8")
    with pytest.raises(ValueError, match="--activations 16: no such int8 file of executorch; there is of onnx"):
        Wanted(("executorch",), [(32, 32)], activations=16)
    monkeypatch.setattr(ship_module, "side_by_side", lambda work, jobs, workers, log: iter(()))
    told = Told()
    ship_module.ship(both, task, Wanted(("onnx", "executorch"), [(96, 96)], io="uint8"), told)
    assert told.lines == ["executorch: no int8 file, since it has none of the kind that is asked for (int8-io-uint8)"]


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--opset", "16"], "--opset 16: must be 17 to 20"), (["--hub", "."], "--hub .: is there already")],
)
def test_what_cannot_be_exported_is_refused_before_the_work_and_stands_in_no_card(words, says, compressed, capsys):
    folder = compressed.run.folder
    assert main(["export", str(folder), *words]) == 1
    assert says in capsys.readouterr().err
    assert len(read_json(folder / "run.json")["commands"]) == 1  # of the search


@pytest.mark.parametrize("scale", [1.0, 1.01])
def test_a_file_gets_its_name_only_if_its_runtime_says_what_its_network_says(scale, compressed, task, monkeypatch):
    def export(network, variant, path, calibration, about):
        _write_onnx_by_tracing(network, path)
        with torch.no_grad():
            next(network.parameters()).mul_(scale)
        return network

    monkeypatch.setattr(ship_module, "export_network", export)
    path = compressed.exported / "lpienet_float.onnx"
    compressed.exported.mkdir(parents=True)
    job = job_of(compressed, task, "onnx", path, (64, 64))
    if scale == 1:
        figures = ship_module._export(job)
        assert (figures["runtime"], figures["layout"], figures["size"]) == ("ONNX Runtime", "NCHW", "any")
        assert figures["bytes"] == path.stat().st_size
        assert figures["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (figures["made_with"]["torch"], figures["opset"]) == (torch.__version__, 17)
        own = evaluate(load_network(compressed.network("float")), task.test, torch.device("cpu"))
        assert (figures["ssim"], figures["psnr"]) == pytest.approx((own.ssim, own.psnr), rel=1e-4)
        assert figures["split"] == "test"
    else:
        with pytest.raises(ParityError):
            ship_module._export(job)
    made = {path, *kit_of(path)} if scale == 1 else set()
    assert {one for one in compressed.exported.rglob("*") if one.is_file()} == made


def test_a_file_is_made_again_only_when_its_words_change_and_none_of_another_compression_is_touched(
    compressed, task, monkeypatch
):
    asked = []

    def made(work, jobs, workers, log):
        asked.append([job.path.name for job in jobs])
        for job in jobs:
            job.path.write_bytes(b"made")
            yield (
                job,
                ship_module._NOT_RUN
                | {
                    "format": job.format,
                    "precision": job.precision,
                    "layout": "NHWC",
                    "size": list(job.size),
                    "bytes": 4,
                    "rewrites": ship_module._rewrites(job.format, job.precision),
                    "made_from": job.origin.made_from,
                    "says": fingerprint(texts_of(load_network(job.origin.network).blueprint, job.about)),
                },
            )

    monkeypatch.setattr(ship_module, "side_by_side", made)
    for sizes, licence in (([(64, 64)], "free"), ([(64, 64), (64, 72)], None), ([(64, 64)], "not free")):
        exported = ship_module.ship(compressed, task, Wanted(("litert",), sizes, 1, licence), Silent())
    assert asked == [
        ["lpienet_float_64x64.tflite", "lpienet_float16_64x64.tflite"],
        ["lpienet_float_64x72.tflite", "lpienet_float16_64x72.tflite"],
        ["lpienet_float_64x64.tflite", "lpienet_float16_64x64.tflite"],
    ]
    assert set(exported) == {
        f"lpienet_{precision}_{size}.tflite" for precision in ("float", "float16") for size in ("64x64", "64x72")
    }

    before = {path: path.read_bytes() for path in compressed.exported.iterdir()}
    other = keep_compression(compressed.run, {"float": network_of(1)}, name="other")
    exported = ship_module.ship(other, task, Wanted(("litert",), [(64, 72)]), Silent())
    of_now = {"lpienet_float_64x72.tflite", "lpienet_float16_64x72.tflite"}
    assert set(asked[-1]) == set(exported) == set(other.listed()["files"]) == of_now
    assert {path.name for path in other.exported.glob("*.tflite")} == of_now
    assert {path: path.read_bytes() for path in compressed.exported.iterdir()} == before
    assert {figures["made_from"] for figures in exported.values()} == {other.made_from("float")}
    assert other.made_from("float") != compressed.made_from("float")


def test_a_worker_that_is_interrupted_ends_and_says_nothing(tmp_path):
    log = tmp_path / "export.log"
    with ProcessPoolExecutor(1, get_context("spawn"), begin_worker, (log,)) as pool:
        worker, waiting = pool.submit(os.getpid).result(), pool.submit(time.sleep, 60)
        os.kill(worker, signal.SIGINT)
        with pytest.raises(BrokenProcessPool):
            waiting.result()
    assert log.read_text() == ""


def test_a_log_that_is_a_link_is_a_file_of_its_own_and_what_it_led_to_stays(tmp_path):
    (tmp_path / "somebody's").write_text("as it was")
    (tmp_path / "export.log").symlink_to(tmp_path / "somebody's")
    for words in (b"one ", b"two"):
        handle = opened(tmp_path / "export.log")
        os.write(handle, words)
        os.close(handle)
    assert (tmp_path / "export.log").read_text() == "one two"
    assert (tmp_path / "somebody's").read_text() == "as it was"


def test_a_size_that_the_network_cannot_be_tiled_at_is_refused_before_anything_is_made(compressed, task, monkeypatch):
    monkeypatch.setattr(ship_module, "side_by_side", lambda *asked: pytest.fail("something was made"))
    with pytest.raises(ValueError, match=r"--size 8x8: tiles of it cannot hold .* ask for \d+x\d+ or more"):
        ship_module.ship(compressed, task, Wanted(("onnx", "litert"), [(64, 64), (8, 8)]), Silent())


def test_a_format_that_cannot_run_here_is_converted_and_not_scored(compressed, task, monkeypatch):
    def export(network, variant, path, calibration, about):
        path.mkdir()
        (path / "weights").write_bytes(b"12345")
        return network

    monkeypatch.setattr(ship_module, "export_network", export)
    monkeypatch.setitem(ship_module.FORMATS, "coreml", replace(ship_module.FORMATS["coreml"], system="elsewhere"))
    path = compressed.exported / "lpienet_float_8x8.mlpackage"
    path.mkdir(parents=True)
    (path / "older").touch()
    job = job_of(compressed, task, "coreml", path, (8, 8))
    figures = ship_module._export(job)
    assert (figures["runtime"], figures["ssim"], figures["parity"], figures["bytes"]) == (None, None, None, 5)
    assert [inner.name for inner in path.iterdir()] == ["weights"]
    assert [made.name for made in compressed.exported.iterdir()] == [path.name]
    assert ship_module._line(path.name, figures).endswith("KiB, converted, not run on this platform")
