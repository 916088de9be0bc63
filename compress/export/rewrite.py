"""Rewrites: the same function in other operators, for a runtime that is faster with them, made when a file is written.

None changes what a network says by more than rounding. Each takes one module of a copy of the network and returns what
stands in its place; a run folder always keeps the network as it was searched and trained. Which format takes which is
in `export.formats`, by what `benchmarks/rewrites.py` measured.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.blocks import Attention, ConvHead
from search_spaces.blueprint import IMAGE_CHANNELS
from search_spaces.family import OwnNetwork
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network

N = TypeVar("N", LPIENet, OwnNetwork, Network)
Rewrite = Callable[[nn.Module], nn.Module]  # returns the module itself where it has nothing to do


def rewritten(network: N, names: Sequence[str]) -> N:
    """A copy of `network` with the rewrites `names` (keys of REWRITES) applied to all of its modules, in that order.

    Maps images as the network does, (B, 3, H, W) in float32 to within 1e-5. Its state dict is another one, so it is
    for writing a file and not for saving. Raises ValueError for an unknown name.
    """
    if unknown := sorted(set(names) - set(REWRITES)):
        raise ValueError(f"names = {names}: {unknown[0]!r} must be one of {', '.join(REWRITES)}")
    copy: nn.Module = deepcopy(network)
    for name in names:
        copy = _everywhere(REWRITES[name], copy)
    assert isinstance(copy, type(network))
    return copy


def mean_as_convolution(module: nn.Module) -> nn.Module:
    """The mean over channels as a 1x1 convolution with weights 1/C: delegates leave out means over channels."""
    if isinstance(module, Attention):
        width = module.join.out_channels
        mean = nn.Conv2d(width, 1, 1, bias=False)
        nn.init.constant_(mean.weight, 1 / width)
        module.mean = mean.to(module.join.weight.device)
    return module


def max_as_pooling(module: nn.Module) -> nn.Module:
    """The maximum over channels as a max-pooling of windows that are C high and 1 wide, with the channels for rows."""
    if isinstance(module, Attention):
        module.maximum = _PooledMaximum(module.join.out_channels)
    return module


def elu_as_exp(module: nn.Module) -> nn.Module:
    """ELU in operators that LiteRT's delegate and layout pass know; its own is EXP beside comparison and choice."""
    return _Exponential() if isinstance(module, nn.ELU) else module


def cells_as_strides(module: nn.Module) -> nn.Module:
    """The stem on cells of 2x2 pixels as a convolution with stride 2 on the pixels themselves.

    A 3x3 convolution over cells with a border of one cell is a 6x6 one with a border of two pixels. The head, which
    looks at the cells too, gets the same.
    """
    if isinstance(module, LPIENet) and module.blueprint.cell > 1:
        cell = module.blueprint.cell
        module.cells = nn.Identity()
        module.encoder1[0] = _on_pixels(module.encoder1[0], cell)
        if isinstance(module.head, ConvHead):
            assert module.head.image is not None
            module.head.image = _on_pixels(module.head.image, cell)
    return module


REWRITES: dict[str, Rewrite] = {
    "mean-as-convolution": mean_as_convolution,
    "max-as-pooling": max_as_pooling,
    "elu-as-exp": elu_as_exp,
    "cells-as-strides": cells_as_strides,
}


class _PooledMaximum(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, H, W)
        # No side is written down, so that the graph serves all. W stands where channels do, along which delegates work
        # in vectors.
        return F.max_pool2d(x.permute(0, 3, 1, 2), (self.channels, 1)).permute(0, 2, 3, 1)


class _Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + (torch.exp(torch.clamp(x, max=0.0)) - 1)  # one of the two terms is exactly 0


def _on_pixels(convolution: nn.Module, cell: int) -> nn.Conv2d:
    """The convolution over cells (k x k, border k // 2) as one over pixels (cell * k wide, stride `cell`)."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(convolution.padding, tuple)  # rows, columns
    side, border = convolution.kernel_size[0], convolution.padding[0]
    pixels = nn.Conv2d(IMAGE_CHANNELS, convolution.out_channels, cell * side, cell, cell * border)
    with torch.no_grad():
        # Row r of the cell that the kernel's row k looks at is row cell * k + r of the pixels' kernel: a pixel shuffle.
        pixels.weight.copy_(F.pixel_shuffle(convolution.weight, cell))
        assert convolution.bias is not None
        assert pixels.bias is not None
        pixels.bias.copy_(convolution.bias)
    return pixels


def _everywhere(rewrite: Rewrite, module: nn.Module) -> nn.Module:
    for name, child in list(module.named_children()):
        setattr(module, name, _everywhere(rewrite, child))
    return rewrite(module)
