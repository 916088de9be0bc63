"""Photo: nothing of a picture is lost but its noise, nothing is overwritten unasked, a bad file is named."""

import shutil
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from compress.runtime import photo as photo_module
from compress.runtime.exif import into_tiff, of_tiff
from compress.runtime.photo import draw_before_after, enhance_photo, plan_outputs
from compress.runtime.runtimes import in_pytorch
from compress.runtime.tiles import enhance_rows
from nas.task.data.vips import vips
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

pyvips = vips()

ORIENTATION = 0x0112
MAKER = 0x010F


def whole(network):
    """A network of whole images, for enhance_photo, which asks for rows."""
    return lambda rows: iter([network(rows.read(0, rows.height))])


def unchanged(rows):
    return whole(lambda image: image)(rows)


def photo(path, width=7, height=5, mode="RGB", **options):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
    Image.fromarray(pixels.squeeze(), mode=mode).save(path, **options)
    return pixels


def deep_photo(path, channels=3):
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    pyvips.Image.new_from_array(pixels, interpretation="rgb16").write_to_file(str(path))
    return pixels


def cut_off(source, target):
    content = source.read_bytes()
    target.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_an_unchanged_photo_comes_back_pixel_by_pixel(tmp_path, suffix):
    pixels = photo(tmp_path / "in.png")
    assert enhance_photo(unchanged, tmp_path / "in.png", tmp_path / f"out{suffix}") == (5, 7)
    assert np.array_equal(np.array(Image.open(tmp_path / f"out{suffix}")), pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_format_with_loss_is_written_at_high_quality(tmp_path, suffix):
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "in.png")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / f"out{suffix}")
    before, after = (np.array(Image.open(tmp_path / name)).astype(int) for name in ("in.png", f"out{suffix}"))
    assert np.abs(before - after).max() <= 4


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_a_channel_stay_sixteen_bits(tmp_path, suffix, channels):
    pixels = deep_photo(tmp_path / f"in{suffix}", channels)
    seen = []
    enhance_photo(whole(lambda image: seen.append(image) or image), tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
    assert seen[0].dtype is torch.uint16
    assert np.array_equal(pyvips.Image.new_from_file(str(tmp_path / f"out{suffix}")).numpy(), pixels)


def test_the_network_sees_red_green_blue(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 51)).save(tmp_path / "in.png")
    seen = []
    enhance_photo(whole(lambda image: seen.append(image) or image), tmp_path / "in.png", tmp_path / "out.png")
    assert (seen[0].shape, seen[0].dtype) == ((1, 3, 4, 4), torch.uint8)
    assert seen[0][0, :, 0, 0].tolist() == [255, 0, 51]


