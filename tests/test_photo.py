import numpy as np
import pytest
from PIL import Image

from compress.photo import draw_before_after, enhance_photo

ORIENTATION = 0x0112


def unchanged(image):
    return image


def photo(path, width=7, height=5, mode="RGB", **options):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
    Image.fromarray(pixels.squeeze(), mode=mode).save(path, **options)
    return pixels


def test_an_unchanged_photo_comes_back_pixel_by_pixel(tmp_path):
    pixels = photo(tmp_path / "in.png")
    assert enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png") == (5, 7)
    assert np.array_equal(np.array(Image.open(tmp_path / "out.png")), pixels)


def test_the_network_sees_red_green_blue_from_0_to_1(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 51)).save(tmp_path / "in.png")
    seen = []
    enhance_photo(lambda image: seen.append(image) or image, tmp_path / "in.png", tmp_path / "out.png")
    assert seen[0].shape == (1, 3, 4, 4)
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])


def test_a_photo_that_exif_turns_is_written_upright_and_without_the_tag(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn by 90 degrees clockwise to see it upright
    exif[0x010F] = "a maker"
    pixels = photo(tmp_path / "in.png", exif=exif)
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert np.array_equal(np.array(out), np.rot90(pixels, -1))
        assert ORIENTATION not in out.getexif()
        assert out.getexif()[0x010F] == "a maker"


def test_alpha_is_carried_over_to_png_and_dropped_for_jpeg(tmp_path):
    pixels = photo(tmp_path / "in.png", mode="RGBA")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")
    enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.jpg")
    assert np.array_equal(np.array(Image.open(tmp_path / "out.png"))[..., 3], pixels[..., 3])
    assert Image.open(tmp_path / "out.jpg").mode == "RGB"


def test_values_beyond_the_range_are_clipped(tmp_path):
    Image.new("RGB", (4, 4), (200, 10, 0)).save(tmp_path / "in.png")
    enhance_photo(lambda image: image * 2 - 0.1, tmp_path / "in.png", tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").getpixel((0, 0)) == (255, 0, 0)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "in.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"in\.png is not a picture"):
        enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")


def test_a_cut_off_picture_is_named_and_nothing_is_written(tmp_path):
    photo(tmp_path / "whole.png", width=90, height=90)
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "in.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"in\.png cannot be read"):
        enhance_photo(unchanged, tmp_path / "in.png", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_an_unknown_suffix_is_refused_before_the_work(tmp_path):
    photo(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"use \.png or \.jpg"):
        enhance_photo(lambda image: pytest.fail("worked"), tmp_path / "in.png", tmp_path / "out.xyz")


def test_before_and_after_stand_side_by_side_with_their_centres_below(tmp_path):
    Image.new("RGB", (30, 21), "red").save(tmp_path / "a.png")
    Image.new("RGB", (30, 21), "blue").save(tmp_path / "b.png")
    draw_before_after(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "both.png")
    both = Image.open(tmp_path / "both.png")
    assert both.size == (66, 48)
    assert [both.getpixel(place) for place in ((5, 5), (60, 5), (5, 40), (60, 40))] == [
        (255, 0, 0), (0, 0, 255), (255, 0, 0), (0, 0, 255)]  # fmt: skip
