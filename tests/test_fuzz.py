"""Fuzz: damaged and hostile pictures cost an error; the short form of benchmarks/fuzz.py, and what it found."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from compress.bench.resident import forget_peak, peak, resident
from compress.runtime.photo import enhance_photo
from nas.task.data import matlab
from nas.task.data.arrays import blocks_of
from nas.task.data.facts import looked_at
from nas.task.data.matlab import arrays_of, variables
from nas.task.data.reading import Unreadable, opened, pixels_of
from nas.task.data.vips import vips
from nas.task.degrade import kernels
from nas.task.degrade.kernels import KernelFile
from tests.fuzz.__main__ import run
from tests.fuzz.tried import _unchanged

pyvips = vips()


def test_damaged_pictures_in_all_formats_end_no_process_hang_none_and_take_little_memory():
    found = run(seed=1, first=0, end=150)
    assert found.inputs == 150
    assert found.crashes == found.hangs == []
    assert len(found.kinds) == 11  # endings
    assert 0 < found.read < 150
    assert found.above < 600e6  # bytes


def test_an_input_is_the_same_whenever_it_is_made(tmp_path):
    from tests.fuzz.tried import Inputs

    one, other = (Inputs(0, tmp_path / "cache").of(77)[:2] for _ in range(2))
    assert one == other


def damaged_variable(path: Path) -> Path:
    """A MATLAB file whose variable has a type that there is not."""
    savemat(path, {"kernel": np.ones((9, 7))})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<II", 9, 9 * 7 * 8))  # of the values: doubles
    content[at + 1] = 32
    path.write_bytes(content)
    return path


def test_a_matlab_file_that_ends_the_process_that_reads_it_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "_READS", "import os; os.kill(os.getpid(), 11)")  # as scipy does with some
    savemat(tmp_path / "a.mat", {"blocks": np.zeros((1, 1, 8, 8, 3), np.uint8)})
    for read in (variables, arrays_of, blocks_of, KernelFile.of):
        with pytest.raises(ValueError, match="scipy ends with signal 11"):
            read(tmp_path / "a.mat")


def test_a_matlab_file_of_a_type_that_there_is_not_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        arrays_of(damaged_variable(tmp_path / "a.mat"))


def test_cells_of_a_matlab_file_are_read_one_after_the_other(tmp_path):
    cells = np.empty(2, dtype=object)
    cells[0], cells[1] = np.ones((3, 3)), np.ones((5, 5)) * 2
    savemat(tmp_path / "a.mat", {"kernels": cells, "text": "no numbers"})
    assert [(name, array.shape) for name, array in arrays_of(tmp_path / "a.mat")] == [
        ("kernels", (3, 3)), ("kernels", (5, 5))
    ]  # fmt: skip


def packed_matlab(path: Path) -> None:
    savemat(path, {"kernel": np.zeros((600, 600))}, do_compression=True)


def packed_numpy(path: Path) -> None:
    np.savez_compressed(path, kernel=np.zeros((600, 600)))


@pytest.mark.parametrize(("name", "write"), [("a.mat", packed_matlab), ("a.npz", packed_numpy)])
def test_a_file_that_would_be_large_unpacked_is_named_before_it_is(name, write, tmp_path, monkeypatch):
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 10_000
    for module in (matlab, kernels):
        monkeypatch.setattr(module, "MOST_BYTES", 10**6)
    with pytest.raises(ValueError, match=r"would be more than 0\.001 GB unpacked, and no more is read"):
        KernelFile.of(tmp_path / name)


def png_of(path: Path, height: int, width: int, *beside: tuple[bytes, bytes]) -> None:
    """A picture by its header, of a few bytes; `beside` are further chunks."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)),
        *beside,
        (b"IDAT", zlib.compress(bytes(99))),
        (b"IEND", b""),
    ]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    )


def test_a_picture_that_claims_to_be_large_is_named_by_its_header(tmp_path):
    png_of(tmp_path / "a.png", 60000, 60000)
    assert looked_at(tmp_path / "a.png").problem == "has 3,600 megapixels, and at most 400 are read"


