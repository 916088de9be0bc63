"""Diffract: what a display before the camera does to light: it spreads it in one pattern, dims it and tints it."""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from nas.task.degrade.convolve import convolved
from nas.task.degrade.display import PENTILE, Display, Lens, point_spread
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.light import relit
from nas.task.degrade.profile import Range
from nas.task.degrade.turns import AS_IT_IS, Turn, turns_that_keep

_REACH = 24  # pixels from the middle of a point spread function


@dataclass(frozen=True, slots=True)
class Diffraction:
    """A display before the camera, after Zhou et al., "Image Restoration for Under-Display Camera", CVPR 2021.

    Its point spread function has one direction on every photograph: it is of the device and does not turn with what is
    photographed. Strength 0 keeps the most of the brightness, 1 the least. Raises ValueError, naming the field.
    """

    display: Display = PENTILE
    lens: Lens = field(default_factory=Lens)
    file: KernelFile | None = None  # a measured point spread function to take instead
    kept: Range = (0.5, 1.0)  # of the brightness, after the camera exposed longer
    balanced: Range = (0.0, 1.0)  # of the display's tint that white balance takes away
    highlights: Range = (1.0, 4.0)  # how much brighter lamps and the like are than white

    def __post_init__(self) -> None:
        for name, (least, most) in (("kept", (0.01, 1)), ("balanced", (0, 1)), ("highlights", (1, 100))):
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(
                    f"diffraction {name} = ({low}, {high}): must be (low, high) with {least} <= low <= high <= {most}"
                )
        if self.file is not None and len(self.file.read()) != 1:
            raise ValueError(
                f"kernels {self.file.path}: holds {len(self.file.read())} kernels, and a display has one point spread "
                "function: choose one"
            )

    @property
    def margin(self) -> int:
        """Pixels beyond an image that its light comes from."""
        return self.point_spread().shape[-1] // 2

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Of photographs that were taken through it: those that keep the measured function; without one, none."""
        return AS_IT_IS if self.file is None else turns_that_keep(self.point_spread())

    def point_spread(self) -> Tensor:
        """(1 or 3, K, K), of light 1 in each channel."""
        return point_spread(self.display, self.lens, _REACH) if self.file is None else self.file.read()[0]

    def apply(self, light: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        """Linear light (B, 3, H, W) behind the display, of strengths `levels` (B,) in [0, 1]; smaller by the margin."""
        device = light.device
        boost, tint = torch.rand((2, len(light)), generator=generator, device=device)
        low, high = self.highlights
        light = relit(light, low * (high / low) ** boost)
        kernel = self.point_spread().to(device)
        spread = convolved(light, kernel.expand(len(light), -1, -1, -1))
        return spread.mul_(self._brightness(levels, tint)[:, :, None, None])

    def describe(self) -> str:
        """A part of a sentence that says what display this is, for the model card."""
        shown = (
            f"a display of {self.display.name}, {self.display.opening:.0%} of it open, a pixel every "
            f"{self.display.pitch:.3g} micrometres, by Fourier optics"
            if self.file is None
            else f"a display by its measured point spread function, digest {self.file.digest}"
        )
        return f"diffraction of {shown}, with {self.kept[0]:.0%} to {self.kept[1]:.0%} of the brightness left"

    def _brightness(self, levels: Tensor, tint: Tensor) -> Tensor:
        """(B, 3), of which green has what is kept."""
        low, high = self.kept
        shares = levels.new_tensor(self.display.transmission)
        balanced = self.balanced[0] + (self.balanced[1] - self.balanced[0]) * tint
        tinted = (shares / shares[1]) ** (1 - balanced)[:, None]
        return tinted * (high - (high - low) * levels)[:, None]
