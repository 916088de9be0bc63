"""Soap: equals a plain calculation of its source's algorithm, learns where axes are turned, and resumes exactly."""

import torch
from torch import Tensor, nn

from nas.task.soap import Soap


def turned_bowl(seed: int, size: int = 12) -> tuple[nn.Parameter, Tensor, Tensor]:
    """A weight as of a convolution, and the two sides of a badly scaled quadratic whose axes lie across its own."""
    generator = torch.Generator().manual_seed(seed)
    turns = [torch.linalg.qr(torch.randn(size, size, generator=generator))[0] for _ in range(2)]
    scales = torch.logspace(0, -1.5, size)
    left, right = (turn * scales @ turn.T for turn in turns)
    weight = nn.Parameter(torch.randn(size, size, 1, 1, generator=generator))
    return weight, left, right


def loss_of(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    return (left @ weight.flatten(1) @ right).square().sum()


def lowest(optimizer: torch.optim.Optimizer, bowl: tuple[nn.Parameter, Tensor, Tensor], steps: int = 200) -> float:
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / steps)
        optimizer.zero_grad()
        loss = loss_of(*bowl)
        loss.backward()
        optimizer.step()
    return float(loss_of(*bowl).detach())


def test_where_the_axes_of_a_loss_lie_across_the_weights_it_gets_lower_than_adam():
    for seed in range(3):
        bowl, same = turned_bowl(seed), turned_bowl(seed)
        soap = lowest(Soap([bowl[0]], lr=0.05), bowl)
        adam = lowest(torch.optim.Adam([same[0]], lr=0.05, betas=(0.9, 0.95)), same)
        assert soap < adam / 2


def test_what_is_no_convolution_moves_as_with_adam():
    generator = torch.Generator().manual_seed(0)
    one, other = (nn.Parameter(torch.ones(5)) for _ in range(2))
    soap, adam = Soap([one], lr=0.1, betas=(0.8, 0.9)), torch.optim.Adam([other], lr=0.1, betas=(0.8, 0.9))
    for _ in range(7):
        gradient = torch.randn(5, generator=generator)
        one.grad, other.grad = gradient.clone(), gradient.clone()
        soap.step()
        adam.step()
    torch.testing.assert_close(one, other)


def test_a_turn_of_the_outputs_and_inputs_turns_the_steps_and_changes_nothing_else():
    """What Adam lacks: it depends on the axes in which a weight is written down."""
    generator = torch.Generator().manual_seed(1)
    turn, other_turn = (torch.linalg.qr(torch.randn(6, 6, generator=generator))[0] for _ in range(2))
    start = torch.randn(6, 6, generator=generator)
    one, other = (nn.Parameter(w[..., None, None]) for w in (start.clone(), turn @ start @ other_turn))
    optimizers = Soap([one], lr=0.01), Soap([other], lr=0.01)
    for _ in range(30):
        gradient = torch.randn(6, 6, generator=generator)
        one.grad, other.grad = gradient[..., None, None].clone(), (turn @ gradient @ other_turn)[..., None, None]
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(
        turn @ one.detach()[..., 0, 0] @ other_turn, other.detach()[..., 0, 0], atol=2e-3, rtol=0
    )
    assert (one.detach()[..., 0, 0] - start).abs().max() > 0.02


def test_its_state_is_tensors_that_a_fresh_one_goes_on_from():
    bowl, same = turned_bowl(0), turned_bowl(0)
    whole = Soap([bowl[0]], lr=0.01)
    halves = [Soap([same[0]], lr=0.01)]
    for step in range(30):
        if step == 13:
            state = halves[-1].state_dict()
            assert all(isinstance(value, Tensor) for value in state["state"][0].values())
            halves.append(Soap([same[0]], lr=0.01))
            halves[-1].load_state_dict(state)
        for optimizer, parts in ((whole, bowl), (halves[-1], same)):
            optimizer.zero_grad()
            loss_of(*parts).backward()
            optimizer.step()
    assert torch.equal(bowl[0], same[0])
