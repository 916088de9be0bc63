"""Equalising: the same network with channels of which int8 loses less, since one scale holds them better.

The channels of tensors that are tied (tied.py) are scaled, which is the cross-layer equalisation of Nagel et al.
(2019), over all that hangs together by sums and not over pairs of layers, or mixed by a matrix, as rotations of large
language models are folded into their weights (SpinQuant, Liu et al., 2024). Not rotations alone: the channels of
photographs are alike, and a matrix gives what they have in common to all of them and makes large what they have apart.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.fx import Node

from compress.int8.felt import Felt, felt
from compress.int8.quantize import captured, post_training_quantize
from compress.int8.ranges import alike
from compress.int8.tied import Tied, is_depthwise, parameters_of, tied
from search_spaces.lpienet import LPIENet
from search_spaces.sides import on_any_size

# Of the way to equal ranges, in logarithms, that are tried: the weights of those that read lose by all of it.
_SHARES = (0.5, 0.75, 0.25)
_LEAST = 0.01  # of the largest range of the channels: a smaller one counts as this
_STEPS = 200  # of the descent to the matrix of some tied tensors
_RATE = 0.03  # at its beginning
_CUT = 4.0  # times the gain of white noise that of what a range cuts off counts: it lies side by side, and adds up
_LEVELS = 255  # of a range


def equalised(network: LPIENet, images: Sequence[Tensor]) -> LPIENet:
    """A copy of `network` that computes the same in float, on the CPU, and in int8 loses least of its update.

    Its channels are mixed where they may be, and brought as near to equal ranges elsewhere, as that pays on `images`,
    (B, 3, H, W) in [0, 1], which may be not at all. Raises ValueError without images.
    """
    if not images:
        raise ValueError("images is empty: ranges of channels need at least one, give some that look like real use")
    images = alike(images, torch.device("cpu"))
    source = _copy(network)
    graph = captured(source)
    together = tied(graph)
    if not together:
        return source
    seen = felt(graph, [tensor for one in together for tensor in one.tensors], images)
    mixing = {
        place: best_matrix([seen[tensor] for tensor in one.rounded]) for place, one in enumerate(together) if one.mixes
    }
    with torch.no_grad():
        wanted = [on_any_size(source, image) for image in images]

    def made(share: float, mixing: Mapping[int, Tensor]) -> LPIENet:
        copy = _copy(source)
        for place, one in enumerate(together):
            whole = [seen[tensor] for tensor in one.tensors]
            _fold(copy, one, mixing[place] if place in mixing else _nearer(whole, share))
        return copy

    def lost(candidate: LPIENet) -> float:
        int8 = post_training_quantize(candidate, images)
        with torch.no_grad():
            pairs = zip(images, wanted, strict=True)
            return sum(float((on_any_size(int8, image) - output).square().sum()) for image, output in pairs)

    scaled = {share: made(share, {}) for share in _SHARES}
    losses = {share: lost(network) for share, network in scaled.items()}
    share = min(losses, key=losses.__getitem__)
    return min([source, scaled[share], *([made(share, mixing)] if mixing else [])], key=lost)


def best_matrix(tensors: Sequence[Felt]) -> Tensor:
    """The matrix (C, C) over channels by which int8 loses least of `tensors`.

    The loss is that of the output: of rounding, by white noise, and of what the best range of each tensor cuts off.
    """
    (channels,) = {len(one.values) for one in tensors}
    best = torch.eye(channels)
    tensors = [one for one in tensors if float(one.values.abs().max()) > 0 and float(one.gain.trace()) > 0]
    if not tensors:
        return best
    matrix = best.clone().requires_grad_(True)
    ends = [_ends(one).requires_grad_(True) for one in tensors]
    descent = torch.optim.Adam([matrix, *ends], lr=_RATE)
    least = math.inf
    for step in range(_STEPS):
        for group in descent.param_groups:
            group["lr"] = _RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / _STEPS)))
        back = torch.linalg.inv(matrix)
        loss = torch.stack([_lost(one, matrix, back, end) for one, end in zip(tensors, ends, strict=True)]).sum()
        if float(loss.detach()) < least:
            least, best = float(loss.detach()), matrix.detach().clone()
        descent.zero_grad()
        loss.log().backward()  # type: ignore[no-untyped-call]
        descent.step()
    return best


def _nearer(tensors: Sequence[Felt], share: float) -> Tensor:
    """Factors of the channels, as a matrix, that bring their ranges so far on the way to equal ones."""
    reach = torch.stack([one.values.abs().amax(dim=1) for one in tensors]).amax(dim=0)
    most = float(reach.max())
    return torch.diag((most / reach.clamp(min=_LEAST * most)).pow(share)) if most > 0 else torch.eye(len(reach))


def _ends(tensor: Felt) -> Tensor:
    """Logarithms of how far the range of a tensor reaches above and below 0."""
    most = tensor.values.abs().max()
    reach = torch.stack([tensor.values.max(), -tensor.values.min()])
    return reach.clamp(min=1e-3 * float(most)).log()


def _lost(tensor: Felt, matrix: Tensor, back: Tensor, end: Tensor) -> Tensor:
    """Mean square of the output's error when `matrix` times a tensor is rounded in the range of these ends."""
    gain = back.T @ tensor.gain @ back
    values, (above, below) = matrix @ tensor.values, end.exp()
    cut = values - torch.minimum(torch.maximum(values, -below), above)
    rounding = ((above + below) / _LEVELS).square() / 12 * gain.trace()
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


def _copy(network: LPIENet) -> LPIENet:
    copy = LPIENet(network.blueprint)
    copy.load_state_dict(network.state_dict())
    return copy.eval()
