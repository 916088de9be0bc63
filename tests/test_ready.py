"""Ready: photographs are enhanced without a run, by a network that comes with the package, as strongly as asked."""

import base64
import csv
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

import lpienas.ready
from lpienas.command import main
from lpienas.included import SHIPPED, WIDE, shipped_tasks
from lpienas.networks import saved_network
from lpienas.ready import model_and_photos, ready


@pytest.fixture
def shipped(model, tmp_path, monkeypatch):
    """A folder in the layout of the package's, with a network to denoise and half of one to deblur."""
    folder = tmp_path / "shipped"
    for task in ("denoise", "deblur"):
        (folder / task).mkdir(parents=True)
        for ending in (".json", ".safetensors"):
            shutil.copy(f"{saved_network(model)}{ending}", folder / task / f"network{ending}")
    (folder / "denoise" / "CARD.md").write_text("# Denoiser\n")
    monkeypatch.setattr(shipped_tasks, "__defaults__", (folder,))
    monkeypatch.setattr(lpienas.ready.ready, "__defaults__", (None, folder, "float"))
    return folder


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(40, 216, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture).astype(float)


def test_a_photograph_alone_is_enhanced_by_the_network_that_comes_with_the_package(shipped, photo, tmp_path):
    assert shipped_tasks() == ("denoise",)  # the other one has no card
    assert main(["enhance", str(photo), "-o", str(tmp_path / "out.png")]) == 0
    assert main(["enhance", str(shipped / "denoise/network.json"), str(photo), "-o", str(tmp_path / "named.png")]) == 0
    np.testing.assert_array_equal(pixels_of(tmp_path / "out.png"), pixels_of(tmp_path / "named.png"))
    assert (pixels_of(tmp_path / "out.png") != pixels_of(photo)).any()


def test_the_form_for_npus_is_taken_where_there_is_one(shipped, photo, tmp_path, capsys):
    words = ["enhance", str(photo), "-o", str(tmp_path / "out.png"), "--precision", "16x8"]
    assert main(words) == 1
    assert "task denoise that comes with this version is in float alone" in capsys.readouterr().err
    shutil.copy(SHIPPED / "denoise" / WIDE, shipped / "denoise" / WIDE)
    assert main(words) == 0
    assert f"{WIDE} in ONNX Runtime" in capsys.readouterr().out
    model = str(shipped / "denoise/network.json")
    assert main(["enhance", model, str(photo), "-o", str(tmp_path / "b.png"), "--precision", "16x8"]) == 1
    assert "is of a network that comes with the package" in capsys.readouterr().err


def test_strength_leaves_the_rest_of_the_photograph_as_it_is(shipped, photo, tmp_path, capsys):
    for share in ("0", "0.25", "1"):
        assert main(["enhance", str(photo), "-o", str(tmp_path / f"{share}.png"), "--strength", share]) == 0
    whole, given = pixels_of(tmp_path / "1.png"), pixels_of(photo)
    np.testing.assert_array_equal(pixels_of(tmp_path / "0.png"), given)
    np.testing.assert_allclose(pixels_of(tmp_path / "0.25.png"), given + 0.25 * (whole - given), atol=1.01)
    assert main(["enhance", str(photo), "-o", str(tmp_path / "b.png"), "--strength", "1.5"]) == 1
    assert "strength = 1.5: must be from 0" in capsys.readouterr().err


def test_a_task_for_which_none_comes_is_told_with_those_there_are(shipped, photo, tmp_path, capsys):
    assert main(["enhance", str(photo), "-o", str(tmp_path / "b.png"), "--task", "deblur"]) == 1
    said = capsys.readouterr().err
    assert "no network for task deblur comes with this version, there is one for denoise" in said
    assert "MODEL PHOTO" in said
    with pytest.raises(lpienas.Error, match="there is none for any task yet"):
        ready("denoise", folder=tmp_path / "empty")


def test_a_task_beside_a_named_network_is_refused(shipped, photo, tmp_path, capsys):
    words = [str(shipped / "denoise/network.json"), str(photo), "-o", str(tmp_path / "b.png"), "--task", "denoise"]
    assert main(["enhance", *words]) == 1
    assert "picks a network that comes with the package" in capsys.readouterr().err


def test_a_first_word_that_is_no_picture_is_the_model(model, photo, tmp_path):
    assert model_and_photos([model, photo]) == (model, [photo])
    assert model_and_photos([tmp_path / "gone", photo]) == (tmp_path / "gone", [photo])
    assert model_and_photos([photo.parent, photo]) == (None, [photo.parent, photo])
    (model / "front.png").touch()
    assert model_and_photos([model, photo]) == (model, [photo])
    with pytest.raises(lpienas.Error, match="is no photograph"):
        model_and_photos([model])


@pytest.fixture
def blocks(tmp_path):
    noisy = np.random.default_rng(1).integers(0, 256, (2, 3, 16, 24, 3), dtype=np.uint8)
    savemat(tmp_path / "BenchmarkNoisyBlocksSrgb.mat", {"BenchmarkNoisyBlocksSrgb": noisy})
    return noisy


def test_blocks_of_sidd_become_a_cell_each_of_what_the_network_makes_of_it(model, blocks, tmp_path):
    words = ["enhance", str(model), str(tmp_path / "BenchmarkNoisyBlocksSrgb.mat"), "-o", str(tmp_path / "Submit.mat")]
    assert main(words) == 0
    found = loadmat(tmp_path / "Submit.mat")
    cells = found["DenoisedBlocksSrgb"]
    assert (cells.shape, cells.dtype, cells[1, 2].dtype) == ((2, 3), object, np.float32)
    assert found["TimeMPSrgb"].item() > 0
    assert "lpienas" in found["OptionalData"]["MethodName"].item().item()
    alone = lpienas.load(model).enhance(blocks[1, 2].astype(np.float32) / 255)
    np.testing.assert_allclose(cells[1, 2], alone, atol=1e-6)
    assert np.abs(alone - blocks[1, 2] / 255).max() > 1e-4
    assert main(words) == 1  # it exists


def test_blocks_for_the_contest_are_eight_bits_in_the_order_of_the_images(model, blocks, tmp_path):
    source = tmp_path / "BenchmarkNoisyBlocksSrgb.mat"
    assert main(["enhance", str(model), str(source), "-o", str(tmp_path / "a.csv"), "--strength", "0"]) == 0
    csv.field_size_limit(sys.maxsize)
    with (tmp_path / "a.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [one["ID"] for one in lines] == [str(number) for number in range(6)]
    for line, place in zip(lines, np.ndindex(2, 3), strict=True):
        block = np.frombuffer(base64.b64decode(line["BLOCK"]), np.uint8).reshape(16, 24, 3)
        np.testing.assert_array_equal(block, blocks[place])


@pytest.mark.parametrize(
    ("holds", "output", "says"),
    [
        (np.zeros((4, 4)), "a.mat", "must be blocks (images, blocks, height, width, 3)"),
        (np.zeros((1, 1, 8, 8, 3)), "a.mat", "holds float64"),
        (np.zeros((1, 1, 8, 8, 3), np.uint8), "a.png", "become one of .mat, .csv"),
    ],
)
def test_what_are_no_blocks_is_refused(model, tmp_path, capsys, holds, output, says):
    savemat(tmp_path / "blocks.mat", {"held": holds})
    assert main(["enhance", str(model), str(tmp_path / "blocks.mat"), "-o", str(tmp_path / output)]) == 1
    assert says in capsys.readouterr().err
