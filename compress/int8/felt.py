"""Felt: what values the tensors of a network have, and how much its output feels of noise in each of their channels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.fx import GraphModule, Interpreter, Node

from search_spaces.sides import on_any_size

_AT_ONCE = 8  # images
_DRAWN = 250  # positions of each of these lots, beside those that are extreme
_DIRECTIONS = 48  # between channels, in which positions are looked for that are extreme, beside each channel itself


@dataclass(frozen=True)
class Felt:
    """One tensor of C channels."""

    values: Tensor  # (C, N): some of its positions, the extreme ones among them
    shares: Tensor  # (N,): of all positions, which each of these stands for; their sum is 1
    gain: Tensor  # (C, C): mean square of the output's error for white noise of such a covariance is the trace of both
    exact: bool = False  # whether int8 computes it without rounding


def felt(graph: GraphModule, tensors: Collection[Node], images: Sequence[Tensor]) -> dict[Node, Felt]:
    """Each of `tensors` of `graph`, a float one, on `images` (B, 3, H, W) in [0, 1]; on their device.

    The gain is the mean over positions of J'J, for the derivative J of the output by a position, from products with
    random signs: one pass back is enough for all tensors.
    """
    generator = Generator().manual_seed(0)
    lots = [lot for image in images for lot in torch.split(image, _AT_ONCE)]
    found: dict[Node, list[Felt]] = {tensor: [] for tensor in tensors}
    outputs = 0
    for lot in lots:
        kept = _Keeping(graph, tensors)
        with torch.enable_grad():
            output = on_any_size(kept.run, lot.clone().requires_grad_(True))
            signs = torch.randint(0, 2, output.shape, generator=generator).to(output) * 2 - 1
            gradients = torch.autograd.grad(output, list(kept.values.values()), signs)
        outputs += output.numel()
        for (tensor, value), gradient in zip(kept.values.items(), gradients, strict=True):
            back = gradient.transpose(0, 1).flatten(1)
            values, shares = _sample(value.detach().transpose(0, 1).flatten(1), generator)
            found[tensor].append(Felt(values, shares / len(lots), back @ back.T))
    return {
        tensor: Felt(
            torch.cat([part.values for part in parts], dim=1),
            torch.cat([part.shares for part in parts]),
            torch.stack([part.gain for part in parts]).sum(dim=0) / outputs,
        )
        for tensor, parts in found.items()
    }


class _Keeping(Interpreter):
    """Runs a graph and keeps some of its tensors."""

    def __init__(self, graph: GraphModule, tensors: Collection[Node]) -> None:
        super().__init__(graph)
        self.wanted = frozenset(tensors)
        self.values: dict[Node, Tensor] = {}

    def run_node(self, n: Node) -> Any:
        value = super().run_node(n)
        if n in self.wanted:
            self.values[n] = value
        return value


def _sample(values: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Of (C, N) the positions that are extreme in some direction, each for itself, and others for all that are left."""
    channels, positions = values.shape
    directions = torch.cat([torch.randn(_DIRECTIONS, channels, generator=generator), torch.eye(channels)])
    along = (directions.to(values) / values.std(dim=1).clamp(min=1e-9)) @ values
    extreme = torch.cat([along.argmax(dim=1), along.argmin(dim=1)]).unique()  # type: ignore[no-untyped-call]
    drawn = torch.randint(0, positions, (_DRAWN,), generator=generator).to(values.device)
    shares = torch.full((len(extreme) + _DRAWN,), (positions - len(extreme)) / _DRAWN, device=values.device)
    shares[: len(extreme)] = 1
    return values[:, torch.cat([extreme, drawn])], shares / positions
