"""Capture: the physical order of what happens to light, overexposure, chance, counting, and what every task undoes."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from skimage.color import rgb2xyz
from torch import Generator, Tensor

from nas.task.data.photos import sample_photos
from nas.task.degrade import (
    TASKS,
    BlendedNoise,
    CameraNoise,
    Capture,
    KernelFile,
    NoiseProfile,
    SensorNoise,
    degradation_of,
    make_noise,
)
from nas.task.degrade.expose import Overexposure
from nas.task.degrade.motion import MotionBlur
from nas.task.degrade.turns import EVERY_TURN

SILENT = CameraNoise(NoiseProfile("silent", "test", (1e-12,), (1e-9,), tone=(0.0, 0.0)), jpeg=0.0)


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def in_light(image: Tensor) -> np.ndarray:
    """Linear light of sRGB values, each channel by itself, by scikit-image."""
    grey = np.repeat(image.double().numpy()[..., None], 3, axis=-1)
    return rgb2xyz(grey)[..., 1] / rgb2xyz(np.ones((1, 1, 3)))[0, 0, 1]


def ramp() -> Tensor:
    return torch.linspace(0, 1, 256).repeat(1, 3, 8, 1)


@dataclass(frozen=True)
class Plus:
    """Adds light, and keeps an eye on where it was called."""

    light: float
    times: float = 1.0
    margin: int = 0
    turns = EVERY_TURN

    def apply(self, light: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        inner = light[..., self.margin : light.shape[-2] - self.margin, self.margin : light.shape[-1] - self.margin]
        return inner * self.times + self.light

    def describe(self) -> str:
        return "light"


def exposed(stops: float, **words: object) -> Capture:
    return Capture((Overexposure((stops, stops)),), SILENT, noise=(0.0, 0.0), bits=16, **words)


def test_a_stop_is_twice_the_light_until_the_sensor_is_full():
    found = in_light(exposed(1.0).degrade(ramp(), generator()))
    np.testing.assert_allclose(found, np.minimum(2 * in_light(ramp()), 1), atol=6e-3)


def test_no_overexposure_gives_the_photograph_back():
    assert (exposed(0.0).degrade(ramp(), generator()) - ramp()).abs().max() < 1.5 / 255


def test_stops_go_with_the_level():
    over = Capture((Overexposure((0.0, 2.0)),), SILENT, noise=(0.0, 0.0), bits=16)
    found = over.degrade_at(torch.full((1, 3, 8, 8), 0.4), 0.5, generator())
    np.testing.assert_allclose(in_light(found), 2 * in_light(torch.full((1, 3, 8, 8), 0.4)), rtol=0.03)


def test_the_sensor_is_full_before_the_tone_curve_and_not_after_it():
    """A tone curve lifts and lowers what is left; what was clipped stays white under every one."""
    bent = exposed(1.0, curve=1.0).degrade(ramp().expand(16, -1, -1, -1), generator())
    full = torch.from_numpy(in_light(ramp())) > 0.52
    assert bent[:, full[0]].min() > 0.9999
    spread = bent[:, 0, 0, 50]  # a shadow still
    assert spread.std() > 0.01  # some are finished with more contrast than others


def test_parts_happen_in_their_order():
    first = Capture((Plus(0.25), Plus(0.0, times=2.0)), SILENT, noise=(0.0, 0.0), bits=16)
    black = torch.zeros(1, 3, 8, 8)
    np.testing.assert_allclose(in_light(first.degrade(black, generator())), 0.5, atol=6e-3)
    other = Capture((Plus(0.0, times=2.0), Plus(0.25)), SILENT, noise=(0.0, 0.0), bits=16)
    np.testing.assert_allclose(in_light(other.degrade(black, generator())), 0.25, atol=6e-3)


def test_a_sensor_counts_with_its_bits():
    grey = torch.linspace(0, 1, 5000).repeat(1, 3, 8, 1)
    coarse = Capture((Plus(0.0),), SILENT, noise=(0.0, 0.0), bits=8).degrade(grey, generator())
    fine = Capture((Plus(0.0),), SILENT, noise=(0.0, 0.0), bits=12).degrade(grey, generator())
    assert len(coarse.unique()) == 256
    assert len(fine.unique()) > 3000


def test_noise_comes_after_the_light_was_spread_and_not_before():
    """White noise of the sensor stays white: a blur behind it would make neighbours agree."""
    noisy = CameraNoise(
        NoiseProfile("noisy", "test", (1e-12,), (0.02,), tone=(0.0, 0.0), correlation=(0.0, 0.0), chroma=(1.0, 1.0)),
        jpeg=0.0,
    )
    blur = Capture((MotionBlur(objects=0.0),), noisy, noise=(0.0, 0.0), bits=16)
    side = 64 + 2 * blur.margin
    found = blur.degrade_at(torch.full((4, 3, side, side), 0.5), 1.0, generator())
    residual = found - found.mean(dim=(2, 3), keepdim=True)
    assert abs((residual[..., 1:] * residual[..., :-1]).mean() / residual.var()) < 0.02


def test_most_images_are_nearly_clean_where_noise_is_mostly_weak():
    profile = NoiseProfile("test", "test", (1e-5, 1e-2), (1e-9, 1e-9), tone=(0.0, 0.0), correlation=(0.0, 0.0))
    clean = torch.full((600, 3, 16, 16), 0.5)
    usual, weak = (
        Capture((Plus(0.0),), CameraNoise(profile, jpeg=0.0, weak=share), noise=(0.0, 1.0), bits=16)
        for share in (0.0, 1.0)
    )
    spread = [(noise.degrade(clean, generator()) - clean).std(dim=(1, 2, 3)).median() for noise in (usual, weak)]
    # The deviation goes with the root of 1000 ** level: half of the levels are below 0.5, of the weak ones below 0.125.
    assert spread[0] / spread[1] == pytest.approx(1000 ** ((0.5 - 0.125) / 2), rel=0.15)


def test_each_part_happens_by_chance_to_images_of_its_own():
    by_chance = Capture((Plus(0.1), Plus(0.4)), SILENT, noise=(0.0, 0.0), chance=0.5, bits=16)
    light = in_light(by_chance.degrade(torch.zeros(800, 3, 4, 4), generator()))[:, 0, 0, 0].round(1)
    values, counts = np.unique(light, return_counts=True)
    np.testing.assert_allclose(values, [0, 0.1, 0.4, 0.5])
    np.testing.assert_allclose(counts / 800, 0.25, atol=0.06)


def test_images_that_get_no_part_lose_the_margin_all_the_same():
    never = Capture((Plus(0.5, margin=3),), SILENT, noise=(0.0, 0.0), chance=0.0, bits=16)
    wide = torch.rand((2, 3, 20, 22), generator=generator())
    found = never.degrade(wide, generator())
    torch.testing.assert_close(found, wide[..., 3:-3, 3:-3].contiguous(), atol=0.01, rtol=0)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_degrades_patches_in_range_and_by_the_generator_alone(task):
    degradation = degradation_of(task, make_noise("blend"), seed=0)
    side = 32 + 2 * degradation.margin
    wide = torch.rand((4, 3, side, side), generator=generator(9))
    first, again, other = (degradation.degrade(wide.clone(), generator(seed)) for seed in (1, 1, 2))
    assert first.shape == (4, 3, 32, 32)
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert degradation.describe()


@pytest.mark.parametrize("task", TASKS[1:])
def test_the_clean_image_is_left_as_it_was(task):
    degradation = degradation_of(task, make_noise("camera"), seed=0)
    wide = torch.rand((2, 3, 80, 80), generator=generator())
    before = wide.clone()
    degradation.degrade(wide, generator())
    assert torch.equal(wide, before)


@pytest.mark.parametrize("task", ["deblur", "udc", "hdr"])
def test_a_photograph_is_farther_from_clean_the_higher_the_level(task):
    photo = sample_photos().validation[0].clean[None, :, :200, :200].float() / 255
    degradation = degradation_of(task, CameraNoise(SILENT.profile, jpeg=0.0), seed=0)
    margin = degradation.margin
    clean = photo[..., margin : 200 - margin, margin : 200 - margin]
    errors = [
        np.mean([(degradation.degrade_at(photo, level, generator(s)) - clean).square().mean() for s in range(4)])
        for level in (0.0, 0.5, 1.0)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_a_task_has_the_noise_of_the_runs_camera():
    camera = CameraNoise(NoiseProfile("mine", "test", (0.001, 0.01), (0.01, 0.02)))
    for noise in (camera, BlendedNoise(camera)):
        assert degradation_of("deblur", noise, 0).camera is camera
    assert degradation_of("denoise", camera, 0) is camera
    assert degradation_of("hdr", SensorNoise(), 0).camera == CameraNoise()


def test_two_runs_have_blur_kernels_of_their_own_seed():
    one, other = (degradation_of("deblur", make_noise("camera"), seed).parts[0].kernels() for seed in (1, 2))
    assert not torch.equal(one, other)


def test_a_task_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="denoise, deblur, udc, hdr, mixed"):
        degradation_of("sharpen", SensorNoise(), 0)


def test_kernels_are_refused_where_nothing_is_blurred(tmp_path):
    np.save(tmp_path / "one.npy", np.ones((3, 3)))
    with pytest.raises(ValueError, match="task hdr has none"):
        degradation_of("hdr", SensorNoise(), 0, KernelFile.of(tmp_path / "one.npy"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"parts": ()}, "at least one part"),
        ({"noise": (0.5, 0.2)}, "noise"),
        ({"chance": 1.5}, "chance"),
        ({"curve": -0.1}, "curve"),
        ({"bits": 4}, "bits"),
    ],
)
def test_a_capture_that_cannot_be_is_refused_by_name(words, named):
    with pytest.raises(ValueError, match=named):
        Capture(**({"parts": (Overexposure(),)} | words))


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_a_level_outside_of_0_and_1_is_refused(level):
    with pytest.raises(ValueError, match="strength"):
        Capture((Overexposure(),)).degrade_at(torch.rand(1, 3, 8, 8), level, generator())


@pytest.mark.parametrize("stops", [(2.0, 1.0), (-1.0, 1.0), (0.0, 20.0)])
def test_stops_out_of_order_are_refused(stops):
    with pytest.raises(ValueError, match="stops"):
        Overexposure(stops)
