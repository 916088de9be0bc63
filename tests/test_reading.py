"""Reading: one reader, whose pixels are those of other readers where these agree, and what it refuses with a reason."""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from compress.runtime.photo import enhance_photo, plan_outputs
from compress.runtime.tiles import Rows
from nas.task.data.layouts import recognise
from nas.task.data.photos import read_folder
from nas.task.data.reading import Unreadable, header_of, opened, strips
from nas.task.data.tiles import Tiles
from nas.task.data.vips import vips

pyvips = vips()

HEIGHT, WIDTH = 20, 30


def colours(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def pixels(path: Path, rows: int = 7) -> np.ndarray:
    return np.concatenate(list(strips(path, rows)))


def trained_on(path: Path) -> np.ndarray:
    (photo,) = read_folder(path.parent)
    return photo.clean.permute(1, 2, 0).numpy()


def enhanced(path: Path, out: Path) -> np.ndarray:
    """What a network is given by `enhance`."""
    seen = []

    def network(rows: Rows) -> Iterator[torch.Tensor]:
        image = rows.read(0, rows.height)
        seen.append(image[0].permute(1, 2, 0).numpy().copy())
        yield image

    enhance_photo(network, path, out)
    return seen[0]


def cmyk(path: Path) -> None:
    Image.fromarray(colours()).convert("CMYK").save(path)


def palette(path: Path) -> None:
    Image.fromarray(colours()).quantize(16).save(path)


def with_profile(path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    Image.fromarray(colours()).save(path, icc_profile=profile.tobytes())


def sixteen_bits(path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    pyvips.Image.new_from_array(values, interpretation="rgb16").write_to_file(str(path))


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours()).save(path, exif=exif)


def several(path: Path) -> None:
    Image.fromarray(colours()).save(path, save_all=True, append_images=[Image.fromarray(colours(1))])


def plain(path: Path) -> None:
    Image.fromarray(colours()).save(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jpg", cmyk), ("a.png", palette), ("a.png", with_profile), ("a.jpg", with_profile), ("a.png", sixteen_bits),
        ("a.tif", sixteen_bits), ("a.jpg", turned), ("a.png", turned), ("a.mpo", several), ("a.avif", plain),
        ("a.bmp", plain), ("a.webp", plain), ("a.jpg", plain),
    ],
)  # fmt: skip
def test_training_and_enhancing_see_the_same_pixels(name, write, tmp_path):
    path = tmp_path / "in" / name
    path.parent.mkdir()
    write(path)
    np.testing.assert_array_equal(trained_on(path), enhanced(path, tmp_path / "out.png"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_plain_pictures_have_the_pixels_that_pillow_reads(name, tmp_path):
    plain(tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        np.testing.assert_array_equal(pixels(tmp_path / name), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_are_turned_upright_in_strips_too(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(colours()).save(tmp_path / "a.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), upright)
    assert (header_of(tmp_path / "a.png").height, header_of(tmp_path / "a.png").width) == upright.shape[:2]


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize(("exif", "turns"), [(None, True), (1, False)])
def test_where_exif_states_no_orientation_that_of_xmp_counts_and_is_upright_afterwards(exif, turns, tmp_path):
    block = Image.Exif()
    if exif is not None:
        block[0x0112] = exif
    Image.fromarray(colours()).save(tmp_path / "a.jpg", xmp=XMP, quality=100, exif=block.tobytes())
    picture = opened(tmp_path / "a.jpg")
    assert (picture.height, picture.width) == ((WIDTH, HEIGHT) if turns else (HEIGHT, WIDTH))
    assert b'tiff:Orientation="1"' in bytes(picture.get("xmp-data"))


def test_the_orientation_in_a_text_chunk_of_a_png_counts(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    exif = Image.Exif()
    exif[0x0112] = 6
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    Image.fromarray(colours()).save(tmp_path / "a.png", pnginfo=text)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), np.rot90(colours(), -1))


def floats(path: Path) -> None:
    Image.fromarray(colours()[..., 0].astype(np.float32)).save(path)


def signed(path: Path) -> None:
    pyvips.Image.new_from_array(colours()[..., 0].astype(np.int16)).write_to_file(str(path))


def unsigned(path: Path) -> None:
    pyvips.Image.new_from_array(colours().astype(np.uint32) * 1000).write_to_file(str(path))


def no_numbers(path: Path) -> None:
    pyvips.Image.new_from_array(np.full((HEIGHT, WIDTH, 3), np.nan, np.float32)).write_to_file(str(path))


def lab(path: Path) -> None:
    pyvips.Image.new_from_array(colours()).copy(interpretation="srgb").colourspace("lab").write_to_file(str(path))


def ycbcr(path: Path) -> None:
    Image.fromarray(colours()).convert("YCbCr").save(path, compression=None)


def drawing(path: Path) -> None:
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"></svg>')


def claims_to_be_large(path: Path) -> None:
    """A PNG of a few bytes whose header states 30000x30000 pixels."""
    plain(path)
    content = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def no_decoder(path: Path) -> None:
    """The beginning of a HEIC file, which no decoder of the wheel takes."""
    path.write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(64))


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("a.tif", floats, "floating-point"), ("a.tif", signed, "signed"), ("a.tif", lab, "RGB|values"),
        ("a.tif", unsigned, "uint values"), ("a.tif", no_numbers, "floating-point"),
        ("a.tif", ycbcr, "YCbCr"), ("a.png", drawing, "no photograph"), ("a.png", os.mkfifo, "is no file"),
        ("a.png", lambda path: None, "is not there"), ("a.png", claims_to_be_large, "has 900 megapixels"),
        ("a.heic", no_decoder, "convert it to .jpg or .png"),
    ],
)  # fmt: skip
def test_what_would_come_out_wrong_or_never_is_refused_with_the_reason(name, write, says, tmp_path):
    write(tmp_path / name)
    with pytest.raises(Unreadable, match=says):
        header_of(tmp_path / name)


def test_a_picture_is_refused_for_its_size_by_its_header(tmp_path):
    plain(tmp_path / "a.png")
    with pytest.raises(Unreadable, match="megapixels"):
        opened(tmp_path / "a.png", most_megapixels=0.0005)


def test_two_hundred_megapixels_are_trained_on_a_strip_at_a_time_and_enhanced(tmp_path):
    (pyvips.Image.black(16384, 12288) + 20).cast("uchar").write_to_file(str(tmp_path / "a.jpg"))
    (photo,) = read_folder(tmp_path, tiles=Tiles(tmp_path / "cache", 0))  # without a cache each crop is read anew
    assert photo.size == (12288, 16384)
    assert np.abs(photo.crop(64, 16000, 32, 32)[0].astype(int) - 20).max() <= 2
    assert opened(tmp_path / "a.jpg").width == 16384  # by enhance too


def test_training_and_enhance_look_for_files_of_the_same_names(tmp_path):
    endings = ("PNG", "jpg", "jpeg", "mpo", "bmp", "tif", "tiff", "webp", "avif", "heic", "heif", "gif", "svg", "txt")
    for number, ending in enumerate(endings):
        (tmp_path / f"{number}.{ending}").touch()
    trained_on = {joined.clean.name for joined in recognise(tmp_path).joins}
    assert {source.name for source, _ in plan_outputs([tmp_path], tmp_path / "out", False, False)} == trained_on
    assert len(trained_on) == 11
