"""Noise level: what most places say of a photograph's noise, and that an update is held to it where it is far above."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.data import chelsea
from torch import Tensor

import lpienas
from compress.runtime.noise_level import HELD, TOLD, WEIGHED, Hold, NoiseLevel, noise_level
from compress.runtime.runtimes import Runtime, in_pytorch
from compress.runtime.tiles import enhance
from lpienas.command import main
from lpienas.included import SHIPPED
from lpienas.ready import ready
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from search_spaces.space import ADDITIVE, scaled

BLACK, SLOPE = 0.01, 0.04  # of the noise that is made here
LOOPS = Path(__file__).parent.parent / "docs" / "tiling"
CPP = """
#include "hold.hpp"
#include <cstdio>
#include <cstdlib>

int main(int, char** words) {
    const int height = std::atoi(words[1]), width = std::atoi(words[2]);
    const double times = std::atof(words[3]), noise = std::atof(words[4]);
    std::vector<float> image(static_cast<std::size_t>(height) * width * 3), output(image.size()), answer(image.size());
    for (std::vector<float>* one : {&image, &output, &answer})
        if (std::fread(one->data(), 4, one->size(), stdin) != one->size()) return 1;
    const auto level = lpienas::noise_level(image, output, height, width, noise);
    lpienas::hold(image, output, height, width, level, times);
    const double line[] = {level.black, level.slope, level.least, level.weight};
    std::fwrite(line, 8, 4, stdout);
    std::fwrite(output.data(), 4, output.size(), stdout);
    const auto probed = lpienas::probe(image, height, width, level);
    lpienas::hold(probed, answer, height, width, level, times);
    lpienas::weigh(image, output, probed, answer, height, width, level);
    std::fwrite(output.data(), 4, output.size(), stdout);
}
"""
FIELD = np.s_[..., 100:180, 100:180]  # where there is texture


def noisy(height: int = 300, width: int = 400) -> tuple[Tensor, Tensor]:
    """A photograph from dark to bright, smooth, and the noise that it has, by a generator of its own."""
    brightness = torch.linspace(0.1, 0.8, width).expand(1, 3, height, width)
    drawn = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return brightness, drawn * (BLACK + SLOPE * brightness)


def textured() -> tuple[Tensor, Tensor]:
    """The same with a field of texture that a network takes for noise: what it would take away is the second."""
    clean, noise = noisy()
    noise[FIELD] += 0.3 * torch.randn(noise[FIELD].shape, generator=torch.Generator().manual_seed(1))
    return clean, noise


def told(clean: Tensor, noise: Tensor) -> NoiseLevel:
    found = noise_level([(clean + noise, clean)])
    assert found is not None
    return found


@pytest.mark.parametrize("made", [noisy, textured])
def test_the_level_at_each_brightness_is_that_of_the_noise_whatever_a_field_of_texture_has(made):
    level = told(*made())
    for brightness in (0.2, 0.5, 0.7):
        assert float(level.at(torch.tensor(brightness))) == pytest.approx(BLACK + SLOPE * brightness, rel=0.05)


def test_what_is_black_or_white_tells_nothing():
    clean, noise = noisy()
    clean, noise = clean.clone(), noise.clone()
    clean[..., :200, :], noise[..., :200, :] = 0.0, 0.0  # two thirds
    assert float(told(clean, noise).at(torch.tensor(0.5))) == pytest.approx(BLACK + SLOPE * 0.5, rel=0.05)
    assert noise_level([(torch.zeros(1, 3, 300, 300), torch.zeros(1, 3, 300, 300))]) is None


def test_of_few_windows_no_level_is_told():
    assert noise_level([]) is None
    assert noise_level([(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))]) is None


def test_a_level_that_is_told_has_that_size_over_the_photograph_and_the_line_of_the_updates():
    clean, noise = textured()
    level = noise_level([(clean + noise, clean)], told=0.05)
    assert level is not None
    dark, bright = level.at(torch.tensor((0.2, 0.7)))
    assert float(level.at(clean).square().mean().sqrt()) == pytest.approx(0.05, rel=0.02)
    assert float(bright / dark) == pytest.approx((BLACK + SLOPE * 0.7) / (BLACK + SLOPE * 0.2), rel=0.05)
    assert (level.weight, told(clean, noise).weight) == (TOLD, WEIGHED)


def test_a_level_that_is_told_is_the_same_everywhere_where_updates_tell_nothing():
    flat = NoiseLevel(0.02, 0.0, 0.02, TOLD)
    assert noise_level([], told=0.02) == flat  # too few windows
    clean, _ = noisy()
    assert noise_level([(clean, clean)], told=0.02) == flat  # no update


def test_an_update_is_held_to_the_level_in_the_field_and_left_alone_elsewhere():
    clean, noise = textured()
    held = told(clean, noise).held(lambda image: image - noise, HELD)(clean + noise)
    taken = clean + noise - held
    inside = taken[..., 120:160, 120:160].square().mean().sqrt()
    assert float(inside) == pytest.approx(HELD * (BLACK + SLOPE * float(clean[..., 140, 140].mean())), rel=0.05)
    far = np.s_[..., 200:, :]
    assert torch.equal(held[far], (clean + noise - noise)[far])


def blurred(image: Tensor) -> Tensor:
    """The simplest denoiser: the mean of 3x3 pixels."""
    return F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)


def told_by_blur(image: Tensor, noise: float | None = None) -> NoiseLevel:
    found = noise_level([(image, blurred(image))], noise)
    assert found is not None
    return found


def test_a_probe_is_noise_of_the_level_at_each_brightness_and_unlike_itself_nearby():
    clean, noise = noisy()
    probe = told(clean, noise).probe(clean) - clean
    for column in (100, 300):
        sizes = probe[..., column].abs()
        assert torch.allclose(sizes, BLACK + SLOPE * clean[..., column], rtol=0.06)
    tile = (probe.sign())[0, :, :8, :8]
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        assert (tile * tile.roll((down, right), (1, 2))).mean(dim=(1, 2)).abs().max() <= 0.13
    assert all(abs(float((tile[one] * tile[other]).mean())) <= 0.13 for one, other in ((0, 1), (0, 2), (1, 2)))


def test_an_update_is_weighed_nearly_as_well_as_by_who_knows_the_clean_picture():
    """Where the level is the true one; half of the picture is texture, which the blur takes away."""
    clean, noise = noisy()
    clean = clean.clone()
    clean[..., 150:, :] += 0.15 * torch.sign(torch.sin(torch.arange(clean.shape[-1]) * 1.5))
    image = (clean + noise).clamp(0, 1)
    update = blurred(image) - image

    def lost(output: Tensor, rows: slice) -> float:
        return float((output - clean)[..., rows, 10:-10].square().mean())

    weighed = NoiseLevel(BLACK, SLOPE, 0.001, weight=1.0).weighed(blurred)(image)
    for rows in (slice(10, 140), slice(160, 290)):
        share = ((clean - image) * update)[..., rows, :].mean() / update[..., rows, :].square().mean()
        assert lost(weighed, rows) < 1.1 * lost(image + share * update, rows)
    assert lost(weighed, slice(10, 140)) < 0.2 * lost(image, slice(10, 140))
    assert lost(weighed, slice(160, 290)) < lost(image, slice(160, 290)) < 0.1 * lost(blurred(image), slice(160, 290))


def network() -> Runtime:
    return in_pytorch(build(Blueprint.from_genotype(scaled(ADDITIVE, 0.5)), seed=1))


def test_tiles_are_held_as_the_whole_picture_is():
    clean, noise = textured()
    image, runtime = (clean + noise).clamp(0, 1), network()
    whole, cut = (enhance(runtime, image, tile=tile, hold=Hold(1.0)) for tile in (1000, 232))
    assert not torch.equal(whole, enhance(runtime, image))
    assert (whole - cut).abs().max() < 1e-5
    size = (232, 240)
    of_one_size = enhance(replace(runtime, size=size), image, hold=Hold(1.0))
    assert (whole - of_one_size).abs().max() < 0.02  # told by other parts


def test_pictures_of_whole_numbers_and_grey_ones_are_held_too():
    clean, noise = textured()
    image = ((clean + noise).clamp(0, 1) * 255).round()
    runtime = network()
    of_floats, of_levels = (enhance(runtime, one, hold=Hold(1.0)) for one in (image / 255, image.to(torch.uint8)))
    assert (of_floats.clamp(0, 1) * 255 - of_levels.float()).abs().max() <= 0.51
    grey = enhance(runtime, image[:, :1].expand(-1, 3, -1, -1) / 255, hold=Hold(1.0))
    assert torch.equal(grey[:, 0], grey[:, 1])


def flowered() -> tuple[np.ndarray, np.ndarray]:
    """A photograph with little noise, one field of which is as colourful as noise would be; and without its noise."""
    generator = np.random.default_rng(0)
    clean = chelsea().astype(float)
    clean[FIELD[1:]] += generator.normal(0, 40, (80, 80, 3))
    clean = clean.clip(0, 255)
    return (clean + generator.normal(0, 2, clean.shape)).clip(0, 255).round().astype(np.uint8), clean


def test_the_denoiser_of_the_package_leaves_texture_alone_that_it_would_take_for_noise():
    image, clean = flowered()
    held = ready("denoise").enhance(image)
    free = lpienas.load(SHIPPED / "denoise/network.json").enhance(image)
    lost = [np.abs(one.astype(float) - clean)[FIELD[1:]].mean() for one in (held, free)]
    assert lost[0] < lost[1] / 3


def test_a_photograph_is_held_as_asked_and_two_rows_of_a_table_say_what_it_brings(tmp_path, capsys):
    image, clean = flowered()
    (tmp_path / "pairs").mkdir()
    for side, pixels in (("noisy", image), ("clean", clean.round().astype(np.uint8))):
        Image.fromarray(pixels).save(tmp_path / f"pairs/chelsea_{side}.png")
    photo, model = tmp_path / "pairs/chelsea_noisy.png", SHIPPED / "denoise/network.json"
    for name, words in (("own", []), ("same", ["--hold", str(HELD)]), ("free", ["--hold", "0"])):
        assert main(["enhance", str(photo), "-o", str(tmp_path / f"{name}.png"), *words]) == 0
    assert main(["enhance", str(model), str(photo), "-o", str(tmp_path / "named.png")]) == 0
    own, same, free, named = ((tmp_path / f"{name}.png").read_bytes() for name in ("own", "same", "free", "named"))
    assert own == same != free == named
    assert main(["enhance", str(photo), "-o", str(tmp_path / "no.png"), "--hold", "0.5"]) == 1
    assert "hold = 0.5: must be 1 or more times" in capsys.readouterr().err
    words = ["evaluate", str(model), "--data", str(tmp_path / "pairs"), "--hold", str(HELD), "--told", "--json"]
    assert main(words) == 0
    given = json.loads(capsys.readouterr().out)
    found = given["models"]
    assert [one["model"] for one in found] == [str(model), f"{model}, held"]
    assert found[1]["psnr"] > found[0]["psnr"] + 1
    told = given["compared"][-1]
    assert (told["name"], told["kind"]) == (f"{model}, told", "told")
    assert told["psnr"] > found[1]["psnr"] + 0.2


def test_what_is_told_the_noise_of_a_photograph_leaves_more_of_it(tmp_path, capsys):
    image, clean = flowered()
    photo, model = tmp_path / "noisy.png", SHIPPED / "denoise/network.json"
    Image.fromarray(image).save(photo)
    for name, words in (("own", []), ("told", ["--noise-level", "2"])):
        assert main(["enhance", str(photo), "-o", str(tmp_path / f"{name}.png"), *words]) == 0
    own, told = (np.asarray(Image.open(tmp_path / f"{name}.png"), dtype=float) for name in ("own", "told"))
    assert np.square(told - clean).mean() < 0.95 * np.square(own - clean).mean()
    for opened in (lpienas.load("denoise", noise_level=2.0), lpienas.load(model, noise_level=2.0)):
        assert (opened.hold, opened.noise_level) == (HELD, 2.0)
        assert np.array_equal(opened.enhance(image), told)
    assert lpienas.load(model, hold=1.2, noise_level=2.0).hold == 1.2
    for words, says in (
        (["--noise-level", "0"], "noise level = 0: must be the root mean square"),
        (["--noise-level", "2", "--hold", "0"], "noise level = 2 with hold = 0"),
    ):
        assert main(["enhance", str(photo), "-o", str(tmp_path / "no.png"), *words]) == 1
        assert says in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
@pytest.mark.parametrize("known", [None, 0.03])
def test_the_function_for_applications_in_another_language_holds_as_this_one_does(known, tmp_path):
    clean, noise = textured()
    image = (clean + noise).clamp(0, 1)
    output, level = blurred(image), told_by_blur(image, known)
    height, width = image.shape[-2:]
    (tmp_path / "twin.cpp").write_text(CPP)
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(LOOPS)]
    subprocess.run(["g++", *flags, str(tmp_path / "twin.cpp"), "-o", str(tmp_path / "twin")], check=True)
    pictures = (image, output, blurred(level.probe(image)))
    given = b"".join(one[0].permute(1, 2, 0).contiguous().numpy().tobytes() for one in pictures)
    words = [str(tmp_path / "twin"), str(height), str(width), str(HELD), str(known or 0)]
    made = subprocess.run(words, input=given, capture_output=True, check=True).stdout
    np.testing.assert_allclose(
        np.frombuffer(made[:32], dtype=np.float64), (level.black, level.slope, level.least, level.weight), rtol=1e-3
    )
    both = torch.from_numpy(np.frombuffer(made[32:], dtype=np.float32).reshape(2, height, width, 3).copy())
    held = level.held(blurred, HELD)
    weighed = level.weighed(held)(image)
    for found, here in zip(both, (held(image), weighed), strict=True):
        assert (found.permute(2, 0, 1) - here[0]).abs().max() < 2e-4
    assert (held(image) - output).abs().max() > 0.1
    assert (weighed - held(image)).abs().max() > 0.05