@pytest.mark.parametrize("mode", ["L", "P", "LA", "CMYK"])
def test_a_picture_without_three_colours_becomes_one_of_three(tmp_path, mode):
    image = Image.new("RGB", (6, 4), (90, 90, 90)).convert(mode)
    image.save(tmp_path / ("in.jpg" if mode == "CMYK" else "in.png"))
    enhance_photo(unchanged, tmp_path / ("in.jpg" if mode == "CMYK" else "in.png"), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == ("RGBA" if mode == "LA" else "RGB")
        assert np.abs(np.array(out)[0, 0, :3].astype(int) - 90).max() <= 25  # CMYK depends on the ink; inverted: 75


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_photo_that_exif_turns_is_written_upright_and_keeps_the_rest_of_exif_and_its_profile(tmp_path, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn by 90 degrees clockwise to see it upright
    exif[MAKER] = "a maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = photo(tmp_path / "in.png", exif=exif, icc_profile=profile)
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as out:
        assert out.size == (5, 7)
        if suffix in (".png", ".tif"):
            assert np.array_equal(np.array(out), np.rot90(pixels, -1))
        assert out.getexif().get(ORIENTATION, 1) == 1
        assert out.info["icc_profile"] == profile
        assert out.getexif()[MAKER] == "a maker"


@pytest.mark.parametrize("byte_order", ["II", "MM"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_goes_through_a_tiff_of_sixteen_bits_and_alpha_and_back(tmp_path, suffix, byte_order):
    exif = Image.Exif()
    exif.endian = "<" if byte_order == "II" else ">"
    exif[MAKER], exif[ORIENTATION] = "a maker", 6
    within = {ExifTags.Base.ExposureTime: IFDRational(1, 125), ExifTags.Base.UserComment: b"ASCII\0\0\0hello"}
    place = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (48.0, 51.0, 29.5)}
    exif.get_ifd(ExifTags.IFD.Exif).update(within)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    pixels = np.random.default_rng(0).integers(0, 65536, (7, 5, 4)).astype(np.uint16)
    path = tmp_path / "deep.tif"
    pyvips.Image.new_from_array(pixels, interpretation="rgb16").write_to_file(str(path))
    into_tiff(path, exif.tobytes())
    enhance_photo(unchanged, path, tmp_path / "out.tif")
    assert np.array_equal(pyvips.Image.new_from_file(str(tmp_path / "out.tif")).numpy(), pixels)
    enhance_photo(unchanged, tmp_path / "out.tif", tmp_path / f"out{suffix}")
    for name in ("out.tif", f"out{suffix}"):
        with Image.open(tmp_path / name) as out:
            found = out.getexif()
            assert (found[MAKER], found.get(ORIENTATION, 1)) == ("a maker", 1)
            assert {tag: found.get_ifd(ExifTags.IFD.Exif)[tag] for tag in within} == within
            assert found.get_ifd(ExifTags.IFD.GPSInfo) == place


def test_damaged_exif_costs_the_exif_and_not_the_photograph(tmp_path):
    path = tmp_path / "in.tif"
    pyvips.Image.new_from_array(np.zeros((7, 5, 3), np.uint8), interpretation="srgb").write_to_file(str(path))
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"hello, hello, hello"
    into_tiff(path, exif.tobytes())
    text, number = (struct.pack("<HHL", ExifTags.IFD.Exif, kind, 1) for kind in (2, 4))
    path.write_bytes(path.read_bytes().replace(number, text))  # where EXIF's directory is would be a word
    with pytest.warns(UserWarning, match=r"in\.tif: its EXIF cannot be read and is left out"):
        enhance_photo(unchanged, path, tmp_path / "out.tif")
    assert pyvips.Image.new_from_file(str(tmp_path / "out.tif")).width == 5


def test_a_tiff_without_exif_and_a_png_by_the_name_of_tiff_are_read(tmp_path):
    photo(tmp_path / "in.png")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "plain.tif")
    assert of_tiff(tmp_path / "plain.tif") == b""
    shutil.copy(tmp_path / "in.png", tmp_path / "other.tif")
    enhance_photo(unchanged, tmp_path / "other.tif", tmp_path / "out.tif")
    assert Image.open(tmp_path / "out.tif").size == Image.open(tmp_path / "in.png").size


@pytest.mark.parametrize(("suffix", "channels"), [(".png", 4), (".tif", 3), (".jpg", 4)])
def test_a_large_picture_in_strips_is_written_as_one_in_memory_is(tmp_path, monkeypatch, suffix, channels):
    stages = (Stage(depth=1, width=4, attention="none"),) * 5
    blueprint = Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3"))
    runtime = in_pytorch(build(blueprint, seed=0))
    pixels = np.random.default_rng(0).integers(0, 65536, (210, 83, channels), dtype=np.uint16)
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "a maker", 6
    pyvips.Image.new_from_array(pixels, interpretation="rgb16").write_to_file(str(tmp_path / "in.tif"))
    into_tiff(tmp_path / "in.tif", exif.tobytes())
    picture = pyvips.Image.new_from_file(str(tmp_path / "in.tif")).copy()
    picture.set_type(pyvips.GValue.gint_type, "orientation", 6)
    picture.write_to_file(str(tmp_path / "turned.tif"))
    strips = []

    def network(rows):
        for strip in enhance_rows(runtime, rows, tile=120):
            strips.append(strip.shape[-2])
            yield strip

    enhance_photo(network, tmp_path / "turned.tif", tmp_path / f"whole{suffix}")
    monkeypatch.setattr(photo_module, "STRIPS_ABOVE", 0.001)
    assert enhance_photo(network, tmp_path / "turned.tif", tmp_path / "new" / f"out{suffix}") == (83, 210)
    assert len(strips) > 3
    assert (tmp_path / "new" / f"out{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"out{suffix}"]


def test_a_large_picture_that_is_cut_off_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    photo(tmp_path / "whole.png", width=90, height=90)
    cut_off(tmp_path / "whole.png", tmp_path / "in.png")
    monkeypatch.setattr(photo_module, "STRIPS_ABOVE", 0.001)
    with pytest.raises(ValueError, match=r"in\.png cannot be read whole"):
        enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "new" / "out.png")
    assert not list((tmp_path / "new").iterdir())


def test_alpha_is_carried_over_to_png_and_dropped_for_jpeg(tmp_path):
    pixels = photo(tmp_path / "in.png", mode="RGBA")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.jpg")
    assert np.array_equal(np.array(Image.open(tmp_path / "out.png"))[..., 3], pixels[..., 3])
    assert Image.open(tmp_path / "out.jpg").mode == "RGB"


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "in.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"in\.png cannot be read as a picture"):
        enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_cut_off_picture_is_named_and_nothing_is_written(tmp_path, suffix):
    photo(tmp_path / f"whole{suffix}", width=90, height=90)
    cut_off(tmp_path / f"whole{suffix}", tmp_path / f"in{suffix}")
    with pytest.raises(ValueError, match=rf"in{suffix} cannot be read whole"):
        enhance_photo(unchanged, tmp_path / f"in{suffix}", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_result_has_its_name_only_once_it_is_whole(tmp_path):
    photo(tmp_path / "in.png")
    (tmp_path / "out.png").write_bytes(b"the one before")

    def interrupted(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enhance_photo(interrupted, tmp_path / "in.png", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"the one before"
    assert {path.name for path in tmp_path.iterdir()} == {"in.png", "out.png"}


def test_a_kill_while_a_result_is_written_leaves_the_one_before(tmp_path):
    photo(tmp_path / "in.png", width=2500, height=2500)  # noise: a second of compression
    (tmp_path / "out.png").write_bytes(b"the one before")
    work = "import sys; from pathlib import Path; from compress.runtime.photo import enhance_photo as e; "
    command = [
        sys.executable,
        "-c",
        f"{work}e(lambda rows: iter([rows.read(0, rows.height)]), *map(Path, sys.argv[1:]))",
    ]
    child = subprocess.Popen([*command, tmp_path / "in.png", tmp_path / "out.png"])
    while not (unfinished := [path for path in tmp_path.glob(".out-*") if path.stat().st_size]):
        assert child.poll() is None
        time.sleep(0.002)
    child.kill()
    assert child.wait() == -9
    assert (tmp_path / "out.png").read_bytes() == b"the one before"
    assert unfinished[0].stat().st_size
    assert plan_outputs([tmp_path], tmp_path / "better", False, False) == [
        (tmp_path / name, tmp_path / "better" / name) for name in ("in.png", "out.png")
    ]  # what was left behind is no photograph


def test_an_unknown_suffix_is_refused_before_the_work(tmp_path):
    photo(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"use one of \.png, \.jpg"):
        enhance_photo(lambda rows: pytest.fail("worked"), tmp_path / "in.png", tmp_path / "out.xyz")


def test_one_photo_is_written_to_a_file_and_several_to_a_folder(tmp_path):
    for name in ("b.jpg", "a.png", "c.heic", "notes.txt"):
        (tmp_path / name).touch()
    assert plan_outputs([tmp_path / "a.png"], tmp_path / "x.jpg", False, False) == [
        (tmp_path / "a.png", tmp_path / "x.jpg")
    ]
    out = tmp_path / "out"
    assert plan_outputs([tmp_path], out, False, False) == [
        (tmp_path / "a.png", out / "a.png"),
        (tmp_path / "b.jpg", out / "b.jpg"),
        (tmp_path / "c.heic", out / "c.png"),  # a format that is read and not written
    ]
    out.mkdir()
    assert plan_outputs([tmp_path / "a.png"], out, False, False) == [(tmp_path / "a.png", out / "a.png")]


def test_what_exists_is_overwritten_only_when_asked_and_can_be_left(tmp_path):
    for name in ("in/a.png", "in/b.png", "out/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos, out = [tmp_path / "in"], tmp_path / "out"
    with pytest.raises(ValueError, match=r"a\.png exists; --force overwrites, --skip leaves"):
        plan_outputs(photos, out, False, False)
    assert [target.name for _, target in plan_outputs(photos, out, True, False)] == ["a.png", "b.png"]
    assert [target.name for _, target in plan_outputs(photos, out, False, True)] == ["b.png"]


def test_a_photo_never_takes_the_place_of_itself_or_of_another(tmp_path):
    for name in ("one/a.png", "two/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="one of the photographs themselves"):
        plan_outputs([tmp_path / "one"], tmp_path / "one", True, False)
    with pytest.raises(ValueError, match="two pictures would be written to"):
        plan_outputs([tmp_path / "one", tmp_path / "two"], tmp_path / "out", False, False)
    with pytest.raises(ValueError, match="give a folder"):
        plan_outputs([tmp_path / "one", tmp_path / "two"], tmp_path / "out.png", False, False)


def test_a_folder_without_pictures_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ValueError, match="no pictures in"):
        plan_outputs([tmp_path], tmp_path / "out", False, False)
    with pytest.raises(FileNotFoundError, match=r"gone\.png is not there"):
        plan_outputs([tmp_path / "gone.png"], tmp_path / "out", False, False)


def test_before_and_after_stand_side_by_side_with_their_centres_below(tmp_path):
    Image.new("RGB", (30, 21), "red").save(tmp_path / "a.png")
    Image.new("RGB", (30, 21), "blue").save(tmp_path / "b.png")
    draw_before_after(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "both.png")
    both = Image.open(tmp_path / "both.png")
    assert both.size == (66, 48)
    assert [both.getpixel(place) for place in ((5, 5), (60, 5), (5, 40), (60, 40))] == [
        (255, 0, 0), (0, 0, 255), (255, 0, 0), (0, 0, 255)]  # fmt: skip


def test_of_a_large_picture_before_and_after_are_drawn_smaller_and_their_centres_as_they_are(tmp_path):
    picture = Image.new("RGB", (8192, 600), "red")
    picture.paste("lime", (4096 - 10, 0, 4096 + 10, 600))
    picture.save(tmp_path / "a.png")
    draw_before_after(tmp_path / "a.png", tmp_path / "a.png", tmp_path / "both.png")
    both = Image.open(tmp_path / "both.png")
    assert both.size == (2 * 4096 + 6, 2 * 300 + 6)
    row = [both.getpixel((x, 450)) for x in range(4096)]
    green = [x for x, colour in enumerate(row) if colour == (0, 255, 0)]
    assert len(green) == pytest.approx(60, abs=1)  # 20 pixels, three times
    assert sum(green) / len(green) == pytest.approx(2048, abs=3)
