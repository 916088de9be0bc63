"""The library: a dozen names, loaded when they are used, that do what the verbs do."""

import os
import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lpienas
from results.files import save_network, write_json
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.receptive import margin_of
from search_spaces.sides import on_any_size
from tests.compressed import keep_compression
from tests.small_photos import small_photos, with_known_device

ROOT = Path(__file__).parents[1]
SCREEN = 50  # lines


@pytest.fixture
def net() -> LPIENet:
    stages = (Stage(depth=1, width=4, attention="none"),) * 5
    blueprint = Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3"))
    return build(blueprint, seed=0).eval()


@pytest.fixture
def run_folder(net, tmp_path) -> Path:
    """A run folder with a compressed network and figures of it."""
    scores = {"float": {"ssim": 0.8, "psnr": 30.0, "test_ssim": 0.7, "test_psnr": 29.0}}
    keep_compression(Run(tmp_path / "run"), {"float": net}, scores)
    return tmp_path / "run"


SMALL = {  # what says how much is trained, put in the place of what is written
    "trials=4, steps=80, patch=32,": 'data="photos", fix=("depth=1", "levels=2"), trials=3, steps=4, patch=16,',
    "full_steps=30": "full_steps=3",
    "steps=40, prune=0.2": 'steps=3, int8="ptq", prune=0.2',
}


def example() -> str:
    """The Python of the library's own documentation, at the margin."""
    block = lpienas.__doc__.split("\n\n    import lpienas\n")[1].split("\n\n    search, SearchOptions")[0]
    lines = ["import lpienas", *(line.removeprefix("    ") for line in block.split("\n"))]
    return "\n".join(lines) + "\n"


def test_every_public_name_is_there_and_no_other():
    assert [getattr(lpienas, name).__name__ for name in lpienas.__all__] == lpienas.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lpienas.nothing


def test_help_fits_on_two_screens():
    code = "import lpienas, pydoc; print(pydoc.plain(pydoc.render_doc(lpienas)))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(shown.splitlines()) <= 2 * SCREEN
    assert all(name in shown for name in lpienas.__all__)


def test_every_public_name_says_what_it_is_for():
    assert all(len(pydoc.getdoc(getattr(lpienas, name))) > 20 for name in lpienas.__all__)


def test_a_network_enhances_arrays_pictures_and_tensors_alike_and_keeps_their_kind(run_folder, net):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    with torch.inference_mode():
        floats = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        expected = on_any_size(net, floats, margin_of(net.blueprint))[0].clamp(0, 1)
    network = lpienas.load(run_folder)
    levels = network.enhance(pixels)
    assert (levels.dtype, levels.shape) == (np.uint8, pixels.shape)
    assert np.abs(levels.astype(int) - (255 * expected).round().permute(1, 2, 0).numpy()).max() <= 1
    assert np.array_equal(np.asarray(network.enhance(Image.fromarray(pixels))), levels)
    floats = network.enhance(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)
    assert floats.shape == (3, 24, 40)
    assert torch.allclose(floats, expected, atol=1e-5)


@pytest.mark.parametrize("image", [np.zeros((8, 8)), "photo.png", Image.new("L", (8, 8))])
def test_what_is_no_picture_in_three_colours_is_an_error_that_says_what_is(image, run_folder):
    with pytest.raises(lpienas.Error, match="must be"):
        lpienas.load(run_folder).enhance(image)


def test_a_network_says_its_size_its_halo_and_the_scores_of_its_run(run_folder):
    network = lpienas.load(run_folder)
    assert network.size is None
    assert 8 < network.halo < 100
    assert network.scores == {"ssim": 0.7, "psnr": 29.0}
    assert lpienas.load(run_folder / "compressions" / "small.json").scores == {"ssim": 0.7, "psnr": 29.0}
    (network,) = (run_folder / "made").glob("*/network.json")
    assert lpienas.load(network).scores == {"ssim": 0.7, "psnr": 29.0}


