"""The parts of an LPIENet: inverted residual block, attention, IRA block, heads.

Source: Conde et al., "Perceptual Image Enhancement for Smartphone Real-Time Applications", WACV 2023, section 3 and
figure 3; where the released code differs from the figure, `block="released"` follows the code. No batch
normalisation: on a phone it costs as much memory traffic as a convolution.
"""

import torch
from torch import Tensor, nn

from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, StageBlueprint

ACTIVATION = {"elu": nn.ELU, "relu": nn.ReLU}


class InvertedResidual(nn.Module):
    """The paper's IRB: two residual pairs of 1x1 convolutions, the first around a depthwise 3x3."""

    def __init__(self, width: int, plan: BlockBlueprint, activation: str) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(width, plan.depthwise, 1),
            nn.Conv2d(plan.depthwise, plan.depthwise, 3, padding=1, groups=plan.depthwise),
            ACTIVATION[activation](),
            nn.Conv2d(plan.depthwise, width, 1),
        )
        self.mixing = nn.Sequential(
            nn.Conv2d(width, plan.pointwise, 1), ACTIVATION[activation](), nn.Conv2d(plan.pointwise, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        x = x + self.spatial(x)
        mixed: Tensor = x + self.mixing(x)
        return mixed


class Attention(nn.Module):
    """Maps from the mean and maximum over channels, multiplied onto the features, joined by a 1x1 convolution.

    The "channel" branch pools over channels too, so it is a second spatial map; this keeps the output of a pixel
    independent of the size of the image around it, which a squeeze over the image would not.
    """

    def __init__(self, plan: StageBlueprint) -> None:
        super().__init__()
        width = plan.width
        self.pooled = nn.Identity()  # a place to hook: pruning cuts its graph here, see compress.prune
        self.spatial = nn.Conv2d(2, width, 3, padding=1) if plan.attention in ("spatial", "both") else None
        self.channel = (
            nn.Sequential(nn.Conv2d(1, plan.attention_hidden, 1), nn.ReLU(), nn.Conv2d(plan.attention_hidden, width, 1))
            if plan.attention in ("channel", "both")
            else None
        )
        branches = 2 if plan.attention == "both" else 1
        self.join = nn.Conv2d(branches * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        pooled = self.pooled(x)
        mean = pooled.mean(dim=1, keepdim=True)  # (B, 1, H, W)
        branches = []
        if self.spatial is not None:
            maximum = pooled.amax(dim=1, keepdim=True)  # (B, 1, H, W)
            branches.append(torch.sigmoid(self.spatial(torch.cat([mean, maximum], dim=1))) * x)
        if self.channel is not None:
            branches.append(torch.sigmoid(self.channel(mean)) * x)
        joined: Tensor = self.join(torch.cat(branches, dim=1) if len(branches) > 1 else branches[0])
        return joined


class IRABlock(nn.Module):
    """Inverted residual blocks, then attention.

    released: y + attention(y), no skip around the block. paper: x + y * sigmoid(attention(y)), where x is the
    block's input and y the output of its inverted residual blocks.
    """

    def __init__(self, plan: StageBlueprint, block: str, activation: str) -> None:
        super().__init__()
        self.residuals = nn.Sequential(*(InvertedResidual(plan.width, inner, activation) for inner in plan.blocks))
        self.attention = None if plan.attention == "none" else Attention(plan)
        self.skips = block == "paper"

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        y: Tensor = self.residuals(x)
        if self.skips:
            return x + y if self.attention is None else x + y * torch.sigmoid(self.attention(y))
        return y if self.attention is None else y + self.attention(y)


class GatedHead(nn.Module):
    """The released tail: a projection to RGB times a gate from 7x7, 5x5 and 3x3 convolutions.

    The gate can close for good, and then the network stays the identity; initialise.py keeps it open at the start.
    """

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        rgb = IMAGE_CHANNELS
        self.project = nn.Sequential(
            nn.Conv2d(width, rgb, 1),
            nn.Conv2d(rgb, rgb, 3, padding=1, groups=rgb),
            ACTIVATION[activation](),
            nn.Conv2d(rgb, rgb, 1),
        )
        self.shortcut = nn.Conv2d(width, rgb, 1)
        self.gate = nn.Sequential(
            nn.Conv2d(rgb, rgb, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(rgb, rgb, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(rgb, rgb, 3, padding=1),
        )

    def forward(self, z: Tensor) -> Tensor:  # (B, width, H, W) -> (B, 3, H, W)
        update: Tensor = self.project(z) + torch.relu(self.shortcut(z))
        return update * torch.sigmoid(self.gate(update))


class ConvHead(nn.Module):
    """The head of the paper's figure: one 3x3 convolution to RGB."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, IMAGE_CHANNELS, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:  # (B, width, H, W) -> (B, 3, H, W)
        update: Tensor = self.project(z)
        return update
