"""Corpus: parts of real photographs in every format that is read, small enough that a hundred thousand are cheap."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from nas.task.data.photos import sample_photos
from nas.task.data.tiles import Tiles
from nas.task.data.vips import vips

pyvips = vips()

SIZES = ((40, 56), (33, 17), (96, 64))  # height, width in pixels
MAPPED = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:hdrgm='x' hdrgm:Version='1.0'/>"  # as a gain map's JPEG has


def corpus(cache: Path) -> dict[str, bytes]:
    """Files by name; their names end as what they are."""
    photographs = sample_photos(Tiles(cache))
    pictures = [*photographs.training, *photographs.validation, *photographs.test]
    found: dict[str, bytes] = {}
    for number, picture in enumerate(pictures[::2]):
        height, width = SIZES[number % len(SIZES)]
        top, left = (side // 3 for side in picture.size)
        (pixels,) = picture.crop(top, left, height, width)
        made = files_of(np.ascontiguousarray(pixels))
        found |= {f"{number}-{name}": content for name, content in made.items()}
    return found


def files_of(pixels: np.ndarray) -> dict[str, bytes]:
    """One picture (H, W, 3), uint8, in every format."""
    return by_vips(pixels) | by_pillow(Image.fromarray(pixels)) | arrays(pixels)


def by_vips(pixels: np.ndarray) -> dict[str, bytes]:
    plain = pyvips.Image.new_from_array(pixels)
    deep = pyvips.Image.new_from_array(pixels.astype(np.uint16) * 257, interpretation="rgb16")
    alpha = plain.bandjoin(128)
    turned = plain.copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    coloured = plain.icc_transform("p3", input_profile="srgb")
    wanted: dict[str, tuple[pyvips.Image, dict[str, object]]] = {
        "plain.png": (plain, {}),
        "deep.png": (deep, {}),
        "interlaced.png": (plain, {"interlace": True}),
        "palette.png": (plain, {"palette": True}),
        "alpha.png": (alpha, {}),
        "p3.png": (coloured, {}),
        "plain.jpg": (plain, {"Q": 80}),
        "progressive.jpg": (plain, {"interlace": True}),
        "turned.jpg": (turned, {}),
        "p3.jpg": (coloured, {}),
        "plain.tif": (plain, {}),
        "lzw.tif": (deep, {"compression": "lzw", "predictor": "horizontal"}),
        "deflate.tif": (alpha, {"compression": "deflate"}),
        "tiled.tif": (plain, {"tile": True, "tile_width": 16, "tile_height": 16, "compression": "jpeg"}),
        "turned.tif": (turned, {}),
        "plain.webp": (plain, {}),
        "lossless.webp": (alpha, {"lossless": True}),
        "turned.webp": (turned, {}),
        "plain.avif": (plain, {"compression": "av1"}),
        "deep.avif": (deep, {"compression": "av1", "bitdepth": 10}),
    }
    found = {}
    for name, (picture, options) in wanted.items():
        if name.endswith(".avif"):
            found[name] = picture.heifsave_buffer(effort=0, **options)
        else:
            found[name] = picture.write_to_buffer(Path(name).suffix, **options)
    return found | {"plain.heic": found["plain.avif"]}


def by_pillow(picture: Image.Image) -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 3
    wanted: dict[str, Callable[[io.BytesIO], None]] = {
        "grey.png": lambda file: picture.convert("L").save(file, "PNG"),
        "bits.png": lambda file: picture.convert("1").save(file, "PNG"),
        "text.png": lambda file: picture.save(file, "PNG", exif=exif),
        "grey.jpg": lambda file: picture.convert("L").save(file, "JPEG"),
        "cmyk.jpg": lambda file: picture.convert("CMYK").save(file, "JPEG"),
        "exif.jpg": lambda file: picture.save(file, "JPEG", exif=exif),
        "several.mpo": lambda file: picture.save(file, "MPO", save_all=True, append_images=[picture.rotate(180)]),
        "plain.bmp": lambda file: picture.save(file, "BMP"),
        "palette.bmp": lambda file: picture.quantize(16).save(file, "BMP"),
        "cmyk.tif": lambda file: picture.convert("CMYK").save(file, "TIFF"),
        "packed.tif": lambda file: picture.save(file, "TIFF", compression="packbits"),
        "pages.tif": lambda file: picture.save(file, "TIFF", save_all=True, append_images=[picture]),
    }
    found = {}
    for name, save in wanted.items():
        file = io.BytesIO()
        save(file)
        found[name] = file.getvalue()
    jpeg = found["exif.jpg"]
    mapped = jpeg[:2] + b"\xff\xe1" + (len(MAPPED) + 2).to_bytes(2, "big") + MAPPED + jpeg[2:]
    return found | {"gain-map.jpg": mapped}


def arrays(pixels: np.ndarray) -> dict[str, bytes]:
    """Pictures as numbers, and kernels, which are read from the same kinds of files."""
    from scipy.io import savemat

    def saved(save: Callable[[io.BytesIO], None]) -> bytes:
        file = io.BytesIO()
        save(file)
        return file.getvalue()

    kernel = np.outer(np.hanning(9), np.hanning(7)) + 1e-3
    blocks = pixels[None, None, :16, :16]
    levels = Image.fromarray((kernel / kernel.max() * 255).astype(np.uint8))
    return {
        "plain.npy": saved(lambda file: np.save(file, pixels)),
        "light.npy": saved(lambda file: np.save(file, pixels.astype(np.float32) / 100)),
        "kernel.npy": saved(lambda file: np.save(file, kernel)),
        "kernels.npz": saved(lambda file: np.savez_compressed(file, a=kernel, b=kernel[1:])),
        "blocks.mat": saved(lambda file: savemat(file, {"Blocks": blocks}, do_compression=True)),
        "kernel.png": saved(lambda file: levels.save(file, "PNG")),
        "kernel.tif": saved(lambda file: levels.save(file, "TIFF")),
        "kernels.mat": saved(lambda file: savemat(file, {"kernels": kernel})),
    }