def test_a_run_that_an_older_version_compressed_enhances_and_has_its_scores(net, tmp_path):
    save_network(tmp_path / "networks" / "float", net)
    scores = {"float": {"ssim": 0.8, "psnr": 30.0, "test_ssim": 0.7, "test_psnr": 29.0}}
    write_json(tmp_path / "summary.json", {"scores": scores})
    network = lpienas.load(tmp_path)
    assert network.enhance(torch.rand(3, 16, 16)).shape == (3, 16, 16)
    assert network.scores == {"ssim": 0.7, "psnr": 29.0}


def test_the_halo_is_as_far_as_a_changed_pixel_is_seen(net, run_folder):
    network, image = lpienas.load(run_folder), torch.rand(1, 3, 256, 256)
    changed = image.clone()
    changed[..., 128, 128] = 1 - changed[..., 128, 128]
    seen = (network.of_tensor(image) != network.of_tensor(changed)).any(dim=1)[0].nonzero()
    reached = (seen - 128).abs().max().item()
    assert reached <= network.halo + 7  # a block of 8 pixels begins up to 7 before its last one
    assert reached > network.halo / 2


def test_photographs_that_cannot_be_enhanced_are_named_and_the_rest_is_done(run_folder, tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    found = lpienas.enhance(run_folder, [tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out")
    assert [(one.output, one.size) for one in found.done] == [(tmp_path / "out" / "a.png", (10, 20))]
    assert [source for source, why in found.failed if "b.png" in why] == [tmp_path / "b.png"]
    with pytest.raises(lpienas.Error, match="exists"):
        lpienas.enhance(run_folder, tmp_path / "a.png", tmp_path / "out" / "a.png")


def test_a_folder_that_is_no_run_and_a_file_that_is_no_network_are_errors_of_one_root(tmp_path):
    with pytest.raises(lpienas.Error, match="lpienas search --out"):
        lpienas.load_run(tmp_path)
    with pytest.raises(lpienas.Error, match="is not there"):
        lpienas.load(tmp_path / "no.onnx")


def test_a_picture_before_and_after_shows_itself_in_a_notebook(run_folder):
    pair = lpienas.load(run_folder).compare(np.full((16, 24, 3), 128, np.uint8))
    assert pair.picture().size == (24 + 6 + 24, 16)
    assert pair._repr_html_().startswith('<img alt="before and after"')


def test_the_example_of_the_library_stands_in_the_readme():
    assert f"```python\n{example()}```\n" in (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_example_runs(tmp_path):
    code = example()
    for written, small in SMALL.items():
        assert written in code
        code = code.replace(written, small)
    (tmp_path / "example.py").write_text(code)
    small_photos(tmp_path / "photos")
    with_known_device(tmp_path / "runs" / "small")
    Image.new("RGB", (70, 50), "gray").save(tmp_path / "photo.jpg")
    command = [sys.executable, "example.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "ssim=" in done.stdout
    with Image.open(tmp_path / "better.png") as better:
        assert better.size == (70, 50)


def test_a_search_with_other_settings_is_refused_before_photographs_and_device_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("lpienas.searches.begun_task", lambda *_: pytest.fail("looked at photographs"))
    Run(tmp_path).describe(RunSettings(seed=3))
    with pytest.raises(lpienas.Error, match="seed was 3, now 4"):
        lpienas.search(tmp_path, lpienas.SearchOptions(seed=4))


def test_a_search_with_other_settings_is_refused_before_what_takes_seconds_to_import(tmp_path):
    Run(tmp_path).describe(RunSettings(seed=3, space={}))
    code = "import sys; from lpienas.command import main; status = main(sys.argv[1:]); "
    code += "print(status, [name for name in ('optuna', 'scipy', 'nas.search') if name in sys.modules])"
    words = [sys.executable, "-c", code, "search", "--out", str(tmp_path), "--seed", "4"]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "1 []\n"
