"""LPIENet: the network that a blueprint describes."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.blocks import ConvHead, GatedHead, IRABlock, Leaky, Pointwise, ToCells
from search_spaces.blueprint import Blueprint, StageBlueprint, head_activation
from search_spaces.initialise import initialise
from search_spaces.sides import STRIDE
from search_spaces.wiring import HEAD, channels_into, lateral, sites

OPENING: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "leaky": Leaky, "none": nn.Identity}


class LPIENet(nn.Module):
    """A U-Net of IRA blocks that predicts a residual on its input; the released one has three encoders, two decoders.

    Input and output are RGB in [0, 1], (B, 3, H, W) with H and W divisible by 8 (see sides.on_any_size).
    Raises ValueError for other sides.

    With the stem "space-to-depth" the U-Net runs on cells of 2x2 pixels, 12 channels at half the resolution. Each stage
    is an attribute by its name (wiring.sites): a convolution, what stands behind it, and an IRA block.
    """

    encoder1: nn.Sequential

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.sites = tuple(sites(blueprint))
        cell = blueprint.cell
        self.cells = ToCells(cell) if cell > 1 else nn.Identity()  # a module, for compress.export.rewrite
        laterals: dict[str, nn.Module] = {}
        for site in self.sites:
            channels = channels_into(blueprint, site)
            if (through := lateral(blueprint, site)) is not None:
                laterals[site.name] = Pointwise(*through, 1)
            if site.plan is not None:
                setattr(self, site.name, _stage(blueprint, sum(channels), site.plan, site.entry))
        self.laterals = nn.ModuleDict(laterals)
        # Of the head's inputs the first come from a decoder, which a network of one level has not.
        decoder, encoder = channels if len(channels) == 2 else (0, *channels)
        self.head: nn.Module = (
            GatedHead(decoder + encoder, head_activation(blueprint.activation), cell)
            if blueprint.head == "gated"
            else ConvHead(decoder, encoder, cell)
        )
        # Places to hook, see nas.anatomy: the second ways of the encoders' outputs.
        self.skips = nn.ModuleDict({site.skip: nn.Identity() for site in self.sites if site.doubles and site.skip})
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and (image.shape[-2] % STRIDE or image.shape[-1] % STRIDE):
            raise ValueError(
                f"an LPIENet needs sides divisible by {STRIDE}, got {image.shape[-2]}x{image.shape[-1]}; "
                "sides.on_any_size pads and crops"
            )
        cells = self.cells(image)  # (B, 3, H, W), or (B, 12, H/2, W/2): then halve H and W below
        maps: dict[str, Tensor] = {}  # (B, width, H / shrink, W / shrink) of each stage
        for site in self.sites:
            if site.source is None:
                x = cells if site.skip is None else maps[site.skip]
            else:
                x = maps[site.source]
                if site.pools:
                    x = F.max_pool2d(x, 2)
                elif site.skip is not None:
                    x = self._joined(site.name, x, self.skips[site.skip](maps[site.skip]))
            maps[site.name] = self.head(x, cells) if site.plan is None else getattr(self, site.name)(x)
        return image + maps[HEAD]

    def _joined(self, name: str, below: Tensor, skip: Tensor) -> Tensor:
        """What comes from below, (B, C, H, W), doubled, with the encoder's map, (B, S, 2H, 2W)."""
        adds = name in self.laterals
        doubled = _double(self.laterals[name](below) if adds else below, self.blueprint.upsampling)
        return doubled + skip if adds else torch.cat([doubled, skip], dim=1)


def build(blueprint: Blueprint, seed: int) -> LPIENet:
    """A new network with the random weights of `seed`; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU too
        return LPIENet(blueprint)


def filled(blueprint: Blueprint, weights: Mapping[str, Tensor]) -> LPIENet:
    """A network with copies of `weights`, by the names of its state, on the CPU and as it is used, not trained."""
    network = LPIENet(blueprint)
    network.load_state_dict(weights)
    return network.eval()


def stages_in(network: LPIENet) -> dict[str, nn.Sequential]:
    """The stages by name, in the order of computation: each a convolution, what stands behind it, and an IRA block."""
    return {name: getattr(network, name) for name in network.blueprint.names}


def parameters(network: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(parameter.numel() for parameter in network.parameters())


def _stage(blueprint: Blueprint, channels: int, plan: StageBlueprint, entry: int) -> nn.Sequential:
    block = IRABlock(plan, blueprint.block, blueprint.activation, blueprint.kernel)
    if entry == 0:
        return nn.Sequential(nn.Identity(), nn.Identity(), block)
    first = nn.Conv2d(channels, plan.width, 3, padding=1) if entry == 3 else nn.Conv2d(channels, plan.width, 2, 2)
    return nn.Sequential(first, OPENING[blueprint.opening](), block)


def _double(x: Tensor, mode: str) -> Tensor:
    if mode == "nearest":
        return F.interpolate(x, scale_factor=2, mode="nearest")
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
