"""Every task: searched, compressed, exported and judged through the same verbs, on a few small photographs."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from lpienas.command import main
from nas.task.degrade import TASKS
from nas.task.device import identity_of
from results.files import write_json
from results.run import Run

pytestmark = pytest.mark.slow
SEARCH = ("--trials", "3", "--score", "short", "--steps", "2", "--patch", "16", "--batch", "2", "--budget", "60M")
FULLY = ("--confirm", "1", "--full-steps", "2", "--seeds", "1", "--workers", "1", "--fix", "depth=1", "attention=none")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Clean photographs, as many as three parts need, cut from one."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(8):
        top, left = 60 * (number // 4), 100 * (number % 4)
        Image.fromarray(astronaut()[top : top + 48, left : left + 56]).save(folder / f"{number}.png")
    return folder


def said(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("task", TASKS[1:])
def test_a_task_goes_through_the_same_verbs_from_search_to_the_table(task, photos, tmp_path, capsys):
    run = Run(tmp_path / "run")
    # That bfloat16 trains as well is tried out with a network of 1.2 GMACs, which takes longer than all of this.
    write_json(run.device, {identity_of("cpu"): {"bfloat16": False, "reason": "not tried out"}})
    found = said(capsys, "search", "--out", run.folder, "--data", photos, "--task", task, *SEARCH, *FULLY)
    assert found["front"]
    way = "--ptq" if task == "udc" else "--float"  # int8 is the same for all, and its file takes long to make
    assert said(capsys, "compress", run.folder, "--steps", "2", "--prune", "off", way, "--name", "small")
    exported = said(capsys, "export", run.folder, "--to", "onnx")
    files = sorted((run.folder / "exported" / "small").glob("*.onnx"))
    assert len(files) == (2 if task == "udc" else 1)
    assert exported
    card = (run.folder / "exported" / "small" / "MODEL_CARD.md").read_text()
    assert f"(task {task})" in card
    told = ["wiener"] if task == "udc" else []
    judged = said(capsys, "evaluate", run.folder, *files, "--against", "input", "reference", *told)
    rows = {row["name"]: row for row in judged["compared"]}
    assert len(rows) == 3 + len(files) + len(told)
    assert judged["split"] == "test"
    assert all(0 < row["ssim"] < 1 and np.isfinite(row["psnr"]) for row in rows.values())
    assert rows[str(run.folder)]["ssim"] == pytest.approx(rows[str(files[0])]["ssim"], abs=2e-3)  # its float file
    assert rows["reference"]["macs"] > rows[str(run.folder)]["macs"]
    assert len(judged["verdicts"]) == len(rows) * (len(rows) - 1) // 2
