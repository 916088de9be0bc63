"""Task: which noise a run's settings stand for, those of older runs too, and what mixing it needs."""

import json
from dataclasses import replace

import pytest

from nas.task.data.photo import Photo
from nas.task.degrade import PROFILES, BlendedNoise, CameraNoise, SensorNoise
from nas.task.device import Device
from nas.task.task import TaskSettings, make_task, read_photos
from results.record import RunSettings
from tests.kept_settings import through_json

OLD = RunSettings(seed=3)
CPU = Device("cpu", False, "test")


def test_a_run_that_states_no_noise_is_of_white_noise():
    assert TaskSettings.of_run(OLD) == TaskSettings(seed=3)
    assert TaskSettings.of_run(OLD).noise == SensorNoise()


def test_a_runs_noise_is_that_of_its_settings_through_json():
    profile = PROFILES["galaxy-s6"]
    made_with = replace(OLD, noise="blend", noise_profile=profile.to_json(), blend=0.25, synthetic=0.5)
    settings = TaskSettings.of_run(through_json(made_with))
    assert settings.noise == BlendedNoise(CameraNoise(profile), share=0.25)
    assert settings.synthetic == 0.5
    assert TaskSettings.of_run(replace(made_with, noise="camera")).noise == CameraNoise(profile)


def test_what_an_older_run_was_made_with_has_the_record_that_it_had():
    assert set(TaskSettings.of_run(OLD).to_json()) == {
        "data",
        "seed",
        "patch",
        "batch",
        "validation_side",
        "noise",
        "loss",
    }
    assert TaskSettings.of_run(OLD).to_json()["noise"] == {"shot": (0.005, 0.02), "read": (0.005, 0.02)}


def test_settings_with_a_camera_are_plain_values():
    settings = TaskSettings(noise=BlendedNoise(), synthetic=0.5)
    plain = json.loads(json.dumps(settings.to_json()))
    assert plain["synthetic"] == 0.5
    assert plain["noise"]["camera"]["profile"]["shot"] == list(BlendedNoise().camera.profile.shot)


def test_pairs_are_validated_as_they_are_whatever_is_mixed_into_training():
    settings = TaskSettings(patch=32, batch=4, validation_side=64, noise=CameraNoise(), synthetic=0.5)
    clean = read_photos(settings)
    sides = {
        side: tuple(Photo(photo.name, photo.clean, 255 - photo.clean) for photo in getattr(clean, side))
        for side in ("training", "validation", "test")
    }
    task = make_task(settings, replace(clean, **sides), CPU)
    for _, degraded, image in task.validation:
        assert (degraded + image - 1).abs().max() < 1e-6
    degraded, image = task.batches(0)(0)
    assert ((degraded + image - 1).abs().amax(dim=(1, 2, 3)) < 1e-6).sum() == 2


def test_mixing_without_pairs_is_refused_with_what_to_do():
    settings = TaskSettings(synthetic=0.5)
    with pytest.raises(ValueError, match="leave it out, or bring pairs"):
        make_task(settings, read_photos(settings), CPU)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_of_synthetic_patches_outside_of_0_and_1_is_refused(share):
    with pytest.raises(ValueError, match="synthetic"):
        TaskSettings(synthetic=share)


def test_a_runs_share_of_frames_as_shown_is_the_task_s_through_json_and_only_where_something_moves():
    made_with = replace(OLD, task="deblur", noise="blend", shown=0.5)
    assert TaskSettings.of_run(through_json(made_with)).shown == 0.5
    assert TaskSettings.of_run(replace(made_with, shown=0.0)) == TaskSettings.of_run(
        replace(OLD, task="deblur", noise="blend")
    )
    with pytest.raises(ValueError, match=r"shown = 0.5: task udc blurs nothing; leave it out, or take deblur, mixed"):
        TaskSettings.of_run(replace(made_with, task="udc"))
