"""Logs: what is written for TensorBoard is read back from the files as their format says."""

import struct
from pathlib import Path

import pytest

from nas.logs import losses, scores


def events(folder: Path) -> list[tuple[str, int, float]]:
    """(tag, step, value) of every scalar: records are a length, its check, the bytes, their check."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += 12 + length + 4
    return found


def test_the_loss_of_every_step_is_kept_and_told_on(tmp_path):
    told: list[tuple[int, float]] = []
    with losses(tmp_path, "training-1", lambda step, loss: told.append((step, loss))) as on_step:
        for step in range(3):
            on_step(step, 0.5**step)
    assert told == [(0, 1.0), (1, 0.5), (2, 0.25)]
    assert events(tmp_path / "training-1") == [("loss", step, loss) for step, loss in told]


def test_figures_of_trials_stand_by_their_numbers(tmp_path):
    with scores(tmp_path, "search") as log:
        log(4, {"SSIM": 0.75, "macs": 2.0**30})
    assert events(tmp_path / "search") == [("SSIM", 4, 0.75), ("macs", 4, 2.0**30)]


def test_without_a_folder_nothing_is_written_or_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    told: list[int] = []
    with losses(None, "x", lambda step, loss: told.append(step)) as on_step, scores(None, "x") as log:
        on_step(1, 0.5)
        log(1, {"SSIM": 0.5})
    assert told == [1]
    assert not list(tmp_path.iterdir())
    with pytest.raises(ImportError), losses(tmp_path, "x", lambda step, loss: None):
        pass
