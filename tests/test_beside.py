"""Beside: what a file holds beside its plain pixels is kept, said or refused, and never lost without a word."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from compress.runtime.photo import enhance_photo
from nas.task.data.beside import left_out
from nas.task.data.layouts import DataError
from nas.task.data.photos import read_folder
from nas.task.data.reading import Unreadable, opened
from nas.task.data.vips import vips

pyvips = vips()

PQ, HLG, SRGB, LINEAR = 16, 18, 13, 8  # transfer functions, ITU-T H.273
BT709, BT2020, P3 = 1, 9, 12  # primaries


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8))


def avif(path: Path, primaries: int, transfer: int) -> None:
    picture().save(path)
    told = b"colrnclx"
    before, found, behind = path.read_bytes().partition(told)
    assert found
    path.write_bytes(before + told + struct.pack(">HH", primaries, transfer) + behind[4:])


def png(path: Path, primaries: int, transfer: int) -> None:
    picture().save(path)
    content = path.read_bytes()
    header = 8 + 25  # signature and IHDR
    chunk = b"cICP" + bytes((primaries, transfer, 0, 1))
    told = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:header] + told + content[header:])


def unchanged(rows):
    yield rows.read(0, rows.height)


@pytest.mark.parametrize(("name", "write"), [("a.avif", avif), ("a.png", png)])
@pytest.mark.parametrize(
    ("primaries", "transfer", "says"),
    [(BT2020, PQ, "PQ"), (P3, HLG, "HLG"), (BT709, LINEAR, "linear light"), (BT2020, SRGB, "primaries 9")],
)
def test_a_picture_whose_tags_say_colours_that_are_not_kept_is_refused(
    name, write, primaries, transfer, says, tmp_path
):
    write(tmp_path / name, primaries, transfer)
    with pytest.raises(Unreadable, match=rf"tagged with colours that are not read \({says}.*save it in sRGB"):
        opened(tmp_path / name)


@pytest.mark.parametrize(("name", "write"), [("a.avif", avif), ("a.png", png)])
@pytest.mark.parametrize("out", ["out.png", "out.jpg", "out.tif", "out.webp"])
def test_a_picture_tagged_as_display_p3_is_written_with_that_profile_and_its_own_values(name, write, out, tmp_path):
    write(tmp_path / name, P3, SRGB)
    enhance_photo(unchanged, tmp_path / name, tmp_path / out)
    write(tmp_path / f"untagged-{name}", BT709, SRGB)
    with Image.open(tmp_path / out) as written:
        profile = ImageCms.ImageCmsProfile(BytesIO(written.info["icc_profile"]))
        red = ImageCms.profileToProfile(
            Image.new("RGB", (1, 1), (234, 51, 35)), profile, ImageCms.createProfile("sRGB")
        )
        assert red.getpixel((0, 0))[0] == 255  # P3's (234, 51, 35) is about sRGB's pure red
        assert max(red.getpixel((0, 0))[1:]) <= 6
        if out == "out.png":
            np.testing.assert_array_equal(np.asarray(written), opened(tmp_path / f"untagged-{name}").numpy())


@pytest.mark.parametrize(("name", "write"), [("a.avif", avif), ("a.png", png)])
def test_a_picture_tagged_as_srgb_is_read_as_one_without_tags(name, write, tmp_path):
    write(tmp_path / name, BT709, SRGB)
    assert "icc-profile-data" not in opened(tmp_path / name).get_fields()


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.png"])
def test_pages_and_animations_are_refused_by_training_and_enhance_alike(name, tmp_path):
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / name, save_all=True, append_images=[picture(1), picture(2)])
    with pytest.raises(ValueError, match=r"holds 3 pictures, pages or an animation; save the one that is meant"):
        enhance_photo(unchanged, tmp_path / "in" / name, tmp_path / "out.png")
    with pytest.raises(DataError, match=rf"{name}: holds 3 pictures"):
        read_folder(tmp_path / "in")


def test_a_thumbnail_in_a_tiff_is_no_page(tmp_path):
    thumbnail = picture(1).resize((6, 4))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    picture().save(tmp_path / "a.tif", save_all=True, append_images=[thumbnail])
    assert pyvips.Image.new_from_file(str(tmp_path / "a.tif")).get("n-pages") == 2
    np.testing.assert_array_equal(opened(tmp_path / "a.tif").numpy(), np.asarray(picture()))


def ultra_hdr(path: Path) -> None:
    light = np.linspace(0, 3, 20 * 30 * 3).reshape(20, 30, 3).astype(np.float32)
    pyvips.Image.new_from_array(light, interpretation="scrgb").uhdrsave(str(path))


def android(path: Path) -> None:
    picture().save(path, xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d hdrgm:Version="1.0"/></x:xmpmeta>')


def in_boxes(content: bytes, path: Sequence[bytes], behind: bytes) -> bytes:
    """The boxes `content` with `behind` at the end of the one at `path`, and the sizes of all around it corrected."""
    made, place = b"", 0
    while place < len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + size]
        if kind == path[0]:
            skipped = {b"meta": 4, b"iinf": 6}[kind]  # version and flags; the number of items too
            if len(path) > 1:
                body = body[:skipped] + in_boxes(body[skipped:], path[1:], behind)
            else:
                items = struct.unpack(">H", body[4:6])[0] + 1
                body = body[:4] + struct.pack(">H", items) + body[6:] + behind
        made += struct.pack(">I4s", 8 + len(body), kind) + body
        place += size
    return made


def avif_with_gain_map(path: Path) -> None:
    """An item of the kind tone map beside the picture, whose place in the file moves by as much."""
    picture().save(path)
    content = path.read_bytes()
    item = struct.pack(">I4sIHH4s", 21, b"infe", 2 << 24, 99, 0, b"tmap") + b"\0"
    made = in_boxes(content, (b"meta", b"iinf"), item)
    place, moved = content.index(b"mdat") + 4, made.index(b"mdat") + 4
    assert made.count(struct.pack(">I", place)) == 1
    path.write_bytes(made.replace(struct.pack(">I", place), struct.pack(">I", moved)))


def test_the_gain_map_of_an_avif_is_named(tmp_path):
    avif_with_gain_map(tmp_path / "a.avif")
    picture().save(tmp_path / "plain.avif")
    np.testing.assert_array_equal(opened(tmp_path / "a.avif").numpy(), opened(tmp_path / "plain.avif").numpy())
    assert left_out(tmp_path / "a.avif") == "its gain map, which makes it HDR"
    assert left_out(tmp_path / "plain.avif") == ""


def two_views(path: Path) -> None:
    picture().save(path, format="MPO", save_all=True, append_images=[picture(1)])


@pytest.mark.parametrize(
    ("write", "says"),
    [(ultra_hdr, "its gain map"), (android, "its gain map"), (two_views, "1 other picture of the file")],
)
def test_the_plain_picture_of_a_jpeg_is_enhanced_and_what_is_beside_it_is_said_to_be_left_out(write, says, tmp_path):
    write(tmp_path / "a.jpg")
    said, seen = [], []

    def watched(rows):
        seen.append(rows.read(0, rows.height))
        yield seen[-1]

    enhance_photo(watched, tmp_path / "a.jpg", tmp_path / "out.png", say=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{tmp_path / 'a.jpg'}: not in the result: {says}")
    with Image.open(tmp_path / "a.jpg", formats=("JPEG",)) as plain:
        difference = np.abs(seen[0][0].permute(1, 2, 0).numpy().astype(int) - np.asarray(plain).astype(int))
    assert difference.max() <= 3  # two decoders of JPEG


def test_nothing_is_said_of_a_plain_jpeg(tmp_path):
    picture().save(tmp_path / "a.jpg")
    enhance_photo(unchanged, tmp_path / "a.jpg", tmp_path / "out.png", say=lambda said: pytest.fail(said))
