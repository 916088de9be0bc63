"""Equalising: the same network with channels of which int8 loses less, since one scale holds them better.

The channels of tensors that are tied (tied.py) are scaled, which is the cross-layer equalisation of Nagel et al.
(2019), over all that hangs together by sums and not over pairs of layers, or mixed by a matrix, as rotations of large
language models are folded into their weights (SpinQuant, Liu et al., 2024). Not rotations alone: the channels of
photographs are alike, and a matrix gives what they have in common to all of them and makes large what they have apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.fx import Node

from compress.int8.felt import Felt, felt
from compress.int8.quantize import captured, post_training_quantize
from compress.int8.ranges import alike
from compress.int8.rounded import rounded
from compress.int8.tied import Tied, is_depthwise, is_exact, parameters_of, tied
from search_spaces.lpienet import LPIENet, filled
from search_spaces.sides import on_any_size

_LEAST = 0.01  # of the largest range of the channels: a smaller one counts as this
_STEPS = 200  # of the descent to the matrix of some tied tensors
_RATE = 0.03  # at its beginning
_CUT = 4.0  # times the gain of white noise that of what a range cuts off counts: it lies side by side, and adds up
_LEVELS = 255  # of a range


def equalised(network: LPIENet, images: Sequence[Tensor]) -> LPIENet:
    """A copy of `network` that computes the same in float, on the CPU, and in int8 loses least of its update.

    Its channels are mixed where they may be, and have other factors elsewhere, as that pays on `images`, (B, 3, H, W)
    in [0, 1], which may be not at all. Raises ValueError without images.
    """
    if not images:
        raise ValueError("images is empty: ranges of channels need at least one, give some that look like real use")
    images = alike(images, torch.device("cpu"))
    source = filled(network.blueprint, network.state_dict())
    graph = captured(source)
    together = tied(graph)
    if not together:
        return source
    seen = felt(graph, [tensor for one in together for tensor in one.tensors], images)
    with torch.no_grad():
        wanted = [on_any_size(source, image) for image in images]

    scales = [
        [[replace(seen[node], exact=is_exact(node)) for node in scale] for scale in one.scales] for one in together
    ]
    factors = [best_matrix(each, mixing=False) for each in scales]
    pairs = zip(together, scales, factors, strict=True)
    mixing = [best_matrix(each, mixing=True) if one.mixes else alone for one, each, alone in pairs]

    def made(matrices: Sequence[Tensor]) -> LPIENet:
        copy = filled(source.blueprint, source.state_dict())
        for one, matrix in zip(together, matrices, strict=True):
            _fold(copy, one, matrix)
        return copy

    def lost(candidate: LPIENet) -> float:
        int8 = post_training_quantize(rounded(candidate, images), images)
        with torch.no_grad():
            pairs = zip(images, wanted, strict=True)
            return sum(float((on_any_size(int8, image) - output).square().sum()) for image, output in pairs)

    mixes = any(one.mixes for one in together)
    return min([source, made(factors), *([made(mixing)] if mixes else [])], key=lost)


def best_matrix(scales: Sequence[Sequence[Felt]], mixing: bool = True) -> Tensor:
    """The matrix (C, C) over channels by which int8 loses least of tensors, those of one scale after the other.

    The loss is that of the output: of rounding, by white noise, and of what the best range of each scale cuts off.
    Without `mixing` the matrix is one of positive factors.
    """
    (channels,) = {len(one.values) for scale in scales for one in scale}
    best = torch.eye(channels)
    scales = [[one for one in scale if float(one.values.abs().max()) > 0] for scale in scales]
    scales = [scale for scale in scales if sum(float(one.gain.trace()) for one in scale) > 0]
    if not scales:
        return best
    free = (best.clone() if mixing else _factors(scales)).requires_grad_(True)
    with torch.no_grad():
        ends = [_ends(scale, _matrix(free)) for scale in scales]
    descent = torch.optim.Adam([free, *(end.requires_grad_(True) for end in ends)], lr=_RATE)
    least = math.inf
    for step in range(_STEPS):
        for group in descent.param_groups:
            group["lr"] = _RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / _STEPS)))
        matrix = _matrix(free)
        back = torch.linalg.inv(matrix)
        pairs = zip(scales, ends, strict=True)
        loss = torch.stack([_lost(one, matrix, back, end) for scale, end in pairs for one in scale]).sum()
        if float(loss.detach()) < least:
            least, best = float(loss.detach()), matrix.detach().clone()
        descent.zero_grad()
        loss.log().backward()  # type: ignore[no-untyped-call]
        descent.step()
    return best


def _matrix(free: Tensor) -> Tensor:
    """A matrix as it is, or the one of factors that these are the logarithms of."""
    return free if free.dim() == 2 else torch.diag(free.exp())


def _factors(scales: Sequence[Sequence[Felt]]) -> Tensor:
    """Logarithms of the factors that make the ranges of all channels equal."""
    reach = torch.stack([one.values.abs().amax(dim=1) for scale in scales for one in scale]).amax(dim=0)
    return (reach.max() / reach.clamp(min=_LEAST * float(reach.max()))).log()


def _ends(scale: Sequence[Felt], matrix: Tensor) -> Tensor:
    """Logarithms of how far the range of tensors of one scale reaches above and below 0, times `matrix`."""
    values = torch.cat([matrix @ one.values for one in scale], dim=1)
    reach = torch.stack([values.max(), -values.min()])
    return reach.clamp(min=1e-3 * float(values.abs().max())).log()


def _lost(tensor: Felt, matrix: Tensor, back: Tensor, end: Tensor) -> Tensor:
    """Mean square of the output's error when `matrix` times a tensor is in the range of these ends."""
    gain = back.T @ tensor.gain @ back
    values, (above, below) = matrix @ tensor.values, end.exp()
    cut = values - torch.minimum(torch.maximum(values, -below), above)
    rounding = 0 if tensor.exact else ((above + below) / _LEVELS).square() / 12 * gain.trace()
    cutting: Tensor = (tensor.shares * (cut * (gain @ cut)).sum(dim=0)).sum()
    lost: Tensor = rounding + _CUT * cutting
    return lost


def _fold(network: LPIENet, one: Tied, matrix: Tensor) -> None:
    """Multiply what writes the tensors of `one` by `matrix`, and what reads them by its inverse."""
    weights: Mapping[str, Tensor] = dict(network.named_parameters())
    back = torch.linalg.inv(matrix)
    with torch.no_grad():
        for convolution in one.written_by:
            for name in parameters_of(convolution):
                weight = weights[name]
                weight.copy_((matrix @ weight.flatten(1) if weight.dim() > 1 else matrix @ weight).view_as(weight))
        for convolution in one.read_by:
            weight = weights[parameters_of(convolution)[0]]
            weight.copy_(_read(convolution, weight, back))


def _read(convolution: Node, weight: Tensor, back: Tensor) -> Tensor:
    if is_depthwise(convolution):
        return weight * back.diagonal().view(-1, 1, 1, 1)
    read: Tensor = torch.einsum("oikl,ij->ojkl", weight, back)
    return read
