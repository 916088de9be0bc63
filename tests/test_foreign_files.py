"""Foreign files: a model file that is not of photographs, or would end the process, is an error that names it."""

from pathlib import Path

import pytest
import torch

import compress.runtime.runtimes
from compress.export.delegates import delegated
from compress.runtime.runtimes import load, load_in_openvino, require_survives
from lpienas.command import main
from nas.task.teacher import Teacher

FLOAT, BYTE, WHOLE = 1, 2, 7  # element types of ONNX


def model(path: Path, given: list[int | str], wanted: list[int | str] | None = None, kind: int = FLOAT) -> Path:
    """An ONNX file that gives back what it takes, or says so."""
    import onnx
    from onnx import helper

    ends = [helper.make_tensor_value_info(n, kind, s) for n, s in (("x", given), ("y", wanted or given))]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, str(path))
    return path


@pytest.mark.parametrize(
    "shape",
    [
        [1, 10], [1, 1, "h", "w"], [1, 4, 64, 64], [1, "h", "w", 3], [2, 3, 64, 64], [1, 3, 60, 64], [1, 3, 0, 64],
        [3, 64, 64],
    ],
)  # fmt: skip
def test_a_model_file_that_does_not_take_photographs_is_an_error_that_says_what_it_takes(shape, tmp_path):
    path = model(tmp_path / "other.onnx", shape)
    shown = ", ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"other\.onnx cannot be opened \(it has an end of shape \({shown}\)"):
        load(path)


def test_a_model_file_of_other_numbers_than_photographs_are_kept_as_is_an_error(tmp_path):
    path = model(tmp_path / "other.onnx", [1, 3, 64, 64], kind=WHOLE)
    with pytest.raises(ValueError, match="its ends are of type another and another, where photographs are float32"):
        load(path)


def test_a_model_file_of_another_maker_that_takes_the_levels_of_a_picture_runs(tmp_path):
    runtime = load(model(tmp_path / "other.onnx", [1, 3, "h", "w"], kind=BYTE))
    levels = torch.arange(256).repeat(3).view(1, 3, 16, 16)
    assert torch.allclose(runtime(levels / 255 + 0.001), levels / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [[1, 3, "h", "w"], ["batch", 3, "h", "w"], [1, 3, 64, 48]])
def test_a_model_file_of_another_maker_that_takes_photographs_runs(shape, tmp_path):
    runtime = load(model(tmp_path / "other.onnx", shape))
    image = torch.rand(1, 3, 64, 48)
    assert torch.equal(runtime(image), image)


def test_a_model_file_of_another_shape_is_one_line_of_the_command(tmp_path, capsys):
    path = model(tmp_path / "other.onnx", [1, 1, "h", "w"])
    (tmp_path / "a.png").touch()
    assert main(["enhance", str(path), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"lpienas: {path} cannot be opened")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("ending", "library"), [("tflite", "LiteRT"), ("onnx", "ONNX Runtime"), ("pte", "ExecuTorch")])
@pytest.mark.parametrize("verb", ["enhance", "delegates"])
def test_a_file_that_ends_the_process_that_opens_it_is_an_error_and_ends_no_command(
    verb, ending, library, tmp_path, monkeypatch, capsys
):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -ABRT $$\n")  # as LiteRT does with some damaged files
    python.chmod(0o755)
    monkeypatch.setattr(compress.runtime.runtimes.sys, "executable", str(python))
    path = tmp_path / f"other.{ending}"
    path.write_bytes(b"\0\0\0\0TFL3" + bytes(99))
    (tmp_path / "a.png").touch()
    words = [str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")] if verb == "enhance" else []
    assert main([verb, str(path), *words]) == 1
    assert f"{path} cannot be opened ({library} ends with signal 6)" in capsys.readouterr().err


def with_data_in(location: str, path: Path) -> Path:
    """An ONNX file that adds what is in another file."""
    import onnx
    from onnx import helper

    held = onnx.TensorProto(name="w", data_type=FLOAT, dims=[1, 3, 1, 1], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        held.external_data.add(key=key, value=value)
    ends = [helper.make_tensor_value_info(n, FLOAT, [1, 3, "h", "w"]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "graph", ends[:1], ends[1:], [held])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("reader", ["load", "OpenVINO", "teacher", "delegates"])
@pytest.mark.parametrize("where", ["above", "absolute", "a link"])
def test_an_onnx_file_with_data_outside_of_its_folder_is_refused(where, reader, tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "secret.bin"
    inside.mkdir()
    outside.write_bytes(torch.full((3,), 7.0).numpy().tobytes())
    (inside / "link.bin").symlink_to(outside)
    location = {"above": "../secret.bin", "absolute": str(outside), "a link": "link.bin"}[where]
    path = with_data_in(location, inside / "other.onnx")
    image = torch.zeros(1, 3, 16, 16)
    with pytest.raises(Exception, match=r"(?i)external|points outside|symbolic link|absolute"):
        {
            "load": lambda: load(path)(image),
            "OpenVINO": lambda: load_in_openvino(path)(image),
            "teacher": lambda: Teacher.of(path).restore(image),
            "delegates": lambda: delegated(path),
        }[reader]()


def test_an_onnx_file_with_data_beside_it_is_opened(tmp_path):
    (tmp_path / "beside.bin").write_bytes(torch.full((3,), 7.0).numpy().tobytes())
    runtime = load(with_data_in("beside.bin", tmp_path / "other.onnx"))
    assert runtime(torch.zeros(1, 3, 16, 16)).unique().tolist() == [7.0]


def test_what_is_only_wrong_is_left_to_be_told_by_opening_it(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("a text, long enough to look at")
    require_survives(path)
    with pytest.raises(ValueError, match=r"text\.tflite cannot be opened"):
        load(path)
