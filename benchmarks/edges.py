"""Edges: convolutions with fixed filters beside their weights while they are trained, which fold into them.

The edge-oriented block of Zhang et al., "Edge-oriented convolution block for real-time super resolution on mobile
devices", 2021, without its 1x1 convolution before the 3x3 one: to each 3x3 weight it adds a 1x1 one and Sobel's and
Laplace's filters, each with a factor of its own that is learned.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from search_spaces.lpienet import LPIENet

_FILTERS = (
    ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)),
    ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0)),
    ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0)),
    ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
)
_FIRST = 1e-3  # standard deviation of the first factors


class _Edges(nn.Module):
    """What is added to the weight of one convolution."""

    filters: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(weight.numel())
        factors = torch.randn(weight.shape[0], weight.shape[1] * len(_FILTERS), generator=generator)
        self.factors = nn.Parameter(_FIRST * factors)
        self.register_buffer("filters", torch.tensor(_FILTERS), persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        factors = self.factors.view(*weight.shape[:2], len(_FILTERS))
        return weight + torch.einsum("oif,fhw->oihw", factors, self.filters)


def with_edges(network: LPIENet) -> None:
    """Add them to every 3x3 convolution, in place."""
    for layer in _convolutions(network):
        parametrize.register_parametrization(layer, "weight", _Edges(layer.weight))


def folded(network: LPIENet) -> None:
    """Fold them into the weights, in place: the output stays as it is."""
    for layer in _convolutions(network):
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _convolutions(network: LPIENet) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
