"""Splits: which names tell scenes, and parts that keep scenes whole and do not move when photographs are added."""

from collections import defaultdict

import pytest

from nas.task.data.splits import scene_of, split

FRUITS = ("apple", "banana", "cherry", "date", "elder", "fig", "grape", "hazel", "iris", "juniper", "kiwi", "lemon")


@pytest.mark.parametrize(
    "names",
    [
        ("Canon5D2_5_160_3200_chair_11.jpg", "Canon5D2_5_160_3200_chair_14.jpg", "Canon5D2_5_200_6400_chair_2.png"),
        ("polyu_NikonD800_6-3_125_5000_plant_1", "polyu_NikonD800_6-3_125_5000_plant__4"),
        ("scene12_003.png", "scene12_004.png", "Scene12-left.jpg", "scene12"),
        ("tour_clip-3-frame-7.png", "tour_clip-3-frame-8.png"),
        ("0001_001_S6_00100_00060_3200_L", "0046_001_IP_01600_00400_3200_N", "0150_001_N6_00100_00100_5500_L"),
        ("0001_NOISY_SRGB_010.PNG", "0001_GT_SRGB_011.PNG", "0001_GT_SRGB.PNG"),
        ("GOPR0372_07_00_000047.png", "GOPR0372_07_00_000048.png"),
        ("kitchen_iso100.jpg", "kitchen_ISO3200_2.jpg", "kitchen-iso-800.jpg", "kitchen_crop3.jpg"),
        ("motorcycle_left.png", "motorcycle_right.png"),
        ("IMG_20240101_120000_BURST001_COVER.jpg", "IMG_20240101_120000_BURST002.jpg"),
    ],
)
def test_these_names_tell_that_they_show_one_scene(names):
    told = {scene_of(name) for name in names}
    assert len(told) == 1
    assert None not in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("scene12_003.png", "scene13_003.png"),
        ("Canon5D2_5_160_3200_chair_11", "Canon5D2_5_160_3200_desk_11"),
        ("0001_001_S6_00100_00060_3200_L", "0002_002_S6_00100_00060_3200_L"),
        ("0001_GT_SRGB_010", "0002_GT_SRGB_010"),
        ("GOPR0372_07_00_000047", "GOPR0372_07_01_000047"),
        ("kitchen_iso100", "garden_iso100"),
        ("DSC_0001_iso100", "DSC_0002_iso100"),
    ],
)
def test_these_names_tell_two_scenes(one, other):
    assert scene_of(one) != scene_of(other)


@pytest.mark.parametrize(
    "name",
    [
        "DSC_0001.JPG", "IMG_0002.jpg", "IMG_20240101_120000.jpg", "IMG_20240101_120000_HDR.jpg", "100_0001.jpg",
        "PXL_20231105_142233123.MP.jpg", "0001.png", "100098.jpg", "renoir_07", "sunhays80_042.png", "frame_0001.png",
        "bsds500train_100098.jpg", "urban100_004.png", "cycleisp_12.png", "skimage_astronaut.png", "obscene_7.png",
        "iso100.png", "left.png",
    ],
)  # fmt: skip
def test_cameras_and_collections_number_their_photographs_and_tell_no_scene(name):
    assert scene_of(name) is None


def parts_of(names, seed=0) -> dict[str, str]:
    found = split(names, seed)
    parts = {"training": found.training, "validation": found.validation, "test": found.test}
    return {names[place]: part for part, places in parts.items() for place in places}


@pytest.mark.parametrize("seed", range(5))
def test_every_photograph_is_in_one_part_and_every_scene_in_one(seed):
    names = [f"scene{scene}_{shot:03}" for scene in range(20) for shot in range(1 + scene % 4)]
    found = split(names, seed)
    assert sorted((*found.training, *found.validation, *found.test)) == list(range(len(names)))
    parts = defaultdict(set)
    for name, part in parts_of(names, seed).items():
        parts[name.split("_")[0]].add(part)
    assert all(len(of_scene) == 1 for of_scene in parts.values())
    assert found.by == "by scene, of which their names tell 20"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_each_part_has_a_photograph_however_few_there_are(count, seed):
    assert set(parts_of(list(FRUITS[:count]), seed).values()) == {"training", "validation", "test"}


@pytest.mark.parametrize("seed", range(5))
def test_photographs_that_are_added_or_removed_move_none_wherever_they_stand(seed):
    many = [f"b{number}.png" for number in range(60)]
    before = parts_of(many, seed)
    assert {name: part for name, part in parts_of([*FRUITS, *many, "z.png"], seed).items() if name in before} == before
    fewer = parts_of(many[::2], seed)
    assert fewer == {name: before[name] for name in fewer}


def test_another_picture_of_a_known_scene_joins_its_part():
    names = [f"scene{scene}_001" for scene in range(20)]
    names += ["scene3_002"]
    more = [*names, *(f"scene{scene}_007" for scene in range(20))]
    parts = parts_of(more)
    assert all(parts[f"scene{scene}_001"] == parts[f"scene{scene}_007"] for scene in range(20))
    assert {name: parts[name] for name in names} == parts_of(names)


def test_an_order_or_an_ending_of_names_changes_no_part():
    many = [f"b{number}" for number in range(60)]
    assert parts_of(many[::-1]) == parts_of(many)
    assert {name.removesuffix(".png"): part for name, part in parts_of([f"{n}.png" for n in many]).items()} == parts_of(
        many
    )


def test_the_parts_have_about_their_shares_and_follow_the_seed():
    names = [f"{number:04}" for number in range(2000)]
    found = split(names, 0)
    # a binomial count of 2000 scatters by 16 around 300
    assert len(found.validation) == pytest.approx(300, abs=64)
    assert len(found.test) == pytest.approx(300, abs=64)
    both = set(found.test) & set(split(names, 1).test)
    assert len(both) == pytest.approx(45, abs=27)  # as of two independent draws of 15 %


@pytest.mark.parametrize(
    ("seed", "validation", "test"),
    [(0, ["banana"], ["juniper", "kiwi"]), (1, ["Canon5D2_5_160_3200_chair_11"], ["date", "hazel"])],
)
def test_the_parts_are_those_of_the_first_version_to_split_by_scenes(seed, validation, test):
    """Networks were trained and published on them."""
    names = (*FRUITS, "scene7_001", "scene7_002", "Canon5D2_5_160_3200_chair_11")
    found = split(names, seed)
    assert ([names[place] for place in found.validation], [names[place] for place in found.test]) == (validation, test)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a.png", "b.png", "c.png"], "by photo, since no two names tell one scene"),
        ([f"scene1_{shot}" for shot in range(9)], "by photo, since their names tell 1 scene only"),
        ([f"scene{n % 2}_{n}" for n in range(9)], "by photo, since their names tell 2 scenes only"),
        (["a.png", "a.jpg", "a.bmp"], "by photo, since their names tell 1 scene only"),
    ],
)
def test_where_names_do_not_tell_three_scenes_photographs_are_split(names, says):
    assert split(names, 0).by == says
    assert set(parts_of(names).values()) == {"training", "validation", "test"}


def test_fewer_than_three_photographs_cannot_be_split():
    with pytest.raises(ValueError, match="2 photographs: at least 3 are needed, one for each of training, valid"):
        split(["a", "b"], 0)
