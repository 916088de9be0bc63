"""Sides: the one place where an image of any size is made to fit a network, and cropped back."""

from collections.abc import Callable

import torch
from torch import Tensor

STRIDE = 8  # two poolings by 2, and a stem that may gather 2x2 pixels; one for all networks, so that all pad alike


def window(image: Tensor, corner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The part of `image` (B, C, H, W) whose top left is `corner` and whose height and width are `size`, anywhere.

    What lies outside the image is its reflection, the edge not repeated; the reflection goes back and forth, as far as
    the window does.
    """
    spans = [range(first, first + length) for first, length in zip(corner, size, strict=True)]
    if all(span.start >= 0 and span.stop <= side for span, side in zip(spans, image.shape[-2:], strict=True)):
        return image[..., spans[0].start : spans[0].stop, spans[1].start : spans[1].stop]
    rows, columns = (_reflected(span, side) for span, side in zip(spans, image.shape[-2:], strict=True))
    return image[..., rows[:, None], columns[None, :]]


def pad_to(image: Tensor, height: int, width: int) -> Tensor:
    """`image` (B, C, H, W) extended below and to the right by reflection to (B, C, height, width).

    Raises ValueError when the target is smaller than the image.
    """
    rows, columns = image.shape[-2:]
    if height < rows or width < columns:
        raise ValueError(f"cannot pad {rows}x{columns} to the smaller {height}x{width}")
    return image if (height, width) == (rows, columns) else window(image, (0, 0), (height, width))


def padded_side(side: int, multiple: int = STRIDE) -> int:
    """The smallest multiple of `multiple` that is not below `side`, in pixels."""
    return -(-side // multiple) * multiple


def on_any_size(network: Callable[[Tensor], Tensor], image: Tensor, margin: int = 0) -> Tensor:
    """`network` applied to `image` (B, C, H, W) of any size: padded by reflection to multiples of 8, cropped back.

    `margin` pixels of reflection, a multiple of 8, stand on every side as well: with receptive.margin_of no output
    pixel sees the zeros that convolutions put outside.
    """
    height, width = image.shape[-2:]
    size = (padded_side(height) + 2 * margin, padded_side(width) + 2 * margin)
    output = network(window(image, (-margin, -margin), size))
    return output[..., margin : margin + height, margin : margin + width]


def grey_of_grey(image: Tensor, output: Tensor) -> Tensor:
    """What a network made of `image`, both (B, 3, H, W), without the tint that a grey image gets: its mean channel.

    Grey is an image whose three channels are equal in every pixel; of others `output` stays as it is.
    """
    grey = [is_grey(one) for one in image]
    if not any(grey):
        return output
    mean = output.mean(dim=1, keepdim=True).expand_as(output)
    return torch.where(torch.tensor(grey, device=output.device)[:, None, None, None], mean, output)


def is_grey(image: Tensor) -> bool:
    """Whether the channels of `image` (3, H, W) are equal."""
    return torch.equal(image[0], image[1]) and torch.equal(image[1], image[2])


def _reflected(span: range, side: int) -> Tensor:
    """Indices into a row of `side` pixels for places in `span`, those outside by reflection."""
    if side == 1:
        return torch.zeros(len(span), dtype=torch.long)
    places = torch.arange(span.start, span.stop).remainder(2 * side - 2)  # one way there and back
    return torch.minimum(places, 2 * side - 2 - places)
