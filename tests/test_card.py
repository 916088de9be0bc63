"""Card: every file with what it came to, what numbers mean, what was trained on, and no private path."""

import json
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard, ModelCardData

from compress.export.card import NOT_RUN, Known, about_of, card
from compress.export.hub import write_hub
from compress.runtime.about import NO_LICENCE
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
MADE = {"sha256": "0123abcd", "made_with": {"lpienas": "0.1.0", "torch": "2.13.0"}}
RAN = MADE | {"ssim": 0.9111, "psnr": 31.2, "bytes": 12345, "parity": PARITY, "runtime": "LiteRT", "layout": "NHWC"}
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
    rows = [line for line in text_of(run, task).splitlines() if line.startswith("| `") and "0123abcd" not in line]
    assert rows == [
        "| `a.tflite` | float16 | 1080x1920 | NHWC | 12,345 | 0.9111 | 31.20 dB | LiteRT | 2.4e-07 |",
        "| `b.onnx` | int8 | any | NCHW | 12,345 | 0.9111 | 31.20 dB | LiteRT | 51.3 dB |",
        f"| `c.mlpackage` | float | 8x8 | NCHW | 12,345 |  |  | {NOT_RUN} |  |",
    ]


def test_of_an_int8_file_it_is_said_how_far_its_error_is_below_what_the_network_changes(run, task):
    parity = {"max_difference": 0.1, "psnr_db": 51.26, "update_db": 17.04}
    text = text_of(run, task, {"b.onnx": EXPORTED["b.onnx"] | {"parity": parity}})
    assert "| LiteRT | 51.3 dB, update 17.0 dB |" in text


def test_only_precisions_of_which_there_are_files_are_named(run, task):
    text = text_of(run, task)
    assert "\nfloat and float16: 133,652 parameters" in text
    assert "\nint8: 133,652 parameters" in text


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
    assert "\n    lpienas export night\n" in text


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


def test_a_command_gives_away_no_folder(run, task):
    said = "lpienas search --data=/home/somebody/x --out ../client/night --licence 'CC BY 4.0'"
    assert "\n    lpienas search --data=x --out night --licence 'CC BY 4.0'\n" in text_of(run, task, commands=(said,))


def test_every_file_stands_with_its_digest_and_what_made_it(run, task):
    text = text_of(run, task, EXPORTED | {"b.onnx": EXPORTED["b.onnx"] | {"opset": 17}})
    assert "| `a.tflite` | `0123abcd` | lpienas 0.1.0, torch 2.13.0 |" in text
    assert "| `b.onnx` | `0123abcd` | lpienas 0.1.0, torch 2.13.0, opset 17 |" in text


def test_core_ml_files_are_recommended_for_processor_and_gpu_until_checked(run, task):
    says = "run them with compute units `CPU_AND_GPU` until the neural engine"
    assert says in text_of(run, task)
    assert says not in text_of(run, task, {"a.tflite": EXPORTED["a.tflite"]})


def read_as_hugging_face_does(text: str) -> ModelCardData:
    return ModelCard(text, ignore_metadata_errors=False).data


@pytest.mark.parametrize(
    ("licence", "identifier", "name"),
    [
        ("Apache-2.0", "apache-2.0", None),
        ("CC BY 4.0", "cc-by-4.0", None),
        ("Ours: ask first", "other", "ours-ask-first"),
        (NO_LICENCE, "unknown", None),
    ],
)
def test_hugging_face_reads_licence_and_tags_at_the_top_of_the_card(licence, identifier, name, run, task):
    data = read_as_hugging_face_does(text_of(run, task, licence=licence))
    assert (data.license, data.get("license_name")) == (identifier, name)
    assert (data.pipeline_tag, data.library_name) == ("image-to-image", "lpienas")
    assert {"lpienet", "denoise", "onnx", "tflite", "coreml", "int8"} <= set(data.tags)
    assert "executorch" not in data.tags


def test_hugging_face_reads_the_figures_of_every_file_that_ran(run, task):
    data = read_as_hugging_face_does(text_of(run, task))
    found = {one.metric_name: (one.metric_type, one.metric_value) for one in data.eval_results}
    assert found == {
        "SSIM of a.tflite": ("ssim", 0.9111),
        "PSNR of a.tflite": ("psnr", 31.2),
        "SSIM of b.onnx": ("ssim", 0.9111),
        "PSNR of b.onnx": ("psnr", 31.2),
    }
    assert data.model_name == "lpienet-small"
    assert data.eval_results[0].dataset_name.startswith("3 test photographs")


def test_a_card_of_files_that_never_ran_has_no_figures_for_hugging_face(run, task):
    data = read_as_hugging_face_does(text_of(run, task, {"c.mlpackage": EXPORTED["c.mlpackage"]}))
    assert not data.eval_results
    assert data.license == "cc-by-4.0"


def test_a_folder_for_hugging_face_holds_card_files_and_what_they_take(run, task, tmp_path):
    compression = keep_compression(run, {stage: build(BLUEPRINT, seed=0) for stage in SCORES}, SCORES)
    compression.exported.mkdir(parents=True)
    (compression.exported / "b.onnx").write_bytes(b"a file")
    (compression.exported / "c.mlpackage").mkdir()
    (compression.exported / "c.mlpackage" / "weights").write_bytes(b"weights")
    compression.card.write_text("the card")
    exported = {name: EXPORTED[name] for name in ("b.onnx", "c.mlpackage")}
    exported["b.onnx"] = {**exported["b.onnx"], "kit": ["kit/b.onnx.input.npy"]}
    (compression.exported / "kit").mkdir()
    (compression.exported / "kit" / "b.onnx.input.npy").write_bytes(b"a picture")
    write_hub(compression, exported, tmp_path / "hub")
    names = sorted(path.relative_to(tmp_path / "hub").as_posix() for path in (tmp_path / "hub").rglob("*"))
    files = ["README.md", "b.onnx", "c.mlpackage", "c.mlpackage/weights", "config.json"]
    assert names == [*files, "kit", "kit/b.onnx.input.npy"]
    assert (tmp_path / "hub" / "README.md").read_text() == "the card"
    assert (tmp_path / "hub" / "b.onnx").read_bytes() == b"a file"
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert Blueprint.from_json(config["networks"]["float"]["blueprint"]) == BLUEPRINT
    assert config["networks"]["quantized"]["tiles"] == {
        "radius": 64,
        "halo": 64,
        "stride": 8,
    }  # of the released LPIENet
    assert config["files"]["b.onnx"]["sha256"] == "0123abcd"
    with pytest.raises(ValueError, match="hub: is there already"):
        write_hub(compression, exported, tmp_path / "hub")


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
