"""Export refused: damaged files, missing packages and requests that cannot be met."""

import sys
from pathlib import Path
from platform import system

import pytest

from compress.export.formats import Variant, export_network
from compress.runtime.runtimes import load
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (64, 64)


@pytest.fixture
def network() -> LPIENet:
    """A small network, untrained."""
    return build(Blueprint.from_genotype(Genotype((Stage(depth=1, width=4, attention="none"),) * 5)), seed=0)


@pytest.mark.skipif(system() == "Darwin", reason="it runs there")
def test_core_ml_file_is_said_to_run_on_macos_only(tmp_path: Path) -> None:
    (tmp_path / "network.mlpackage").mkdir()
    with pytest.raises(ValueError, match="run on macOS only"):
        load(tmp_path / "network.mlpackage")


def test_a_missing_coremltools_is_an_error_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(Blueprint.from_genotype(Genotype((Stage(depth=1, width=4),) * 5)), seed=0)
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ImportError, match=r"pip install 'lpienas\[coreml\]'"):
        export_network(network, Variant("coreml", "float", SIZE), tmp_path / "a.mlpackage")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".pte"])
@pytest.mark.parametrize("content", [b"", b"a text, long enough to look at" * 9, b"\xff" * 999])
def test_damaged_file_is_an_error_naming_it(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"damaged{suffix} cannot be opened"):
        load(path)


def test_unknown_suffix_and_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in one of .onnx, .tflite, .pte"):
        load(tmp_path / "network.mnn")
    with pytest.raises(FileNotFoundError, match="export it first"):
        load(tmp_path / "network.onnx")


@pytest.mark.parametrize(
    ("format", "precision", "name", "size", "rule"),
    [
        ("tflite", "float", "a.tflite", SIZE, "must be one of onnx, onnx-fixed, litert, executorch"),
        ("onnx", "int4", "a.onnx", SIZE, "must be one of float, int8"),
        ("onnx", "float16", "a.onnx", SIZE, "of onnx must be one of float, int8"),
        ("coreml", "int8", "a.mlpackage", SIZE, "of coreml must be one of float, float16"),
        ("coreml", "float", "a.mlpackage", None, "has one size"),
        ("litert", "float", "a.onnx", SIZE, "must end in .tflite"),
        ("executorch", "float", "a.pte", (64, 66), "multiples of 8"),
        ("litert", "float", "a.tflite", None, "has one size"),
        ("executorch", "float", "a.pte", None, "has one size"),
        ("onnx", "int8", "a.onnx", None, "calibration"),
    ],
)
def test_wrong_request_is_an_error_and_leaves_no_file(
    format: str, precision: str, name: str, size: tuple[int, int] | None, rule: str, tmp_path: Path, network: LPIENet
) -> None:
    with pytest.raises(ValueError, match=rule):
        export_network(network, Variant(format, precision, size), tmp_path / name)
    assert not list(tmp_path.iterdir())
