"""Read: what the inputs of a layer tell of one another, so that others can stand for those that go."""

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-3  # of the mean variance: what is told by noise of few patches is not believed


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Mean and covariance of what a layer read, over all pixels; C is the number of its input channels."""

    mean: Tensor  # (C,), float64
    covariance: Tensor  # (C, C), float64

    def told(self, lost: Tensor, stays: Tensor) -> tuple[Tensor, Tensor]:
        """The best linear guess of the channels `lost` by those that stay: (lost, stays) and a constant (lost,).

        By least squares, as He et al., "Channel pruning for accelerating very deep neural networks", 2017.
        """
        within = self._with_ridge()[stays][:, stays]
        told = torch.linalg.solve(within, self.covariance[stays][:, lost]).T
        constant = self.mean[lost] - told @ self.mean[stays]
        return told.float(), constant.float()

    def told_by_all(self) -> tuple[Tensor, Tensor]:
        """The same of every channel by all others: (C, C) with a diagonal of 0, and (C,)."""
        inverse = torch.linalg.inv(self._with_ridge())
        told = -inverse / inverse.diagonal()[:, None]
        told.fill_diagonal_(0)
        return told.float(), (self.mean - told @ self.mean).float()

    def _with_ridge(self) -> Tensor:
        share = RIDGE * self.covariance.diagonal().mean() + 1e-12  # of a layer that always reads the same, too
        return self.covariance + share * torch.eye(len(self.mean), dtype=self.mean.dtype)


class Reading:
    """Sums over what passes a layer's input."""

    def __init__(self) -> None:
        self._pixels = 0
        self._sum: Tensor | float = 0.0
        self._products: Tensor | float = 0.0

    def look(self, read: Tensor) -> None:  # (B, C, H, W)
        channels = read.detach().transpose(0, 1).flatten(1)
        self._pixels += channels.shape[1]
        self._sum = self._sum + channels.double().sum(1)
        self._products = self._products + (channels @ channels.T).double()

    def read(self) -> Read:
        mean = torch.as_tensor(self._sum / self._pixels)
        return Read(mean, torch.as_tensor(self._products / self._pixels) - mean[:, None] * mean)
