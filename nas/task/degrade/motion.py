"""Motion: blur of a camera that shakes and of objects that move by themselves, in linear light or as shown."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from nas.task.degrade.convolve import convolved
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.light import relit
from nas.task.degrade.profile import Range
from nas.task.degrade.shake import REACH, shaken_kernels, spread
from nas.task.degrade.turns import EVERY_TURN, Turn, turned

_EDGE = 2.0  # pixels over which an object's border fades
_GAMMA = 2.2  # from values as shown to light, nearly
_RADII = (0.08, 0.3)  # of objects, as shares of the picture's shorter side


@dataclass(frozen=True, slots=True)
class MotionBlur:
    """Blur by a kernel for every image, and by another one for an object in some; raises ValueError, naming the field.

    The same kernel holds for a whole image, as it does for shake without roll; the sharp photograph is where the
    picture was on average. Strength 0 is the narrowest kernel, 1 the widest.
    """

    seed: int = 0  # of the shaken kernels
    file: KernelFile | None = None  # kernels to take instead, in all eight turns
    longest: float = 30.0  # pixels across a path
    objects: float = 0.3  # share of the images in which something moves by itself
    highlights: Range = (1.0, 2.0)  # how much brighter lamps and the like are than white
    shown: float = 0.0  # share of the images that are the mean of frames as shown, as pairs made of videos are (GoPro)

    def __post_init__(self) -> None:
        if not 0 <= self.longest <= 2 * REACH:
            raise ValueError(f"motion blur longest = {self.longest}: must be from 0 to {2 * REACH} pixels")
        if not 0 <= self.objects <= 1:
            raise ValueError(f"motion blur objects = {self.objects}: must be a share from 0 to 1")
        if not 0 <= self.shown <= 1:
            raise ValueError(f"motion blur shown = {self.shown}: must be a share from 0 to 1")
        low, high = self.highlights
        if not 1 <= low <= high <= 100:
            raise ValueError(f"motion blur highlights = ({low}, {high}): must be (low, high), 1 <= low <= high <= 100")

    @property
    def margin(self) -> int:
        """Pixels beyond an image that its blur reads."""
        return self.kernels().shape[-1] // 2

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Hands shake in all directions."""
        return EVERY_TURN

    def kernels(self) -> Tensor:
        """(N, 1 or 3, K, K), from the narrowest to the widest."""
        return shaken_kernels(self.seed, self.longest) if self.file is None else _of_file(self.file)

    def apply(self, light: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        """Linear light (B, 3, H, W) blurred by strengths `levels` (B,) in [0, 1]; smaller by the margin."""
        device, kernels = light.device, self.kernels().to(light.device)
        boost, objects, others = torch.rand((3, len(light)), generator=generator, device=device)
        low, high = self.highlights
        boost, gamma = low * (high / low) ** boost, None
        if self.shown:  # no lamp is brighter than white in a frame as shown
            chosen = torch.rand(len(light), generator=generator, device=device) < self.shown
            boost, gamma = boost.where(~chosen, 1.0), torch.where(chosen, _GAMMA, 1.0).view(-1, 1, 1, 1)
        light = relit(light, boost)
        light = light if gamma is None else light.pow_(1 / gamma)
        blurred = convolved(light, _at(kernels, levels))
        moving = (objects < self.objects).nonzero()[:, 0]
        if len(moving):
            masks = ellipses((len(moving), *light.shape[-2:]), generator)
            kernel = _at(kernels, others[moving])
            blurred[moving] = moved_over(blurred[moving], light[moving], masks, kernel)
        return blurred if gamma is None else blurred.pow_(gamma)

    def describe(self) -> str:
        """A part of a sentence that says what blur this is, for the model card."""
        said = (
            f"camera shake along random paths up to {self.longest:.3g} pixels long (after Boracchi and Foi, TIP 2012)"
            if self.file is None
            else f"the {len(self.file.read())} blur kernels of a file, digest {self.file.digest}"
        )
        objects = f"in {self.objects:.0%} of the images another one for an object that moves by itself"
        shown = f", {self.shown:.0%} of them the mean of frames as shown" if self.shown else ""
        return f"blur of {said}, {objects}{shown}"


def moved_over(behind: Tensor, light: Tensor, masks: Tensor, kernels: Tensor) -> Tensor:
    """`behind` (B, 3, h, w) with an object before it: what `masks` (B, 1, H, W) in [0, 1] show of `light` (B, 3, H, W).

    The object moves as `kernels` (B, 1 or 3, K, K) say, and h = H - K + 1. This is the mean of sub-frames in each of
    which the moved object covers the light behind it, where that stands still; where both move, each is averaged apart.
    """
    covered = convolved(masks, kernels.mean(dim=1, keepdim=True)).clamp_(max=1)  # rounding leaves it a little above
    return convolved(light * masks, kernels) + (1 - covered) * behind


def ellipses(shape: tuple[int, int, int], generator: Generator) -> Tensor:
    """A random ellipse for each image of `shape` (B, H, W): (B, 1, H, W), 1 inside, falling to 0 at its border."""
    batch, height, width = shape
    device = generator.device
    drawn = torch.rand((5, batch, 1, 1), generator=generator, device=device)
    low, high = (share * min(height, width) for share in _RADII)
    radii = (low + (high - low) * drawn[:2]).unbind()
    cosine, sine = (drawn[2] * math.pi).cos(), (drawn[2] * math.pi).sin()
    down = torch.arange(height, device=device)[:, None] - drawn[3] * height
    across = torch.arange(width, device=device) - drawn[4] * width
    along = (down * cosine + across * sine) / radii[0]
    aside = (across * cosine - down * sine) / radii[1]
    distance = (along.square() + aside.square()).sqrt_()  # 1 at the border
    fade = _EDGE / torch.minimum(*radii)
    return ((1 - distance) / fade + 0.5).clamp_(0, 1)[:, None]


def _at(kernels: Tensor, levels: Tensor) -> Tensor:
    return kernels[(levels * (len(kernels) - 1)).round().long()]


@lru_cache(maxsize=8)
def _of_file(file: KernelFile) -> Tensor:
    with torch.inference_mode(False):
        read = file.read()
        widest, colours = max(one.shape[-1] for one in read), max(one.shape[0] for one in read)
        each = [F.pad(one, [(widest - one.shape[-1]) // 2] * 4).expand(colours, -1, -1) for one in read]
        as_arrays = [one.permute(1, 2, 0).numpy() for one in each]
        every = [torch.from_numpy(turned(one, turn).copy()) for one in as_arrays for turn in EVERY_TURN]
        kernels = torch.stack(every).permute(0, 3, 1, 2).contiguous()
        return kernels[spread(kernels).argsort(stable=True)]
