"""The parts of an LPIENet: inverted residual block, attention, IRA block, heads.

Source: Conde et al., "Perceptual Image Enhancement for Smartphone Real-Time Applications", WACV 2023, section 3 and
figure 3; where the released code differs from the figure, `block="released"` follows the code. No batch
normalisation: on a phone it costs as much memory traffic as a convolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.blueprint import IMAGE_CHANNELS, BlockBlueprint, StageBlueprint, before_activation


class Gate(nn.Module):
    """The product of both halves of the channels, (B, 2C, H, W) -> (B, C, H, W): the simple gate of NAFNet.

    Source: Chen et al., "Simple Baselines for Image Restoration", ECCV 2022.
    """

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[1] // 2
        return x[:, :half] * x[:, half:]  # slices, which every runtime computes in integers as they are


class Leaky(nn.LeakyReLU):
    """A ReLU that lets a tenth of what is negative through, so that it never stops learning."""

    def __init__(self) -> None:
        super().__init__(0.1)


ACTIVATION: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU, "gate": Gate}


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, computed as a matrix product where training on a processor gains by it.

    With one thread and fewer than 16 images torch leaves oneDNN for 1x1 convolutions and takes a path that fills and
    copies its results before it multiplies; without that, and without joining the two branches of attention in memory
    first, a training step of the reference network took 7 to 12 % less time and one of a small network 3 to 5 %.
    Tracers, exports and pruning see the convolution.
    """

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, out, H, W)
        return self._product(x) if self.training and _leaves_onednn(x) else super().forward(x)

    def of_parts(self, parts: list[Tensor]) -> Tensor:
        """Of parts (B, C / n, H, W) side by side in the channels; where it gains, they are never put there."""
        if len(parts) > 1 and self.training and all(_leaves_onednn(part) for part in parts):
            return self._product(*parts)
        joined: Tensor = self(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
        return joined

    def _product(self, *parts: Tensor) -> Tensor:
        """The matrix product, of parts that are channels last, so that no memory moves."""
        assert self.bias is not None
        batch, channels, height, width = parts[0].shape
        rows = self.bias
        for part, weight in zip(parts, self.weight.flatten(1).chunk(len(parts), dim=1), strict=True):
            rows = torch.addmm(rows, part.permute(0, 2, 3, 1).reshape(-1, channels), weight.T)
        return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)


class InvertedResidual(nn.Module):
    """The paper's IRB: two residual pairs of 1x1 convolutions, the first around a depthwise 3x3 (or 5x5).

    mobilenet: without the second pair, the block of MobileNetV2 (Sandler et al., 2018). plain: one pair of 3x3
    convolutions, the block of a ResNet (He et al., 2016). With the activation "gate", released is NAFNet's block.
    """

    def __init__(self, width: int, plan: BlockBlueprint, block: str, activation: str, kernel: int) -> None:
        super().__init__()
        hidden, mixed = (before_activation(n, activation) for n in (plan.depthwise, plan.pointwise))
        inside = ACTIVATION[activation]
        self.spatial = (
            nn.Sequential(
                nn.Conv2d(width, hidden, 3, padding=1), inside(), nn.Conv2d(plan.depthwise, width, 3, padding=1)
            )
            if block == "plain"
            else nn.Sequential(
                Pointwise(width, hidden, 1),
                nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden),
                inside(),
                Pointwise(plan.depthwise, width, 1),
            )
        )
        self.mixing = (
            nn.Sequential(Pointwise(width, mixed, 1), inside(), Pointwise(plan.pointwise, width, 1))
            if plan.pointwise
            else None
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        x = x + self.spatial(x)
        return x if self.mixing is None else x + self.mixing(x)


class ChannelMean(nn.Module):
    """The mean over channels, as a module so that an export can put its like in its place (compress.export.rewrite)."""

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, H, W)
        return x.mean(dim=1, keepdim=True)


class ChannelMaximum(nn.Module):
    """The maximum over channels, as a module for the same reason."""

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, H, W)
        return x.amax(dim=1, keepdim=True)


