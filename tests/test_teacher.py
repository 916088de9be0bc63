"""Teacher: networks learn in part what a file makes of their patches, which is kept on disk and not made twice."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from lpienas.networks import saved_network
from lpienas.searches import made_with
from lpienas.settings import SearchOptions
from nas.task.device import Device
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.teacher import Teacher, taught
from results.files import load_network
from results.record import RunSettings
from results.run import Run

DEGRADED = torch.rand((2, 3, 16, 24), generator=torch.Generator().manual_seed(0))
CLEAN = torch.rand((2, 3, 16, 24), generator=torch.Generator().manual_seed(1))
MADE_WITH = RunSettings(seed=3, patch=16, batch=2)


def batch(step):
    return DEGRADED * (1 - step / 10), CLEAN


def onnx_file(path, factor, sides=("h", "w")):
    """Multiplies a picture by a number."""
    shape = [1, 3, *sides]
    node = helper.make_node("Mul", ["image", "factor"], ["enhanced"])
    graph = helper.make_graph(
        [node],
        "dim",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, shape)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_the_target_lies_between_the_clean_patch_and_the_teachers_output(tmp_path):
    teacher = Teacher.of(onnx_file(tmp_path / "half.onnx", 0.5), share=0.25)
    degraded, target = taught(batch, teacher, tmp_path / "kept")(3)
    assert torch.equal(degraded, batch(3)[0])
    np.testing.assert_allclose(target, 0.75 * CLEAN + 0.25 * 0.5 * degraded, atol=2e-4)


def test_an_output_is_made_once_and_then_read_from_disk(tmp_path, monkeypatch):
    teacher = Teacher.of(onnx_file(tmp_path / "half.onnx", 0.5))
    first = taught(batch, teacher, tmp_path / "kept")(1)[1]
    assert len(list((tmp_path / "kept").rglob("*.safetensors"))) == 1
    monkeypatch.setattr(Teacher, "restore", lambda self, degraded: pytest.fail("it was asked again"))
    assert torch.equal(taught(batch, teacher, tmp_path / "kept")(1)[1], first)


def test_a_damaged_output_is_made_again_and_a_full_folder_takes_no_more(tmp_path, monkeypatch):
    teacher = Teacher.of(onnx_file(tmp_path / "half.onnx", 0.5))
    first = taught(batch, teacher, tmp_path / "kept")(1)[1]
    (file,) = (tmp_path / "kept").rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-9])
    assert torch.equal(taught(batch, teacher, tmp_path / "kept")(1)[1], first)
    monkeypatch.setattr("nas.task.teacher.MOST_BYTES", 0)
    taught(batch, teacher, tmp_path / "kept")(2)
    assert len(list((tmp_path / "kept").rglob("*.safetensors"))) == 1


def test_a_saved_network_teaches_what_it_makes(model, tmp_path):
    path = saved_network(model).with_suffix(".json")
    _, target = taught(batch, Teacher.of(path, share=1.0), tmp_path / "kept")(0)
    with torch.no_grad():
        expected = load_network(saved_network(model)).eval()(DEGRADED).clamp(0, 1)
    np.testing.assert_allclose(target, expected[..., :16, :24], atol=5e-3)


def test_another_file_under_the_name_and_one_that_does_not_fit_are_refused(tmp_path):
    path = onnx_file(tmp_path / "half.onnx", 0.5)
    teacher = Teacher.of(path)
    onnx_file(path, 0.7)
    with pytest.raises(ValueError, match="not the one that was chosen"):
        teacher.restore(DEGRADED)
    with pytest.raises(ValueError, match=r"does not take patches \(1, 3, 16, 24\)"):
        Teacher.of(onnx_file(tmp_path / "large.onnx", 0.5, (512, 512))).restore(DEGRADED)
    (tmp_path / "a.tflite").touch()
    with pytest.raises(ValueError, match="export others to ONNX"):
        Teacher.of(tmp_path / "a.tflite")


def test_a_run_keeps_its_teacher_by_content_and_what_it_learns_is_in_the_keys_of_trainings(model, tmp_path):
    run = Run(tmp_path / "run")
    asked = made_with(run, SearchOptions(teacher=model, teacher_share=0.25)).to_json()
    settings = TaskSettings.of_run(replace(MADE_WITH, teacher=json.loads(json.dumps(asked))["teacher"]))
    assert settings.teacher.share == 0.25
    tasks = [
        make_task(one, read_photos(one), Device("cpu", False, "test"))
        for one in (settings, TaskSettings.of_run(MADE_WITH))
    ]
    assert tasks[0].trains_on != tasks[1].trains_on
    assert str(tmp_path) not in json.dumps(tasks[0].trains_on)
    (degraded, target), (same, clean) = (task.batches(0)(0) for task in tasks)
    assert torch.equal(degraded, same)
    assert not torch.equal(target, clean)
