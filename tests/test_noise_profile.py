"""Noise profiles: figures of the sources, the file format, and what is refused."""

import json
import math

import pytest

from nas.task.degrade.profile import PROFILES, NoiseProfile, find_profile


def test_the_line_of_the_darmstadt_cameras_is_the_papers():
    shot, read = PROFILES["darmstadt"].at(0.5)
    assert shot == pytest.approx(math.sqrt(0.0001 * 0.012))
    assert read**2 == pytest.approx(math.exp(2.18 * math.log(shot) + 1.20))


def test_a_level_goes_geometrically_through_the_measured_gains():
    profile = NoiseProfile("three", "", (0.001, 0.002, 0.016), (0.01, 0.02, 0.08))
    assert profile.at(0) == pytest.approx((0.001, 0.01))
    assert profile.at(0.25) == pytest.approx((0.002, 0.02))
    assert profile.at(0.5) == pytest.approx((0.004, 0.02 * 4 ** (1 / 3)))
    assert profile.at(1) == pytest.approx((0.016, 0.08))


def test_a_single_gain_is_the_same_at_every_level():
    profile = NoiseProfile("one", "", (0.001,), (0.01,))
    assert profile.at(0) == profile.at(0.3) == profile.at(1) == pytest.approx((0.001, 0.01))


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_survives_its_file_and_is_found_by_it(name, tmp_path):
    file = tmp_path / "camera.json"
    file.write_text(json.dumps(PROFILES[name].to_json()))
    assert find_profile(str(file)) == find_profile(name) == PROFILES[name]


def test_a_file_may_leave_out_what_has_a_default(tmp_path):
    file = tmp_path / "camera.json"
    file.write_text('{"shot": [0.001, 0.01], "read": [0.001, 0.01]}')
    assert find_profile(str(file)).at(1) == pytest.approx((0.01, 0.01))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is no JSON"),
        ("[1]", "JSON object"),
        ('{"shot": [0.1]}', "missing: \\['read'\\]"),
        ('{"shot": [0.1], "read": [0.1], "iso": 3}', "unknown: \\['iso'\\]"),
        ('{"shot": 0.1, "read": [0.1]}', "not of the right kind"),
        ('{"shot": [0.1], "read": [0.1, 0.2]}', "as many of both"),
        ('{"shot": [], "read": []}', "at least one"),
        ('{"shot": [0.1, 0.01], "read": [0.1, 0.2]}', "must rise"),
        ('{"shot": [0.0], "read": [0.1]}', "shot"),
        ('{"shot": [0.1], "read": [0.1], "red": [3, 2]}', "red"),
        ('{"shot": [0.1], "read": [0.1], "blue": [1, 2, 3]}', "blue"),
        ('{"shot": [0.1], "read": [0.1], "correlation": [0, 100]}', "correlation"),
        ('{"shot": [0.1], "read": [0.1], "scatter": -1}', "scatter"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_what_is_wrong(content, message, tmp_path):
    file = tmp_path / "camera.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        find_profile(str(file))


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="darmstadt"):
        find_profile("galaxy-s5")


def test_a_level_outside_of_0_and_1_is_refused():
    with pytest.raises(ValueError, match="level"):
        PROFILES["pixel"].at(1.2)
