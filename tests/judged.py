"""Networks to prune, and a judge of whom every change of them is a loss."""

from dataclasses import replace

import torch
from torch import nn

from compress.prune.judge import Judge
from compress.prune.prune import Target
from nas.task.losses import Loss
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

PLAIN = Genotype(
    tuple(Stage(depth=1, width=width, attention="none") for width in (8, 12, 8)),
    block="mobilenet",
    activation="elu",  # no channel is dead by chance
    head="conv3x3",
    levels=2,
)
DEEP = replace(PLAIN, stages=tuple(replace(stage, depth=2) for stage in PLAIN.stages))
TINY = replace(PLAIN, stages=tuple(replace(stage, width=4) for stage in PLAIN.stages))


def network_of(genotype: Genotype, seed: int = 0) -> LPIENet:
    """One whose every layer matters: its branches are as strong as those of a trained one."""
    network = build(Blueprint.from_genotype(genotype), seed).eval()
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d) and name.endswith(("spatial.3", "spatial.2", "mixing.2")):
                module.weight *= 4
    return network


def judge_of(network: nn.Module, side: int = 16) -> Judge:
    """For whom the output of `network`, but for a little noise, is the clean picture: whatever changes it is a loss."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(24, 3, side, side, generator=generator)
    with torch.no_grad():
        output = network(images)
        clean = output + 0.005 * torch.randn(output.shape, generator=generator)
    return Judge(((images[:16], clean[:16]),), ((images[16:], clean[16:]),), Loss())


def share(network: LPIENet, gone: float) -> Target:
    return Target((1 - gone) * cost_of(network.blueprint).macs)
