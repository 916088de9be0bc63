"""Judge: what a network loses, on few training patches, and a first guess of what each channel is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor, nn

from compress.prune.groups import Group
from compress.prune.read import Read, Reading
from nas.task.losses import Loss
from nas.task.metrics import ssim
from nas.task.own_loss import OwnLoss
from nas.task.task import Task

RANKING, WATCHING = 256, 32  # patches: moves are ranked by the first, the way down is told by the others
_BATCH = 8  # patches at a time
_HAND, _FEW = 8, 2  # batches that rank one move; those of them by which most others are sorted out before

Patches = tuple[Tensor, Tensor]  # degraded, clean: (B, 3, P, P) in [0, 1], on the processor


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Patches to rank by, others to tell by, and the loss that ranks."""

    ranking: tuple[Patches, ...]  # in batches
    watching: tuple[Patches, ...]
    loss: Loss | OwnLoss

    @classmethod
    def of(cls, task: Task, seed: int) -> "Judge":
        """Of training patches of `task`, which are another batch for every seed."""
        batch, found = task.batches(seed), []
        for step in range(-(-(RANKING + WATCHING) // task.settings.batch)):
            sides = (side.cpu() for side in batch(step))
            found += list(zip(*(torch.split(side, 1) for side in sides), strict=True))
        return cls(_batched(found[:RANKING]), _batched(found[RANKING : RANKING + WATCHING]), task.loss)

    def hand(self, number: int) -> "Judge":
        """Who ranks move `number`, by a part of the patches.

        Another part for each, in turn: moves that are each the least on the same patches suit those more and more.
        """
        batches = range(_HAND * number, _HAND * number + min(_HAND, len(self.ranking)))
        return replace(self, ranking=tuple(self.ranking[batch % len(self.ranking)] for batch in batches))

    def few(self) -> "Judge":
        """Who ranks by the first of the patches only."""
        return replace(self, ranking=self.ranking[:_FEW])

    def lost(self, network: nn.Module) -> float:
        """The loss of `network` on the patches that rank."""
        with torch.inference_mode():
            return fmean(self.loss.of(degraded)(network(degraded), clean).item() for degraded, clean in self.ranking)

    def told(self, network: nn.Module) -> tuple[float, float]:
        """The same on the patches that only tell, and SSIM there."""
        lost: list[float] = []
        alike: list[float] = []
        with torch.inference_mode():
            for degraded, clean in self.watching:
                output = network(degraded)
                lost.append(self.loss.of(degraded)(output, clean).item())
                alike += ssim(output.clamp(0, 1), clean).tolist()
        return fmean(lost), fmean(alike)

    def look(self, network: nn.Module) -> "Look":
        """What a channel is, and about what is lost without it."""
        layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and m.groups == 1}
        reading = {name: Reading() for name in layers}
        hooks = [
            layer.register_forward_pre_hook(lambda module, inputs, one=reading[name]: one.look(inputs[0]))
            for name, layer in layers.items()
        ]
        weights = [parameter for layer in layers.values() for parameter in (layer.weight, layer.bias)]
        gradients: list[Sequence[Tensor]] = []
        try:
            for degraded, clean in self.ranking:
                # One by one: over more of them, what a channel does cancels out.
                for few in zip(torch.split(degraded, 1), torch.split(clean, 1), strict=True):
                    gradients.append(torch.autograd.grad(self.loss.of(few[0])(network(few[0]), few[1]), weights))  # type: ignore[arg-type]
        finally:
            for hook in hooks:
                hook.remove()
        reads = {name: one.read() for name, one in reading.items()}
        effects = {}
        for place, (name, layer) in enumerate(layers.items()):
            told, constant = reads[name].told_by_all()
            weight = layer.weight.detach()
            by_weight = torch.stack([one[2 * place] for one in gradients])  # (patches, out, in, K, K)
            by_bias = torch.stack([one[2 * place + 1] for one in gradients])  # (patches, out)
            by_input = torch.einsum("oihw,pojhw->pij", weight, by_weight)  # what input j makes of the weights of i
            instead = (by_input * told).sum(dim=2) + by_bias @ weight.sum(dim=(2, 3)) * constant
            effects[name] = instead - by_input.diagonal(dim1=1, dim2=2)
        return Look(reads, effects)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What every convolution reads, and about what each of its inputs is worth."""

    reads: Mapping[str, Read]
    effects: Mapping[str, Tensor]  # (patches, C): to first order, what the loss gains without an input

    def worth(self, group: Group) -> Tensor:
        """About what the loss grows without each channel of `group` (C,), in no unit: to be compared within a network.

        The mean square over patches of the first-order effect (Molchanov et al., "Importance estimation for neural
        network pruning", 2019), which to second order is what a loss grows by where gradients vanish (Theis et al.,
        "Faster gaze prediction with dense networks and Fisher pruning", 2018).
        """
        whole = torch.zeros(())
        for layer, places in group.inputs:
            whole = whole + self.effects[layer][:, torch.tensor(places)].sum(dim=2)
        return whole.square().mean(dim=0)


def _batched(patches: Sequence[Patches]) -> tuple[Patches, ...]:
    """In batches, which are fast."""
    degraded, clean = (torch.split(torch.cat(side), _BATCH) for side in zip(*patches, strict=True))
    return tuple(zip(degraded, clean, strict=True))
