"""Layouts: how data sets as downloaded, and their usual copies, are read; and what is never taken for clean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from nas.task.data.layouts import DataError, recognise
from nas.task.data.listing import Where, list_photographs
from nas.task.data.photos import load_folder, read_folder


def save(path: Path, seed: int = 0, height: int = 16, width: int = 24) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def sides(folder: Path, blur: str | None = None) -> dict[str, tuple[str, str | None]]:
    """(degraded, clean) files by the name of each photograph."""
    found = recognise(folder, blur)
    assert found.problems == ()
    return {
        joined.name: (
            joined.degraded and joined.degraded.relative_to(folder).as_posix(),
            joined.clean.relative_to(folder).as_posix(),
        )
        for joined in found.joins
    }


SIDD = ("0001_001_S6_00100_00060_3200_L", "0002_001_S6_00100_00020_3200_N", "0046_002_IP_01600_00400_3200_N")


def test_sidd_medium_as_downloaded_has_a_folder_for_each_instance_and_two_shots_in_it(tmp_path):
    for number, instance in enumerate(SIDD):
        for shot in ("010", "011"):
            for side in ("NOISY", "GT"):
                save(tmp_path / "SIDD" / "Data" / instance / f"{instance[:4]}_{side}_SRGB_{shot}.PNG", number)
    found = sides(tmp_path / "SIDD")
    assert len(found) == 6
    name = f"{SIDD[0]}/0001_NOISY_SRGB_010"
    assert found[name] == (f"Data/{SIDD[0]}/0001_NOISY_SRGB_010.PNG", f"Data/{SIDD[0]}/0001_GT_SRGB_010.PNG")
    listed = list_photographs(Where(tmp_path / "SIDD"), tmp_path / "ledger").photographs
    scenes = {entry.name[:4]: entry.scene for entry in listed.entries}
    assert scenes == {"0001": "scene 001", "0002": "scene 001", "0046": "scene 002"}


@pytest.mark.parametrize("prefix", ["", f"{SIDD[0]}_"])
def test_flat_copies_of_sidd_are_pairs_of_an_instance(tmp_path, prefix):
    for side in ("NOISY", "GT"):
        save(tmp_path / f"{prefix}0001_{side}_SRGB_010.PNG")
    assert sides(tmp_path) == {
        f"{prefix}0001_NOISY_SRGB_010": (f"{prefix}0001_NOISY_SRGB_010.PNG", f"{prefix}0001_GT_SRGB_010.PNG")
    }


def test_sidds_validation_blocks_are_one_photograph_a_block_and_one_scene_an_image(tmp_path):
    blocks = np.random.default_rng(0).integers(0, 256, (2, 4, 3, 16, 24, 3), dtype=np.uint8)
    for side, values in zip(("Noisy", "Gt"), blocks, strict=True):
        savemat(tmp_path / f"Validation{side}BlocksSrgb.mat", {f"Validation{side}BlocksSrgb": values})
    listed = list_photographs(Where(tmp_path), tmp_path / "ledger").photographs
    assert len(listed.entries) == 12
    assert len({entry.scene for entry in listed.entries}) == 4
    photo = next(photo for photo in read_folder(tmp_path) if photo.name == "0002_01")
    np.testing.assert_array_equal(photo.degraded.permute(1, 2, 0), blocks[0, 2, 1])
    np.testing.assert_array_equal(photo.clean.permute(1, 2, 0), blocks[1, 2, 1])


def gopro(folder: Path) -> Path:
    for part, recordings in (("train", ("GOPR0372_07_00", "GOPR0374_11_00")), ("test", ("GOPR0384_11_05",))):
        for recording in recordings:
            for number, side in enumerate(("blur", "blur_gamma", "sharp")):
                for frame in ("000047", "000048"):
                    save(folder / part / recording / side / f"{frame}.png", int(f"{recording[6:8]}{frame[-1]}{number}"))
    return folder


@pytest.mark.parametrize("blur", ["blur", "blur_gamma"])
def test_of_gopro_the_blur_that_is_asked_for_is_taken_and_its_test_folder_is_the_test_part(tmp_path, blur):
    found = sides(gopro(tmp_path), blur)
    assert len(found) == 6
    assert found["train/GOPR0372_07_00/000047"] == (
        f"train/GOPR0372_07_00/{blur}/000047.png",
        "train/GOPR0372_07_00/sharp/000047.png",
    )
    listed = list_photographs(Where(tmp_path, blur=blur), tmp_path / "ledger").photographs
    parts = {entry.name.rpartition("/")[0]: entry.split for entry in listed.entries}
    assert parts["test/GOPR0384_11_05"] == "test"
    assert {parts["train/GOPR0372_07_00"], parts["train/GOPR0374_11_00"]} == {"training", "validation"}


def test_which_of_gopros_blurs_is_meant_is_asked_and_not_guessed(tmp_path):
    with pytest.raises(DataError, match=r"--blur blur .* or --blur blur_gamma"):
        recognise(gopro(tmp_path))


def test_a_frame_of_gopro_is_of_the_same_scene_in_its_folder_and_in_a_flat_copy(tmp_path):
    for side in ("blur", "sharp"):
        for scene in ("GOPR0372_07_00", "GOPR0372_07_01", "GOPR0374_11_00"):
            save(tmp_path / "nested" / scene / side / "000047.png")
            save(tmp_path / "flat" / side / f"{scene}_000047.png")
    nested, flat = (
        [e.scene for e in list_photographs(Where(tmp_path / kind), tmp_path / "ledger").photographs.entries]
        for kind in ("nested", "flat")
    )
    assert nested == flat == ["gopr0372_07_00", "gopr0372_07_01", "gopr0374_11_00"]


def test_udc_syn_keeps_light_in_npy_files_which_is_tone_mapped_to_sixteen_bits(tmp_path):
    light = np.random.default_rng(0).uniform(0, 20, (2, 16, 24, 3)).astype(np.float32)
    for side, values in zip(("input", "GT"), light, strict=True):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "1.npy", values)
    assert sides(tmp_path) == {"1": ("input/1.npy", "GT/1.npy")}
    (photo,) = read_folder(tmp_path)
    expected = light[1] / (light[1] + 0.25) * 65535
    assert np.abs(photo.clean.permute(1, 2, 0).numpy().astype(float) - expected).max() <= 0.51


def test_polyu_names_its_sides_real_and_mean(tmp_path):
    for shot in (1, 2):
        for side in ("Real", "mean"):
            save(tmp_path / f"Canon5D2_5_160_3200_chair_{shot}_{side}.JPG")
    found = sides(tmp_path)
    assert found["Canon5D2_5_160_3200_chair_1"] == (
        "Canon5D2_5_160_3200_chair_1_Real.JPG",
        "Canon5D2_5_160_3200_chair_1_mean.JPG",
    )


@pytest.mark.parametrize(
    ("degraded", "clean"),
    [("input", "target"), ("lq", "gt"), ("LQ", "GT"), ("Noisy", "Clean"), ("blurred", "sharp"), ("blur", "Sharp")],
)
def test_two_folders_of_known_names_in_any_case_are_pairs_with_one_level_of_scenes_too(tmp_path, degraded, clean):
    for kind in ("flat", "scenes"):
        below = "kitchen/" if kind == "scenes" else ""
        for side in (degraded, clean):
            save(tmp_path / kind / side / f"{below}a.png")
        assert sides(tmp_path / kind) == {f"{below}a": (f"{degraded}/{below}a.png", f"{clean}/{below}a.png")}


@pytest.mark.parametrize(("degraded", "clean"), [("blur", "sharp"), ("input", "target"), ("lq", "gt")])
def test_two_files_with_known_words_behind_their_name_are_a_pair(tmp_path, degraded, clean):
    for side in (degraded, clean):
        save(tmp_path / f"x_{side}.png")
    assert sides(tmp_path) == {"x": (f"x_{degraded}.png", f"x_{clean}.png")}


@pytest.mark.parametrize(
    ("clean", "degraded"),
    [
        ("clean/a.png", ("noisy/a_1.png", "noisy/a_2.png")),
        ("clean/a.png", ("noisy/a/1.png", "noisy/a/2.png")),
        ("clean/a/mean.png", ("noisy/a/1.png", "noisy/a/2.png")),
    ],
)
def test_one_clean_picture_serves_many_degraded_ones_all_of_one_scene(tmp_path, clean, degraded):
    for other in ("b", "c", "d"):
        for side in ("clean", "noisy"):
            save(tmp_path / side / f"{other}.png")
    for file in (clean, *degraded):
        save(tmp_path / file)
    found = sides(tmp_path)
    assert {pair for pair in found.values() if pair[1] == clean} == {(file, clean) for file in degraded}
    listed = list_photographs(Where(tmp_path), tmp_path / "ledger").photographs
    scenes = {entry.scene for entry in listed.entries if entry.clean.file == clean}
    parts = {entry.split for entry in listed.entries if entry.clean.file == clean}
    assert (scenes, len(parts)) == ({"a"}, 1)


def test_folders_of_clean_photographs_are_scenes(tmp_path):
    for scene in ("garden", "kitchen", "street"):
        save(tmp_path / scene / "1.png")
        save(tmp_path / scene / "2.png")
    assert set(sides(tmp_path)) == {f"{scene}/{n}.png" for scene in ("garden", "kitchen", "street") for n in (1, 2)}
    photos = load_folder(tmp_path, 8)
    told = [{photo.name.split("/")[0] for photo in part} for part in (photos.training, photos.validation, photos.test)]
    assert sorted(len(scenes) for scenes in told) == [1, 1, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a_noisy_1.png", "a_clean_1.png"), ("A-GT-x.png", "A-LQ-x.png"), ("12 input c.jpg", "12 target c.jpg"),
        ("a_before.png", "a_after.png"), ("low/1.png", "high/1.png"), ("original/7.jpg", "noise25/7.jpg"),
    ],
)  # fmt: skip
def test_names_that_look_like_both_sides_are_never_clean_photographs(tmp_path, one, other):
    for name in (one, other, str(Path(one).with_name("c.png"))):
        save(tmp_path / name)
    with pytest.raises(DataError, match=r"looks like a folder of pairs.*noisy/ and clean/.*NAME_noisy") as error:
        recognise(tmp_path)
    assert one in str(error.value)
    assert other in str(error.value)


@pytest.mark.parametrize("name", ["real_madrid.png", "clean_desk.png", "input.png", "meaning.png", "blurred lines.png"])
def test_one_such_word_in_a_name_is_no_pair(tmp_path, name):
    for each in (name, "b.png"):
        save(tmp_path / each)
    assert sides(tmp_path) == {each: (None, each) for each in (name, "b.png")}


def test_scenes_by_such_words_are_clean_photographs_where_no_name_is_in_both(tmp_path):
    for file in ("low/1.png", "high/2.png", "tower/1.png"):
        save(tmp_path / file)
    assert set(sides(tmp_path)) == {"low/1.png", "high/2.png", "tower/1.png"}


@pytest.mark.parametrize("side", ["input", "lq", "blur"])
def test_a_degraded_side_alone_is_no_folder_of_clean_photographs(tmp_path, side):
    save(tmp_path / side / "a.png")
    with pytest.raises(DataError, match=f"holds {side}/, a degraded side, and no clean one"):
        recognise(tmp_path)


def test_photographs_for_validation_and_test_may_come_from_folders_of_their_own(tmp_path):
    for kind, count in (("mine", 6), ("val", 2), ("hard", 3)):
        for number in range(count):
            save(tmp_path / kind / f"{kind}{number}.png", hash((kind, number)) % 1000)
    where = Where(tmp_path / "mine", tmp_path / "val", tmp_path / "hard")
    listed = list_photographs(where, tmp_path / "ledger").photographs
    assert [entry.name for entry in listed.part("validation")] == ["validation/val0.png", "validation/val1.png"]
    assert len(listed.part("test")) == 3
    assert len(listed.part("training")) == 6
    half = list_photographs(Where(tmp_path / "mine", test=tmp_path / "hard"), tmp_path / "ledger").photographs
    assert len(half.part("training")) + len(half.part("validation")) == 6
    assert half.part("validation")


def test_a_photograph_of_the_test_folder_that_is_trained_on_too_is_refused_whatever_its_name(tmp_path):
    for number in range(4):
        save(tmp_path / "mine" / f"{number}.png", number)
    (tmp_path / "hard").mkdir()
    (tmp_path / "hard" / "other.png").write_bytes((tmp_path / "mine" / "2.png").read_bytes())
    with pytest.raises(DataError, match=r"both trained on and judged by: 1: .*2\.png = test/other\.png"):
        list_photographs(Where(tmp_path / "mine", test=tmp_path / "hard"), tmp_path / "ledger")
