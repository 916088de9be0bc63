"""Unseen: of the folder that a run was searched on, only what was kept for the test is judged on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from lpienas.command import main
from lpienas.included import at
from nas.task.data.photos import DataError, Where, load_folder, settled_photos
from nas.task.data.splits import PARTS
from nas.task.data.tiles import Tiles
from nas.unseen import unseen
from results.record import RunSettings
from results.run import NoTestPart, Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from tests.compressed import keep_compression


def folder_of(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{index:02}.png")
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    return folder_of(tmp_path / "mine", 30)


def run_on(folder: Path, data: Path | None, seed: int = 0) -> Run:
    run = Run(folder)
    run.folder.mkdir()
    data_of = None if data is None else str(data)
    run.describe(RunSettings(data=data_of, seed=seed, patch=16, batch=2, splits=PARTS))
    return run


def names(found) -> set[str]:
    return {name for name, *_ in found.pairs}


def kept(data: Path, seed: int = 0) -> set[str]:
    return {photo.name for photo in load_folder(data, 16, seed).test}


@pytest.mark.parametrize(
    "model", ["", "exported/small/lpienet_int8.onnx", "made/training-1/network", "compressions/small.json"]
)
def test_of_the_runs_own_folder_only_the_test_photographs_count_and_it_is_said(model, tmp_path, data):
    run = run_on(tmp_path / "run", data)
    found = unseen([run.folder / model], data / ".." / "mine")
    assert names(found) == kept(data)
    assert found.split == "test"
    assert found.says.startswith(f"{len(kept(data))} test photograph")
    assert "on whose others it was searched" in found.says


def test_without_a_folder_the_test_photographs_of_the_run_are_taken_whole(tmp_path, data):
    found = unseen([run_on(tmp_path / "run", data).folder], None)
    assert names(found) == kept(data)
    assert {(*clean.shape[-2:],) for _, _, clean in found.pairs} == {(24, 32)}


def test_without_a_folder_and_a_run_the_test_photographs_of_the_samples_are_taken(tmp_path):
    assert names(unseen([tmp_path / "bare.onnx"], None)) == {"flower", "grace_hopper", "ihc"}


def test_of_another_folder_every_photograph_counts(tmp_path, data):
    other = folder_of(tmp_path / "other", 4)
    found = unseen([run_on(tmp_path / "run", data).folder], other)
    assert (len(found.pairs), found.split) == (4, None)


def test_of_two_runs_only_what_both_kept_counts(tmp_path, data):
    seed = next(seed for seed in range(1, 99) if kept(data, seed) & kept(data) not in (set(), kept(data)))
    runs = [run_on(tmp_path / f"run{number}", data, number) for number in (0, seed)]
    assert names(unseen([run.folder for run in runs], data)) == kept(data) & kept(data, seed)


def test_where_no_photograph_is_left_it_is_said(tmp_path):
    few = folder_of(tmp_path / "few", 3)
    seed = next(seed for seed in range(1, 99) if kept(few, seed) != kept(few, 0))
    runs = [run_on(tmp_path / f"run{number}", few, number) for number in (0, seed)]
    with pytest.raises(DataError, match="evaluate them one by one"):
        unseen([run.folder for run in runs], few)


def test_a_run_that_kept_no_test_photographs_is_not_judged_on_its_own_folder(tmp_path, data):
    run = Run(tmp_path / "old")
    run.folder.mkdir()
    run.describe(RunSettings(data=str(data), patch=16, batch=2))
    for folder in (data, None):
        with pytest.raises(NoTestPart, match="kept no test photographs"):
            unseen([run.folder], folder)


def with_manifest(run: Run, data: Path) -> Run:
    """As a search of today leaves it."""
    settled_photos(Where(data, patch=16), run.photographs, Tiles(data.parent / "cache"))
    return run


def test_photographs_that_a_run_was_trained_on_are_known_in_another_folder_under_other_names(tmp_path, data):
    run = with_manifest(run_on(tmp_path / "run", data), data)
    mixed = folder_of(tmp_path / "new", 0)
    for number, name in enumerate(sorted(path.name for path in data.iterdir())):
        (mixed / f"copy{number:02}.png").write_bytes((data / name).read_bytes())
    only_used = sorted(f"copy{number:02}.png" for number in range(30) if f"p{number:02}.png" not in kept(data))
    found = unseen([run.folder], mixed)
    assert (sorted(found.left_out), found.split) == (only_used, "test")
    pixels = np.random.default_rng(99).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(mixed / "fresh.png")
    found = unseen([run.folder], mixed)
    assert "fresh.png" in names(found)
    assert (len(found.pairs), found.split) == (len(kept(data)) + 1, None)


def test_a_run_whose_folder_has_grown_is_judged_on_the_test_photographs_that_it_kept(tmp_path, data):
    run = with_manifest(run_on(tmp_path / "run", data), data)
    before = kept(data)
    for number in range(30, 60):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(data / f"p{number}.png")
    assert names(unseen([run.folder], None)) == before


@pytest.mark.parametrize(("whole", "says", "size"), [(True, "whole", (24, 400)), (False, "at most 384x384", (24, 384))])
def test_whole_photographs_or_crops_are_judged_and_it_is_said_which(whole, says, size, tmp_path):
    wide = tmp_path / "wide"
    wide.mkdir()
    Image.new("RGB", (400, 24), "grey").save(wide / "a.png")
    found = unseen([tmp_path / "bare.onnx"], wide, whole)
    assert says in found.crops
    _, _, clean = found.pairs[0]
    assert (*clean.shape[-2:],) == size


def compressed(folder: Path, data: Path) -> Run:
    run = run_on(folder, data)
    stages = tuple(Stage(1, 4, 1.0, "none") for _ in range(5))
    genotype = Genotype(stages, activation="relu", head="conv3x3")
    keep_compression(run, {"float": build(Blueprint.from_genotype(genotype), seed=0)})
    return run


@pytest.mark.parametrize("given", [True, False])
def test_bench_says_which_photographs_its_ssim_is_of_and_how_they_are_judged(
    given, tmp_path, data, capsys, monkeypatch
):
    run = with_manifest(compressed(tmp_path / "run", data), data)
    monkeypatch.setattr("compress.bench.bench.bench", lambda cases, *arguments: [])  # nothing is timed
    words = ["bench", str(run.folder), "--runtime", "pytorch", "--size", "64x64", "--json"]
    assert main([*words, *(["--data", str(data)] if given else [])]) == 0
    said = json.loads(capsys.readouterr().out)["ssim_of"]
    assert "at most 384x384 pixels around the centre of each" in said
    trained_on = sorted({path.name for path in data.iterdir()} - kept(data))
    assert ("left out, since a network was trained on them" in said) == (trained_on[0] in said) == given


@pytest.mark.parametrize("given", [True, False])
def test_evaluate_says_that_it_is_the_test_part(given, tmp_path, data, capsys):
    run = compressed(tmp_path / "run", data)
    assert main(["evaluate", str(run.folder), *(["--data", str(data)] if given else [])]) == 0
    said = capsys.readouterr().out
    assert f"{len(kept(data))} test photograph" in said
    assert str(data) in said


def test_a_network_that_comes_with_the_package_is_not_judged_on_what_it_was_trained_on(tmp_path):
    network = at(Path("denoise"))
    found = unseen([network], None)
    assert names(found) == {"grace_hopper", "ihc"}
    assert found.left_out == ("flower",)  # a test photograph of the samples
    folder = folder_of(tmp_path / "mine", 1)
    shutil.copy(Path(skimage.__file__).parent / "data" / "astronaut.png", folder / "renamed.png")
    found = unseen([network], folder)
    assert names(found) == {"p00.png"}
    assert found.left_out == ("renamed.png",)
