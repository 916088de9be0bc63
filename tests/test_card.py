"""Card: every file with what it came to, what numbers mean, what was trained on, and no private path."""

from dataclasses import replace

import pytest

from compress.export.card import NOT_RUN, Known, about_of, card
from nas.task.data.photo import Photo
from nas.task.task import Task
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from search_spaces.space import REFERENCE
from tests.compressed import keep_compression

BLUEPRINT = Blueprint.from_genotype(REFERENCE)
SCORES = {
    "float": {"ssim": 0.95, "psnr": 33.0, "test_ssim": 0.91234, "test_psnr": 31.256, "made_by": "pruned"},
    "quantized": {
        "ssim": 0.94,
        "psnr": 32.0,
        "test_ssim": 0.9,
        "test_psnr": 31.0,
        "method": "post-training quantization",
    },
}
PARITY = {"max_difference": 2.4e-7, "psnr_db": 140.0}
RAN = {"ssim": 0.9111, "psnr": 31.2, "bytes": 12345, "parity": PARITY, "runtime": "LiteRT", "layout": "NHWC"}
EXPORTED = {
    "a.tflite": RAN | {"precision": "float16", "size": [1080, 1920]},
    "b.onnx": RAN
    | {"precision": "int8", "size": "any", "layout": "NCHW", "parity": {"max_difference": 0.1, "psnr_db": 51.26}},
    "c.mlpackage": RAN
    | {"precision": "float", "size": [8, 8], "layout": "NCHW", "parity": None, "runtime": None, "ssim": None},
}


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path / "run")


def text_of(
    run: Run, task: Task, exported=EXPORTED, licence="CC BY 4.0", commands=("lpienas export runs/night",)
) -> str:
    compression = keep_compression(run, {stage: build(BLUEPRINT, seed=0) for stage in SCORES}, SCORES)
    record = {"commands": [{"at": "now", "command": command} for command in commands], "platform": "Linux"}
    return "\n".join(card(compression, exported, record, task, licence))


def test_every_file_has_a_row_with_what_it_came_to_in_its_own_runtime(run, task):
    rows = [line for line in text_of(run, task).splitlines() if line.startswith("| `")]
    assert rows == [
        "| `a.tflite` | float16 | 1080x1920 | NHWC | 12,345 | 0.9111 | 31.20 dB | LiteRT | 2.4e-07 |",
        "| `b.onnx` | int8 | any | NCHW | 12,345 | 0.9111 | 31.20 dB | LiteRT | 51.3 dB |",
        f"| `c.mlpackage` | float | 8x8 | NCHW | 12,345 |  |  | {NOT_RUN} |  |",
    ]


def test_a_file_that_never_ran_is_among_the_limits(run, task):
    says = f"Files marked `{NOT_RUN}` were never run"
    assert says in text_of(run, task)
    assert says not in text_of(run, task, {"a.tflite": EXPORTED["a.tflite"]})


def test_the_photographs_own_ssim_and_their_number_stand_beside_the_files(run, task):
    text = text_of(run, task)
    assert "on 3 test photographs (at most 64x64 pixels around the centre of each)" in text
    assert f"SSIM {task.test_input.ssim:.4f} and PSNR {task.test_input.psnr:.2f} dB" in text
    assert "validation photographs" not in text
    assert not any(f"{figure}" in text for figure in (0.95, 0.94, f"{task.input.ssim:.4f}"))


def test_the_network_is_given_with_its_cost_and_blueprint_for_each_stage_that_was_exported(run, task):
    text = text_of(run, task)
    assert text.count("133,652 parameters, 1.198 GMACs (2.396 GFLOPs) at 256x256") == 2
    assert "the pruned network; in PyTorch SSIM 0.9123, PSNR 31.26 dB on the test photographs" in text
    only_float = text_of(run, task, {"a.tflite": EXPORTED["a.tflite"]})
    assert only_float.count("133,652 parameters") == 1
    assert "post-training quantization" not in only_float


def test_layouts_ranges_licence_and_commands_are_stated(run, task):
    text = text_of(run, task)
    for says in ("(1, height, width, 3) in [0, 1]", "(1, 3, height, width) in [0, 1]", "NHWC; enhanced", "clip"):
        assert says in text
    assert "## Licence\n\nCC BY 4.0\n" in text
    assert "\n    lpienas export runs/night\n" in text


def test_synthetic_noise_is_stated_with_its_ranges_and_pairs_with_none(run, task):
    assert "shot from 0.005 to 0.02 and read from 0.005 to 0.02" in text_of(run, task)
    pairs = tuple(Photo(photo.name, photo.clean, photo.clean) for photo in task.photos.training)
    text = text_of(run, replace(task, photos=replace(task.photos, training=pairs)))
    assert "synthetic" not in text.replace(task.photos.source, "")
    assert "degraded sides of the pairs" in text


def test_the_path_of_the_photographs_is_not_given_away(run, task):
    folder = "/home/somebody/night shots"
    private = replace(
        task,
        settings=replace(task.settings, data=folder),
        photos=replace(task.photos, source=f"Folder {folder} with 9 pairs of photos."),
    )
    text = text_of(run, private, commands=(f"lpienas search --out /home/somebody/runs/night --data '{folder}'",))
    about = about_of(Known.by_run(BLUEPRINT, SCORES["quantized"], private, "free"), "litert", "int8")
    assert "/home" not in text + about.text()
    assert "Folder night shots with 9 pairs" in text
    assert "Folder night shots with 9 pairs" in about.training


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("lpienas search --data=/home/somebody/x --out runs/night", "lpienas search --data=x --out runs/night"),
        (
            "lpienas compress runs/night --calibration ../client/phone",
            "lpienas compress runs/night --calibration phone",
        ),
        (r"lpienas search '--data=C:\Users\somebody\x'", "lpienas search --data=x"),
        ("lpienas search --data '~/client/x' --budget 600M", "lpienas search --data x --budget 600M"),
        ("lpienas export runs/night --size 720x1280 --licence 'CC BY 4.0'",) * 2,
    ],
)
def test_a_command_gives_away_no_folder_that_leads_out_of_where_it_was_called(command, shown, run, task):
    assert f"\n    {shown}\n" in text_of(run, task, commands=(command,))


def test_a_file_says_its_layout_precision_licence_and_the_quality_of_its_network(task):
    about = about_of(Known.by_run(BLUEPRINT, SCORES["quantized"], task, "free"), "litert", "int8")
    assert "(1, height, width, 3) in [0, 1]" in about.input
    assert (about.precision, about.licence) == ("int8", "free")
    assert about.quality.startswith("SSIM 0.9000, PSNR 31.00 dB on 3 test photographs")
    assert f"SSIM {task.test_input.ssim:.4f}" in about.quality
    assert "133,652 parameters" in about.network
    assert (
        "(1, 3, height, width)"
        in about_of(Known.by_run(BLUEPRINT, SCORES["float"], task, "free"), "onnx", "float").input
    )
