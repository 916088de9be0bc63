"""Panels: images as pictures of 8 bits, with lines of text above them, and side by side."""

from collections.abc import Sequence

from PIL import Image, ImageDraw
from torch import Tensor

GAP = 6  # white pixels between two pictures
LINE = 14  # pixels of a line of text


def picture_of(image: Tensor) -> Image.Image:
    """An image (1, 3, H, W) or (3, H, W) in [0, 1] in 8 bits."""
    pixels = image.detach().float().reshape(image.shape[-3:]).permute(1, 2, 0)
    return Image.fromarray((pixels * 255).round().byte().contiguous().cpu().numpy())


def captioned(picture: Image.Image, *lines: str) -> Image.Image:
    """`picture` below `lines`, one above the other in black on white."""
    sheet = Image.new("RGB", (picture.width, picture.height + len(lines) * LINE), "white")
    sheet.paste(picture, (0, len(lines) * LINE))
    pen = ImageDraw.Draw(sheet)
    for place, text in enumerate(lines):
        pen.text((1, place * LINE), text, fill="black")
    return sheet


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """`pictures` from left to right on white, GAP pixels apart, their tops in one line."""
    width = sum(one.width + GAP for one in pictures) - GAP
    sheet = Image.new("RGB", (width, max(one.height for one in pictures)), "white")
    left = 0
    for one in pictures:
        sheet.paste(one, (left, 0))
        left += one.width + GAP
    return sheet
