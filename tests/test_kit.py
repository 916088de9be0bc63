"""Kit: what stands beside a file is what its runtime takes and gives, in the file's own type and layout."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from compress.export.kit import kit_of, picture, write_kit
from compress.runtime.levels import LEVELS
from compress.runtime.runtimes import Runtime, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.onnx.export(
        nn.Conv2d(3, 3, 3, padding=1),
        (torch.zeros(1, 3, 16, 24),),
        tmp_path / "one.onnx",
        dynamo=False,
        input_names=["image"],
    )
    return tmp_path / "one.onnx"


def test_the_runtime_itself_gives_the_expected_output_for_the_input(path: Path) -> None:
    assert write_kit(path, load(path), "NCHW")
    given, expected = (np.load(kept) for kept in kit_of(path))
    beside = ["kit/one.onnx.input.npy", "kit/one.onnx.expected.npy"]
    assert [str(kept.relative_to(path.parent)) for kept in kit_of(path)] == beside
    assert given.shape == (1, 3, 16, 24)
    (answer,) = onnxruntime.InferenceSession(str(path)).run(None, {"image": given})
    assert np.abs(answer - expected).max() < 1e-6
    assert np.abs(expected - given).max() > 0.01


def test_a_file_with_integers_channels_last_has_a_kit_of_them(tmp_path: Path) -> None:
    def five_darker(levels: torch.Tensor) -> torch.Tensor:
        return (levels.int() - 5).clamp(0).to(torch.uint8)

    darker = Runtime("test", (16, 24), None, five_darker, {}, None, (LEVELS[torch.uint8],) * 2)
    write_kit(tmp_path / "one.tflite", darker, "NHWC")
    given, expected = (np.load(kept) for kept in kit_of(tmp_path / "one.tflite"))
    assert (given.dtype, given.shape) == (np.uint8, (1, 16, 24, 3))
    assert np.array_equal(expected, np.maximum(given.astype(int) - 5, 0))
    assert np.array_equal(given, (picture(16, 24) * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8))


def test_a_file_of_large_images_has_no_kit(tmp_path: Path) -> None:
    large = Runtime("test", (2160, 3840), None, lambda image: image)
    assert not write_kit(tmp_path / "large.tflite", large, "NHWC")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_file_that_answers_with_no_number_has_no_kit_and_is_named(wrong: float, tmp_path: Path) -> None:
    broken = Runtime("test", (16, 24), None, lambda image: image.where(image < 0.9, torch.tensor(wrong)))
    with pytest.raises(ValueError, match=r"broken\.onnx answers .* with NaN or infinite values in test"):
        write_kit(tmp_path / "broken.onnx", broken, "NCHW")
    assert list(tmp_path.iterdir()) == []
