"""LPIENet: the network that a blueprint describes."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.blocks import ConvHead, GatedHead, IRABlock, ToCells
from search_spaces.blueprint import Blueprint, StageBlueprint
from search_spaces.genotype import STAGES
from search_spaces.initialise import initialise
from search_spaces.sides import STRIDE

SKIPPING = ("encoder1", "encoder2")  # the encoders whose output a decoder, or the head, gets too


class LPIENet(nn.Module):
    """A U-Net of IRA blocks, three encoders and two decoders, that predicts a residual on its input.

    Input and output are RGB in [0, 1], (B, 3, H, W) with H and W divisible by 8 (see sides.on_any_size).
    Raises ValueError for other sides.

    With the stem "space-to-depth" the U-Net runs on cells of 2x2 pixels, 12 channels at half the resolution.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint
        e1, e2, e3, d1, d2 = blueprint.stages

        def stage(channels: int, plan: StageBlueprint) -> nn.Sequential:
            block = IRABlock(plan, blueprint.block, blueprint.activation)
            return nn.Sequential(nn.Conv2d(channels, plan.width, 3, padding=1), nn.ReLU(), block)

        cell = blueprint.cell
        self.cells = ToCells(cell) if cell > 1 else nn.Identity()  # a module, for compress.rewrite
        self.encoder1 = stage(blueprint.stem_channels, e1)
        self.encoder2 = stage(e1.width, e2)
        self.encoder3 = stage(e2.width, e3)
        self.decoder1 = stage(e3.width, d1)
        self.decoder2 = stage(d1.width + e2.width, d2)
        self.head: nn.Module = (
            GatedHead(d2.width + e1.width, blueprint.activation, cell)
            if blueprint.head == "gated"
            else ConvHead(d2.width, e1.width, cell)
        )
        self.skips = nn.ModuleDict({name: nn.Identity() for name in SKIPPING})  # places to hook, see nas.anatomy
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and (image.shape[-2] % STRIDE or image.shape[-1] % STRIDE):
            raise ValueError(
                f"an LPIENet needs sides divisible by {STRIDE}, got {image.shape[-2]}x{image.shape[-1]}; "
                "sides.on_any_size pads and crops"
            )
        cells = self.cells(image)  # (B, 3, H, W), or (B, 12, H/2, W/2): then halve H and W below
        full = self.encoder1(cells)  # (B, e1, H, W)
        half = self.encoder2(F.max_pool2d(full, 2))  # (B, e2, H/2, W/2)
        quarter = self.encoder3(F.max_pool2d(half, 2))  # (B, e3, H/4, W/4)
        x = _double(self.decoder1(quarter))  # (B, d1, H/2, W/2)
        x = _double(self.decoder2(torch.cat([x, self.skips["encoder2"](half)], dim=1)))  # (B, d2, H, W)
        x = torch.cat([x, self.skips["encoder1"](full)], dim=1)
        update: Tensor = self.head(x, cells)  # (B, 3, H, W) of the image
        return image + update


def build(blueprint: Blueprint, seed: int) -> LPIENet:
    """A new network with the random weights of `seed`; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
        return LPIENet(blueprint)


def stages_of(network: LPIENet) -> dict[str, nn.Sequential]:
    """The stages by name, in the order of computation: each a convolution, an activation, and an IRA block."""
    return {name: getattr(network, name) for name, _ in zip(STAGES, network.blueprint.stages, strict=True)}


def feeds(stages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What each of `stages`, and the head, takes as its input: the stage before it, and the skip if it has one."""
    names = tuple(stages)
    encoders = [name for name in names if name.startswith("encoder")]
    before = {name: names[max(0, place - 1) : place] for place, name in enumerate((*names, "head"))}
    skips = dict(zip(reversed((*names, "head")[len(encoders) + 1 :]), encoders, strict=False))  # outermost first
    return {name: (*inner, *((skips[name],) if name in skips else ())) for name, inner in before.items()}


def parameters(network: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(parameter.numel() for parameter in network.parameters())


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
