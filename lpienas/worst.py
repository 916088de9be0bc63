"""Worst: the photographs on which a network gains least, as pictures: given, by every method, and clean."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from lpienas.comparing import Compared

_GAP, _LINE = 6, 14  # pixels between pictures, and of a line of text above each


def worst_places(compared: "Compared", most: int) -> list[int]:
    """Which photographs: those on which the first network's SSIM gains least over what it was given, worst first."""
    gains = [made.ssim - given.ssim for made, given in zip(compared.rows[0].photos, compared.given.photos, strict=True)]
    return sorted(range(len(gains)), key=lambda place: gains[place])[:most]


def worst_files(compared: "Compared", folder: Path, most: int) -> dict[int, Path]:
    """Where the picture of each of those photographs goes."""
    plain = {
        place: "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in photo.name)
        for place, photo in enumerate(compared.rows[0].photos)
    }
    return {place: folder / f"{rank}-{plain[place]}.png" for rank, place in enumerate(worst_places(compared, most), 1)}


def draw(compared: "Compared", place: int, file: Path) -> None:
    """One photograph as it was given, as every method leaves it, and clean, side by side, with figures above."""
    from nas.task.judging import restored

    name, degraded, clean = compared.judged_on.pairs[place]
    panels = [(f"{name}, as it is", degraded, compared.given.photos[place])]
    for one, row in zip(compared.entrants, compared.rows, strict=True):
        if row.kind != "input":
            panels.append((Path(one.name).name, restored(one.method, degraded, clean)[0], row.photos[place]))
    pictures = [_captioned(title, image, f"SSIM {on.ssim:.4f}, {on.psnr:.2f} dB") for title, image, on in panels]
    file.parent.mkdir(parents=True, exist_ok=True)
    _side_by_side([*pictures, _captioned("clean", clean, "")]).save(file)


def _captioned(title: str, image: "Tensor", figures: str) -> "Image":
    from PIL import Image, ImageDraw

    picture = Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy())
    sheet = Image.new("RGB", (picture.width, picture.height + 2 * _LINE), "white")
    sheet.paste(picture, (0, 2 * _LINE))
    pen = ImageDraw.Draw(sheet)
    for line, text in enumerate((title, figures)):
        pen.text((1, line * _LINE), text, fill="black")
    return sheet


def _side_by_side(pictures: "list[Image]") -> "Image":
    from PIL import Image

    width = sum(one.width + _GAP for one in pictures) - _GAP
    sheet = Image.new("RGB", (width, max(one.height for one in pictures)), "white")
    left = 0
    for one in pictures:
        sheet.paste(one, (left, 0))
        left += one.width + _GAP
    return sheet
