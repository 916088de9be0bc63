"""Rounded: weights as int8 stores them, each rounded with regard to the errors of those before it.

Rounded to the nearest, the weights of a channel err by as much as their inputs are alike: photographs' channels and
neighbours are, and matrices over channels (equalise.py) make them more so. So the error of each weight is made up for
by those that are not rounded yet, as far as the inputs go together, which is GPTQ (Frantar et al., 2023).
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compress.int8.ranges import alike
from compress.int8.scheme import SMALLEST_SCALE
from search_spaces.lpienet import LPIENet, filled
from search_spaces.sides import on_any_size

_MOST = 127  # integer of the largest weight of a channel
_DAMPED = 0.01  # of the mean square of the inputs, by which each counts more than it was seen to
_AT_ONCE = 8  # images
_NUMBERS = 2**23  # of the matrices of several channels at once


def rounded(network: LPIENet, images: Sequence[Tensor]) -> LPIENet:
    """A copy of `network`, on the CPU, with weights that int8 stores as they are, which suit `images`.

    `images` are (B, 3, H, W) in [0, 1]. Raises ValueError without any.
    """
    if not images:
        raise ValueError("images is empty: weights are rounded for some, give some that look like real use")
    copy = filled(network.blueprint, network.state_dict())
    convolutions = {name: module for name, module in copy.named_modules() if isinstance(module, nn.Conv2d)}
    squares = _squares(copy, convolutions, alike(images, torch.device("cpu")))
    for name, square in squares.items():
        weight = convolutions[name].weight
        with torch.no_grad():
            weight.copy_(nearest_together(weight.flatten(1), square).view_as(weight))
    return copy


def nearest_together(weights: Tensor, squares: Tensor) -> Tensor:
    """`weights` (C, K) on the grid of each row, 127 steps to its largest, for inputs of such `squares`.

    These are sums of the products of the K inputs, (K, K), or (C, K, K) where each row has inputs of its own.
    """
    each = max(1, _NUMBERS // weights.shape[1] ** 2)
    squares = squares.expand(len(weights), *squares.shape[-2:])
    parts = zip(torch.split(weights, each), torch.split(squares, each), strict=True)
    return torch.cat([_rows(part.double(), square) for part, square in parts]).to(weights)


def _rows(weights: Tensor, squares: Tensor) -> Tensor:
    rows, inputs = weights.shape
    scale = (weights.abs().amax(dim=1) / _MOST).clamp(min=SMALLEST_SCALE)
    means = squares.diagonal(dim1=1, dim2=2).mean(dim=1)
    squares = squares + torch.diag_embed((_DAMPED * means + 1e-12)[:, None].expand(rows, inputs))
    # The largest weight first, which is on the grid as it is, then those of the largest inputs.
    first = squares.diagonal(dim1=1, dim2=2).clone()
    first.scatter_(1, weights.abs().argmax(dim=1, keepdim=True), torch.inf)
    order = first.argsort(dim=1, descending=True)
    left = weights.gather(1, order)
    squares = squares.gather(1, order[:, :, None].expand_as(squares)).gather(2, order[:, None].expand_as(squares))
    spread = torch.linalg.cholesky(torch.linalg.inv(squares), upper=True)
    made = torch.empty_like(left)
    for place in range(inputs):
        made[:, place] = scale * (left[:, place] / scale).round().clamp(-_MOST, _MOST)
        error = (left[:, place] - made[:, place]) / spread[:, place, place]
        left[:, place:] -= error[:, None] * spread[:, place, place:]
    return torch.empty_like(made).scatter_(1, order, made)


def _squares(network: LPIENet, convolutions: dict[str, nn.Conv2d], images: Sequence[Tensor]) -> dict[str, Tensor]:
    """Sums of the products of what each convolution reads together, (K, K), or (C, K, K) where it is depthwise."""
    found: dict[str, Tensor] = {}

    def reading(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        convolution = convolutions[name]

        def read(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            padding = (int(convolution.padding[0]), int(convolution.padding[1]))
            read = F.unfold(given[0], convolution.kernel_size, padding=padding, stride=convolution.stride)
            if convolution.groups > 1:
                read = read.view(len(read), convolution.groups, -1, read.shape[-1]).movedim(0, 1)  # (C, B, K, N)
            square = (read.double() @ read.double().mT).sum(dim=-3)
            found[name] = found[name] + square if name in found else square

        return read

    hooks = [module.register_forward_pre_hook(reading(name)) for name, module in convolutions.items()]
    with torch.no_grad():
        for lot in (lot for image in images for lot in torch.split(image, _AT_ONCE)):
            on_any_size(network, lot)
    for hook in hooks:
        hook.remove()
    return found
