"""Critic: a small network that learns to tell edges of clean photographs from those that a network makes.

The adversarial form of the gradient loss, after Ma et al., "Structure-Preserving Super Resolution with Gradient
Guidance", CVPR 2020, section 3.3: its discriminator sees edge magnitudes alone, and compares each picture with the
mean of the other kind (relativistic average, Jolicoeur-Martineau, ICLR 2019). Theirs is as large as VGG; this one sees
about 30 pixels, which patches of a small network's training have room for.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.task.losses import edges

_WIDTHS = (16, 32, 64)
_RATE = 1e-4  # of SPSR
_SEED = 0  # of its first weights, the same in every training


class Critic:
    """What `train` keeps beside a network whose loss has an adversarial term; its state goes into the checkpoint."""

    def __init__(self, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self._network = _layers()
        self._network.to(device)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=_RATE, betas=(0.9, 0.999))

    def fooled(self, output: Tensor, clean: Tensor) -> Tensor:
        """What a network makes small: how surely edges of `output` (B, 3, H, W) are told from those of `clean`.

        log 2 where the critic cannot tell.
        """
        self._network.requires_grad_(False)
        return _relativistic(self._network(edges(clean)), self._network(edges(output)), right=False)

    def learn(self, output: Tensor, clean: Tensor) -> None:
        """One step of its own, by the same pictures."""
        self._network.requires_grad_(True)
        self._optimizer.zero_grad(set_to_none=True)
        value = _relativistic(self._network(edges(clean)), self._network(edges(output.detach())), right=True)
        value.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """All that it has learnt, by name."""
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave; raises KeyError or RuntimeError for what it did not."""
        start = "network."
        self._network.load_state_dict({n.removeprefix(start): t for n, t in state.items() if n.startswith(start)})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            if name.startswith("optimizer."):
                _, index, field = name.split(".")
                moments.setdefault(int(index), {})[field] = tensor
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": moments})


def _layers() -> nn.Sequential:
    """(B, 3, H, W) edges to (B, 1, h, w): a verdict for each place."""
    layers: list[nn.Module] = []
    before = 3
    for width in _WIDTHS:
        layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        before = width
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 1))


def _relativistic(real: Tensor, made: Tensor, right: bool) -> Tensor:
    """Binary cross-entropy of clean ones against the mean of the made, and the other way round; `right`: of truth."""
    above, below = real - made.mean(), made - real.mean()
    yes, no = (
        (torch.ones_like(above), torch.zeros_like(above))
        if right
        else (torch.zeros_like(above), torch.ones_like(above))
    )
    return (F.binary_cross_entropy_with_logits(above, yes) + F.binary_cross_entropy_with_logits(below, no)) / 2
