"""Noise level: how much noise a photograph has at each brightness, and no update of a network far above it.

A network sees a few dozen pixels around each one, and there a field of flowers looks like strong noise. The noise of a
photograph is alike everywhere but for the brightness (its noise level function: Liu et al., "Noise estimation from a
single image", 2006), so what a network takes away in most places tells how much there is to be taken away in any.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 15  # pixels a side, over which brightness and update are averaged
REACH = WINDOW // 2  # how much further a pixel of a held output sees
HELD = 1.5  # times the level, that a denoiser's update is held to: results/published/hold
_STEP = 7  # pixels between windows that are looked at
_FEWEST = 64  # windows, below which nothing is said of the level
_CLIPPED = 0.01  # brightness from either end, where noise is cut off
_LEAST = 0.5  # of the middle of all windows: below it no level is believed
_ROUNDS = 20  # of reweighting
_NEAR = 1e-4  # in [0, 1]: distances from the line below it weigh alike

Network = Callable[[Tensor], Tensor]  # (1, 3, H, W) floats in [0, 1] to enhanced ones


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """Root mean square of the noise over brightness, both in [0, 1]: a line, with a floor."""

    black: float  # at brightness 0
    slope: float
    least: float

    def at(self, brightness: Tensor) -> Tensor:
        return (self.black + self.slope * brightness).clamp_min(self.least)

    def held(self, network: Network, times: float) -> Network:
        """`network` with its update shrunk where it is above `times` this level in root mean square of a window."""

        def run(image: Tensor) -> Tensor:
            update = network(image) - image
            brightness, size = _windows(image, update)
            return image + update * (times * self.at(brightness) / size.clamp_min(1e-9)).clamp_max(1)

        return run


def noise_level(pairs: Iterable[tuple[Tensor, Tensor]]) -> NoiseLevel | None:
    """What a network's updates say of the noise of a photograph, by parts of it as they are and as it made them.

    Each (1, 3, H, W) in [0, 1]. The line of the least absolute distances from the windows of all parts, so that places
    that are unlike most others do not move it; what is nearly black or white counts for nothing. None where there are
    too few windows.
    """
    found = (_windows(image, output - image, _STEP) for image, output in pairs)
    looks = [torch.stack((brightness.flatten(), size.flatten())) for brightness, size in found]
    brightness, size = torch.cat(looks, dim=1).double() if looks else torch.empty(2, 0)
    seen = (brightness > _CLIPPED) & (brightness < 1 - _CLIPPED)
    brightness, size = brightness[seen], size[seen]
    if len(size) < _FEWEST:
        return None
    rows = torch.stack((torch.ones_like(brightness), brightness), dim=1)
    weights, line = torch.ones_like(size), torch.zeros(2, dtype=torch.float64)
    for _ in range(_ROUNDS):  # least absolute distances by least squares whose weights are one over the distance
        weighted = rows * weights[:, None]
        line = torch.linalg.solve(weighted.T @ rows + 1e-9 * torch.eye(2, dtype=torch.float64), weighted.T @ size)
        weights = 1 / ((size - rows @ line).abs() + _NEAR)
    return NoiseLevel(float(line[0]), float(line[1]), _LEAST * float(size.median()))


def _windows(image: Tensor, update: Tensor, step: int = 1) -> tuple[Tensor, Tensor]:
    """Brightness of `image` and root mean square of `update` around each `step`-th pixel down and across.

    (1, 1, H, W) each where `step` is 1.
    """
    both = torch.cat((image.mean(1, keepdim=True), update.square().mean(1, keepdim=True)))
    rows = F.avg_pool2d(both, (1, WINDOW), (1, step), (0, REACH), count_include_pad=False)
    brightness, square = F.avg_pool2d(rows, (WINDOW, 1), (step, 1), (REACH, 0), count_include_pad=False)
    return brightness[None], square[None].sqrt()
