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
_EPS = 1e-8
_LARGEST = 1024  # rows or columns; a longer side keeps its own axes


class Soap(torch.optim.Optimizer):
    """SOAP over the weights of convolutions as matrices (outputs, inputs * K * K), Adam over everything else.

    All of its state is tensors, so a checkpoint holds it as it holds Adam's. The first step only looks.

    `capturable`: from the second step on a step may be captured in a CUDA graph, as with torch's optimizers. The
    learning rate is a tensor then, and `turn` is to be called between the steps.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]] | Iterable[nn.Parameter],
        lr: float | Tensor,
        betas: tuple[float, float] = (0.9, 0.95),
        *,
        capturable: bool = False,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": _EPS, "capturable": capturable})
        self._capturable = capturable

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if self._capturable and all(self.state[weight] for weight in weights):
                _move_together([weight for weight in weights if weight.ndim == 4], self.state, group)
                _move_together([weight for weight in weights if weight.ndim != 4], self.state, group)
                continue
            for weight in weights:
                state = self.state[weight]
                if not state:
                    self.state[weight] = state = _begun(weight, group["capturable"])
                move = _turned if weight.ndim == 4 else _straight
                weight.sub_(move(weight.grad, state, group).view(weight.shape), alpha=float(group["lr"]))
        return loss

    @torch.no_grad()
    def turn(self) -> None:
        """Turn the bases of a capturable optimizer, in their place, where it is time: after the step."""
        states = [state for state in self.state.values() if "left_basis" in state or "right_basis" in state]
        if not states or not _is_time(int(states[0]["step"])):
            return
        names = [(state, side) for state in states for side in ("left", "right") if f"{side}_basis" in state]
        products = [(state[f"{side}_covariance"] @ state[f"{side}_basis"]).flatten() for state, side in names]
        together = torch.cat(products).cpu()  # where LAPACK is quicker with matrices of some hundred rows
        lengths = [len(product) for product in products]
        bases = [
            torch.linalg.qr(one.view(state[f"{side}_basis"].shape))[0].flatten()
            for one, (state, side) in zip(torch.split(together, lengths), names, strict=True)
        ]
        turned = torch.split(torch.cat(bases).to(products[0].device), lengths)
        for one, (state, side) in zip(turned, names, strict=True):
            state[f"{side}_basis"].copy_(one.view_as(state[f"{side}_basis"]))


def _is_time(step: int) -> bool:
    return step % _EVERY == 0 or step in _EARLY


def _move_together(weights: list[nn.Parameter], states: Any, group: dict[str, Any]) -> None:
    """The step of all `weights`, of one kind, with few launches and nothing that the processor has to know."""
    if not weights:
        return
    of = [states[weight] for weight in weights]
    matrices = [_matrix(weight.grad) for weight in weights if weight.grad is not None]
    means, squares = [state["exp_avg"] for state in of], [state["exp_avg_sq"] for state in of]
    first, second = group["betas"]
    torch._foreach_add_([state["step"] for state in of], 1)
    turns = weights[0].ndim == 4
    step = of[0]["step"] - 1 if turns else of[0]["step"]
    if turns:
        for matrix, state in zip(matrices, of, strict=True):
            for side, along in (("left", matrix), ("right", matrix.T)):
                if f"{side}_covariance" in state:
                    state[f"{side}_covariance"].addmm_(along, along.T, beta=_MEMORY, alpha=1 - _MEMORY)
    torch._foreach_lerp_(means, matrices, 1 - first)
    moves = [torch.stack((matrix, mean)) for matrix, mean in zip(matrices, means, strict=True)]
    bases = [(state.get("left_basis"), state.get("right_basis")) for state in of]
    moves = [_forth(both, *basis) for both, basis in zip(moves, bases, strict=True)]
    torch._foreach_lerp_(squares, [both[0].square() for both in moves], 1 - second)
    below = torch._foreach_div(squares, 1 - second**step)
    torch._foreach_sqrt_(below)
    torch._foreach_add_(below, group["eps"])
    steps = [both[1] for both in moves]
    steps = list(torch._foreach_div(steps, below))
    torch._foreach_mul_(steps, group["lr"] / (1 - first**step))
    steps = [_back(one, *basis) for one, basis in zip(steps, bases, strict=True)]
    moves = [one.view(weight.shape) for one, weight in zip(steps, weights, strict=True)]
    torch._foreach_sub_(list[Tensor](weights), moves)


def _begun(weight: Tensor, capturable: bool) -> dict[str, Tensor]:
    """The state of one parameter before its first step; all float32."""
    matrix = torch.zeros(_matrix(weight).shape, device=weight.device)
    step = torch.zeros((), device=weight.device if capturable else "cpu")
    state = {"step": step, "exp_avg": matrix, "exp_avg_sq": matrix.clone()}
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
                basis = torch.linalg.eigh(state[f"{side}_covariance"].cpu())[1]
                state[f"{side}_basis"] = _laid_out(basis.to(matrix.device))
    if step == 1:
        return torch.zeros_like(matrix)
    left, right = state.get("left_basis"), state.get("right_basis")
    moved = _back(_adam(matrix, (left, right), state, group, step - 1), left, right)
    if _is_time(step) and not group["capturable"]:
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