class Attention(nn.Module):
    """Maps from the mean and maximum over channels, multiplied onto the features, joined by a 1x1 convolution.

    The "channel" branch pools over channels too, so it is a second spatial map; this keeps the output of a pixel
    independent of the size of the image around it, which a squeeze over the image would not.
    """

    def __init__(self, plan: StageBlueprint) -> None:
        super().__init__()
        width = plan.width
        self.pooled = nn.Identity()  # a place to hook: pruning cuts its graph here, see compress.prune.groups
        self.mean: nn.Module = ChannelMean()
        self.maximum: nn.Module = ChannelMaximum()
        self.spatial = nn.Conv2d(2, width, 3, padding=1) if plan.attention in ("spatial", "both") else None
        self.channel = (
            nn.Sequential(Pointwise(1, plan.attention_hidden, 1), nn.ReLU(), Pointwise(plan.attention_hidden, width, 1))
            if plan.attention in ("channel", "both")
            else None
        )
        both = ("spatial", "channel") if plan.attention == "both" else (plan.attention,)
        self.branches = nn.ModuleDict({name: nn.Identity() for name in both})  # places to hook, see nas.anatomy
        branches = len(both)
        self.join = Pointwise(branches * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        pooled = self.pooled(x)
        mean = self.mean(pooled)  # (B, 1, H, W)
        branches = []
        if self.spatial is not None:
            maximum = self.maximum(pooled)  # (B, 1, H, W)
            spatial = torch.sigmoid(self.spatial(torch.cat([mean, maximum], dim=1))) * x
            branches.append(self.branches["spatial"](spatial))
        if self.channel is not None:
            branches.append(self.branches["channel"](torch.sigmoid(self.channel(mean)) * x))
        return self.join.of_parts(branches)


class IRABlock(nn.Module):
    """Inverted residual blocks, then attention.

    released, mobilenet and plain: y + attention(y), no skip around the block. paper: x + y * sigmoid(attention(y)),
    where x is the block's input and y the output of its inverted residual blocks.
    """

    def __init__(self, plan: StageBlueprint, block: str, activation: str, kernel: int) -> None:
        super().__init__()
        self.residuals = nn.Sequential(
            *(InvertedResidual(plan.width, inner, block, activation, kernel) for inner in plan.blocks)
        )
        self.attention = None if plan.attention == "none" else Attention(plan)
        self.skips = block == "paper"

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> the same
        y: Tensor = self.residuals(x)
        if self.skips:
            return x + y if self.attention is None else x + y * torch.sigmoid(self.attention(y))
        return y if self.attention is None else y + self.attention(y)


class GatedHead(nn.Module):
    """The released tail: a projection to RGB times a gate from 7x7, 5x5 and 3x3 convolutions.

    The projections give cells of `cell` x `cell` pixels, and the gate works on pixels. The gate can close for good, and
    then the network stays the identity; initialise.py keeps it open at the start.
    """

    def __init__(self, width: int, activation: str, cell: int = 1) -> None:
        super().__init__()
        rgb = IMAGE_CHANNELS
        channels = rgb * cell**2
        self.cell = cell
        self.project = nn.Sequential(
            Pointwise(width, channels, 1),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            ACTIVATION[activation](),
            Pointwise(channels, channels, 1),
        )
        self.shortcut = Pointwise(width, channels, 1)
        self.gate = nn.Sequential(
            nn.Conv2d(rgb, rgb, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(rgb, rgb, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(rgb, rgb, 3, padding=1),
        )

    def forward(self, z: Tensor, image: Tensor) -> Tensor:  # (B, width, H, W), cells -> (B, 3, cell * H, cell * W)
        update = from_cells(self.project(z) + torch.relu(self.shortcut(z)), self.cell)
        return update * torch.sigmoid(self.gate(update))


class ConvHead(nn.Module):
    """The head of the paper's figure: one 3x3 convolution to RGB, or to cells of `cell` x `cell` pixels.

    Cells of the image take part: a linear way to its correction, with which a network trains a little faster. They
    have a convolution of their own, which is the same as one over features and cells side by side, less the trouble:
    that one would round the image at the features' scale in int8, and torch-pruning loses count of its channels.
    """

    def __init__(self, decoder: int, encoder: int, cell: int = 1) -> None:
        super().__init__()
        self.cell = cell
        self.decoder = decoder  # the first so many of its inputs come from the decoder
        channels = IMAGE_CHANNELS * cell**2
        self.project = nn.Conv2d(decoder + encoder, channels, 3, padding=1)
        self.image = None if cell == 1 else nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, z: Tensor, image: Tensor) -> Tensor:  # (B, width, H, W), cells -> (B, 3, cell * H, cell * W)
        update: Tensor = self.project(z)
        return update if self.image is None else from_cells(update + self.image(image), self.cell)


class ToCells(nn.PixelUnshuffle):
    """(B, C, cell * H, cell * W) -> (B, C * cell**2, H, W): all pixels of a cell side by side in the channels.

    Channel c * cell**2 + row * cell + column holds channel c of the pixel at (row, column) in its cell.
    """


def from_cells(cells: Tensor, cell: int) -> Tensor:
    """Inverse of `ToCells`; cells of one pixel are the image."""
    return cells if cell == 1 else F.pixel_shuffle(cells, cell)


def _leaves_onednn(x: Tensor) -> bool:
    """Whether torch would take its slow path for a 1x1 convolution of `x`, which is channels last and nothing else."""
    return (
        torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and x.shape[0] < 16
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()  # one channel: its memory says neither
        and torch.get_num_threads() == 1
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )
