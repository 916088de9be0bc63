"""Soap: Adam in the eigenbasis of Shampoo's preconditioner, for the small convolutions of these networks.

Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024. A small network's step is all
convolutions of patches, beside which matrices of some hundred rows cost a tenth (results/published/recipe).
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

_MEMORY = 0.95  # of the two sides' covariances, a step
_EVERY = 20  # steps from one turn of the basis to the next
_EARLY = (2, 5, 10)  # steps at which it is turned too: the first covariances are of few gradients
_LARGEST = 1024  # rows or columns; a longer side keeps its own axes


class Soap(torch.optim.Optimizer):
    """SOAP over the weights of convolutions as matrices (outputs, inputs * K * K), Adam over everything else.

    All of its state is tensors, so a checkpoint holds it as it holds Adam's. The first step only looks.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]] | Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    if not state:
                        self.state[weight] = state = _begun(weight)
                    move = _turned if weight.ndim == 4 else _straight
                    weight.sub_(move(weight.grad, state, group).view(weight.shape), alpha=group["lr"])
        return loss


def _begun(weight: Tensor) -> dict[str, Tensor]:
    """The state of one parameter before its first step; all float32."""
    matrix = torch.zeros(_matrix(weight).shape, device=weight.device)
    state = {"step": torch.zeros(()), "exp_avg": matrix, "exp_avg_sq": matrix.clone()}
    if weight.ndim == 4:
        for side, length in zip(("left", "right"), matrix.shape, strict=True):
            if length <= _LARGEST:
                state[f"{side}_covariance"] = torch.zeros(length, length, device=weight.device)
                state[f"{side}_basis"] = torch.eye(length, device=weight.device)
    return state


def _matrix(weight: Tensor) -> Tensor:
    """(outputs, inputs * K * K) of a convolution's weight or gradient; one row of anything else."""
    return weight.float().reshape(weight.shape[0] if weight.ndim == 4 else 1, -1)


def _straight(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """Adam's step, less the learning rate."""
    state["step"] += 1
    return _adam(_matrix(gradient), None, state, group, int(state["step"]))


def _turned(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """SOAP's step, less the learning rate; (outputs, inputs * K * K)."""
    state["step"] += 1
    step, matrix = int(state["step"]), _matrix(gradient)
    for side, along in (("left", matrix), ("right", matrix.T)):
        if f"{side}_covariance" in state:
            state[f"{side}_covariance"].lerp_(along @ along.T, 1 - _MEMORY)
            if step == 1:
                state[f"{side}_basis"] = _laid_out(torch.linalg.eigh(state[f"{side}_covariance"])[1])
    if step == 1:
        return torch.zeros_like(matrix)
    left, right = state.get("left_basis"), state.get("right_basis")
    moved = _back(_adam(matrix, (left, right), state, group, step - 1), left, right)
    if step % _EVERY == 0 or step in _EARLY:
        for side in ("left", "right"):
            if f"{side}_basis" in state:  # one step of orthogonal iteration
                turned = state[f"{side}_covariance"] @ state[f"{side}_basis"]
                state[f"{side}_basis"] = _laid_out(torch.linalg.qr(turned)[0])
    return moved


def _adam(
    matrix: Tensor,
    basis: tuple[Tensor | None, Tensor | None] | None,
    state: dict[str, Tensor],
    group: dict[str, Any],
    step: int,  # from 1
) -> Tensor:
    """Adam's step in the `basis`, where the second moments live; the first moments are kept as they are."""
    first, second = group["betas"]
    mean = state["exp_avg"].lerp_(matrix, 1 - first)
    if basis is not None:
        matrix, mean = _forth(matrix, *basis), _forth(mean, *basis)
    square = state["exp_avg_sq"].lerp_(matrix.square(), 1 - second)
    below = (square / (1 - second**step)).sqrt_().add_(group["eps"])
    return mean.div(1 - first**step).div_(below)


def _laid_out(basis: Tensor) -> Tensor:
    """In rows, as a checkpoint gives it back: a product rounds by how its factors lie in memory."""
    return basis.contiguous()


def _forth(matrix: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    matrix = matrix if left is None else left.T @ matrix
    return matrix if right is None else matrix @ right


def _back(matrix: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    matrix = matrix if left is None else left @ matrix
    return matrix if right is None else matrix @ right.T