def test_a_picture_of_few_very_long_rows_is_named_by_its_header(tmp_path):
    png_of(tmp_path / "a.png", 255, 1_048_632)  # below 400 megapixels, and a strip of it is all of it
    said = "has sides of 1,048,632 and 255 pixels, and at most 65,535 are read"
    assert looked_at(tmp_path / "a.png").problem == said
    Image.new("1", (70_000, 2)).save(tmp_path / "a.bmp")
    assert looked_at(tmp_path / "a.bmp").problem == "has sides of 70,000 and 2 pixels, and at most 65,535 are read"


@pytest.mark.parametrize(
    ("colours", "bands", "named"),
    [("cmyk", 7, 6), ("b-w", 4, 4), ("srgb", 6, 6)],  # printing colours lose one when they become three
)
def test_a_picture_of_more_channels_than_colours_and_alpha_is_named(colours, bands, named, tmp_path):
    pyvips.Image.black(8, 6, bands=bands).copy(interpretation=colours).write_to_file(str(tmp_path / "a.tif"))
    assert looked_at(tmp_path / "a.tif").problem == f"has {named} channels; save it in RGB"


def test_a_comment_whose_name_is_no_utf_8_costs_nothing_else(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    png_of(tmp_path / "a.png", 3, 4, (b"tEXt", "Größe\0klein".encode("latin-1")), (b"eXIf", exif.tobytes()[6:]))
    assert looked_at(tmp_path / "a.png").problem == ""
    enhance_photo(_unchanged, tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert (picture.size, picture.getexif()[0x010F]) == ((4, 3), "Maker")


def test_a_kernel_that_is_larger_than_any_is_named(tmp_path):
    values = np.zeros((2, 5000), np.uint8)
    values[0, 0] = values[1, 4999] = 1
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"sides \(2, 5000\): must be at most 4096 pixels"):
        KernelFile.of(tmp_path / "a.png")


def test_a_tiff_of_kernels_that_claims_millions_of_rows_is_named_by_its_header(tmp_path):
    tags = [(256, 2), (257, 2**31 - 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 9), (279, 1)]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + bytes(4))
    forget_peak()
    before = resident()
    with pytest.raises(ValueError, match=r"has sides \(2147483647, 2\): must be at most 4096 pixels"):
        KernelFile.of(tmp_path / "a.tif")
    assert peak() - before < 500e6  # bytes; a list of its strips took six times as much


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", b"no archive"),
        ("a.npz", b"PK\x03\x04" + bytes(60)),
        ("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'\n   "),  # whose header ends in the middle
        ("a.mat", b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + bytes(30)),
    ],
)
def test_a_damaged_file_of_kernels_or_pixels_is_an_error_that_names_it(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"kernels {path}: cannot be read"):
        KernelFile.of(path)
    assert looked_at(path).problem


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_a_turned_picture_that_ends_early_is_an_error_also_where_it_is_read_in_order(ending, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(noise).save(path, exif=exif)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(Unreadable):
        pixels_of(opened(path, sequential=True))


def test_a_picture_that_has_changed_under_its_name_is_read_as_it_is_now(tmp_path):
    for value in (10, 200):
        Image.new("RGB", (12, 8), (value,) * 3).save(tmp_path / "a.png")
        assert pixels_of(opened(tmp_path / "a.png")).mean() == value


def test_an_archive_of_arrays_that_lies_about_its_size_is_an_error(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "a.npy",
            b"\x93NUMPY\x01\x00\x46\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (4000, 4000), }".ljust(69)
            + b"\n",
        )
    (tmp_path / "a.npz").write_bytes(file.getvalue())
    with pytest.raises(ValueError, match="cannot be read"):
        KernelFile.of(tmp_path / "a.npz")


def test_reading_in_a_process_of_its_own_takes_no_module_from_where_it_is_begun(tmp_path, monkeypatch):
    (tmp_path / "scipy.py").write_text("raise SystemExit('taken from here')")
    savemat(tmp_path / "a.mat", {"kernel": np.ones((3, 3))})
    monkeypatch.chdir(tmp_path)
    assert [name for name, _, _ in variables(Path("a.mat"))] == ["kernel"]
