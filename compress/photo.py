"""Photo: enhance one picture file, upright, and write it as a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from results.files import written_whole

_ORIENTATION = 0x0112  # EXIF tag


def enhance_photo(network: Callable[[Tensor], Tensor], source: Path, target: Path) -> tuple[int, int]:
    """Write `source`, enhanced by `network` (1, 3, H, W) -> the same, to `target`; returns (height, width).

    The pixels are turned as EXIF says and the tag is dropped, so that the result stands upright everywhere. An ICC
    profile and the rest of EXIF are kept; alpha is carried over untouched. Raises ValueError when `source` is no
    picture or `target` has a suffix that cannot be written.
    """
    if target.suffix.lower() not in Image.registered_extensions():
        raise ValueError(
            f"cannot write {target}: {target.suffix or 'no suffix'} is no picture format; use .png or .jpg"
        )
    try:
        with Image.open(source) as opened:
            picture = ImageOps.exif_transpose(opened)
            exif, profile = picture.getexif(), opened.info.get("icc_profile")
            picture.load()
    except UnidentifiedImageError as error:
        raise ValueError(f"{source} is not a picture that Pillow can read") from error
    except OSError as error:
        raise ValueError(f"{source} cannot be read: {error}") from error
    exif.pop(_ORIENTATION, None)
    alpha = picture.getchannel("A") if "A" in picture.getbands() else None
    image = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        enhanced = network(image).clamp(0, 1)
    pixels = (enhanced[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    result = Image.fromarray(pixels)
    if alpha is not None and target.suffix.lower() not in (".jpg", ".jpeg"):  # JPEG has no alpha
        result.putalpha(alpha)
    with written_whole(target) as temporary:
        result.save(temporary, exif=exif, icc_profile=profile, quality=95)  # PNG has no quality and ignores it
    return result.height, result.width


def draw_before_after(before: Path, after: Path, target: Path) -> None:
    """Write both pictures side by side, and below them the centre of each, enlarged three times."""
    pictures = []
    for path in (before, after):
        with Image.open(path) as opened:
            pictures.append(ImageOps.exif_transpose(opened).convert("RGB"))
    width, height = pictures[0].size
    gap, zoom = 6, 3
    detail = (width // zoom, height // zoom)  # pixels of the enlarged part
    left, top = (width - detail[0]) // 2, (height - detail[1]) // 2
    sheet = Image.new("RGB", (2 * width + gap, 2 * height + gap), "white")
    for column, picture in enumerate(pictures):
        enlarged = picture.crop((left, top, left + detail[0], top + detail[1]))
        x = column * (width + gap)
        sheet.paste(picture, (x, 0))
        sheet.paste(enlarged.resize((width, height), Image.Resampling.NEAREST), (x, height + gap))
    with written_whole(target) as temporary:
        sheet.save(temporary, quality=95)
