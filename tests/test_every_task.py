"""Every task: searched, compressed, exported and judged through the same verbs, on a few small photographs."""

import json

import numpy as np
import pytest

from lpienas.command import main
from nas.task.degrade import TASKS
from tests.small_photos import small_photos, with_known_device

pytestmark = pytest.mark.long
SEARCH = (
    "--trials",
    "3",
    "--score",
    "short",
    "--steps",
    "2",
    "--patch",
    "16",
    "--batch",
    "2",
    "--budget",
    "500M",
    "--sampler",
    "random",
)
ONE = ("--full-steps", "2", "--seeds", "1", "--workers", "1", "--fix", "depth=1", "attention=none")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return small_photos(tmp_path_factory.mktemp("photos"))


def said(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("task", TASKS[1:])
def test_a_task_goes_through_the_same_verbs_from_search_to_the_table(task, photos, tmp_path, capsys):
    """Full trainings, int8, the reference and a kernel, which are the same for all tasks, with one of them only."""
    whole = task == "udc"
    run = with_known_device(tmp_path / "run")
    words = ("--out", run.folder, "--data", photos, "--task", task, "--confirm", "1" if whole else "0")
    assert said(capsys, "search", *words, *SEARCH, *ONE)["front"]
    way = "--ptq" if whole else "--float"
    assert said(capsys, "compress", run.folder, "--steps", "2", "--prune", "off", way, "--name", "small")
    assert said(capsys, "export", run.folder, "--to", "onnx")
    files = sorted((run.folder / "exported" / "small").glob("*.onnx"))
    assert len(files) == (2 if whole else 1)
    assert f"(task {task})" in (run.folder / "exported" / "small" / "MODEL_CARD.md").read_text()
    against = ("input", "reference", "wiener") if whole else ("input",)
    judged = said(capsys, "evaluate", run.folder, *files, "--against", *against)
    rows = {row["name"]: row for row in judged["compared"]}
    assert len(rows) == 1 + len(files) + len(against)
    assert judged["split"] == "test"
    assert all(0 < row["ssim"] < 1 and np.isfinite(row["psnr"]) for row in rows.values())
    assert rows[str(run.folder)]["ssim"] == pytest.approx(rows[str(files[0])]["ssim"], abs=2e-3)  # its float file
    assert len(judged["verdicts"]) == len(rows) * (len(rows) - 1) // 2
    if whole:
        assert rows["reference"]["macs"] > rows[str(run.folder)]["macs"]
