"""Noise level: how much noise a photograph has at each brightness, and what of a network's update it accounts for.

A network sees a few dozen pixels around each one, and there a field of flowers looks like strong noise. The noise of a
photograph is alike everywhere but for the brightness (its noise level function: Liu et al., "Noise estimation from a
single image", 2006), so what a network takes away in most places tells how much there is to be taken away in any. And a
network answers a little more of that noise by taking it away as well, where it knows it for noise.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

WINDOW = 15  # pixels a side, over which brightness and update are averaged
REACH = 3 * (WINDOW // 2)  # how much further a pixel sees that is held and weighed: those windows, and the probe's
HELD = 1.5  # times the level, that a denoiser's update is held to: results/published/hold
WEIGHED = 3.0  # times the level's square, by which an update is weighed: weak noise is above what updates tell of it
TOLD = 1.3  # the same where the level is known
_STEP = 7  # pixels between windows that are looked at
_FEWEST = 64  # windows, below which nothing is said of the level
_CLIPPED = 0.01  # brightness from either end, where noise is cut off
_LEAST = 0.5  # of the middle of all windows: below it no level is believed
_NONE = 1e-5  # in [0, 1]: an update below it says nothing of how noise changes with the brightness
_ROUNDS = 20  # of reweighting
_NEAR = 1e-4  # in [0, 1]: distances from the line below it weigh alike
# Signs of a probe, a bit each, rows and columns of 8, and where each channel has them: unlike themselves once moved.
_SIGNS, _MOVED = (0x18, 0x71, 0x17, 0xCE, 0xB5, 0x24, 0x12, 0xB9), ((0, 0), (2, 1), (4, 7))

Network = Callable[[Tensor], Tensor]  # (1, 3, H, W) floats in [0, 1] to enhanced ones


@dataclass(frozen=True, slots=True)
class Hold:
    """How an update is held; raises ValueError for what is no limit, or no noise."""

    times: float = HELD  # the noise of the photograph, at that brightness, that an update may be
    noise: float | None = None  # its root mean square over the photograph, in [0, 1]; None: as updates tell it

    def __post_init__(self) -> None:
        if not 1 <= self.times < math.inf:
            raise ValueError(f"hold = {self.times}: must be 1 or more times the noise of a photograph, or 0: no limit")
        if self.noise is not None and not 0 < self.noise < 1:
            raise ValueError(
                f"noise level = {self.noise * 255:g}: must be the root mean square of a photograph's noise in levels "
                "of 255, above 0 and below 255"
            )


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """Root mean square of the noise over brightness, both in [0, 1]: a line, with a floor."""

    black: float  # at brightness 0
    slope: float
    least: float
    weight: float = WEIGHED  # times its square, by which an update is weighed

    def at(self, brightness: Tensor) -> Tensor:
        return (self.black + self.slope * brightness).clamp_min(self.least)

    def told(self, noise: float, brightness: Tensor) -> "NoiseLevel":
        """The same line for a photograph of these brightnesses whose noise is known: its root mean square."""
        seen = float(self.at(brightness).square().mean().sqrt())
        if seen < _NONE:
            return NoiseLevel(noise, 0.0, noise, TOLD)
        times = noise / seen
        return NoiseLevel(self.black * times, self.slope * times, self.least * times, TOLD)

    def held(self, network: Network, times: float) -> Network:
        """`network` with its update shrunk where it is above `times` this level in root mean square of a window."""

        def run(image: Tensor) -> Tensor:
            update = network(image) - image
            brightness, size = _windows(image, update)
            return image + update * (times * self.at(brightness) / size.clamp_min(1e-9)).clamp_max(1)

        return run

    def weighed(self, network: Network) -> Network:
        """`network` with the share of its update, in each window, that leaves the least error; it runs twice for that.

        By Stein's unbiased risk estimate that share is how much of a little more noise, `probe`, the update takes away,
        over the update's own square, which is more where it takes away texture (Ramani et al., "Monte-Carlo SURE",
        2008). `weight` times that, and at most the whole.
        """

        def run(image: Tensor) -> Tensor:
            update = network(image) - image
            probed = self.probe(image)
            probe = probed - image
            answer = network(probed) - probed - update
            given, square = (_means(of.mean(1, keepdim=True)) for of in (-probe * answer, update.square()))
            return image + update * (self.weight * given / square.clamp_min(1e-12)).clamp(0, 1)

        return run

    def probe(self, image: Tensor) -> Tensor:
        """`image` with as much more noise, within [0, 1]: of one size at each brightness, its signs in a fixed pattern.

        The pattern repeats every 8 pixels, as tiles are cut.
        """
        height, width = image.shape[-2:]
        signs = _signs().repeat(1, -(-height // 8), -(-width // 8))[:, :height, :width]
        return (image + signs * self.at(_means(image.mean(1, keepdim=True)))).clamp(0, 1)


def noise_level(pairs: Iterable[tuple[Tensor, Tensor]], told: float | None = None) -> NoiseLevel | None:
    """What a network's updates say of the noise of a photograph, by parts of it as they are and as it made them.

    Each (1, 3, H, W) in [0, 1]. The line of the least absolute distances from the windows of all parts, so that places
    that are unlike most others do not move it; what is nearly black or white counts for nothing. Where `told`, the root
    mean square of the noise over the photograph, is known, the line is scaled to it. None where there are too few
    windows; of a known level then the same at any brightness.
    """
    found = (_windows(image, output - image, _STEP) for image, output in pairs)
    looks = [torch.stack((brightness.flatten(), size.flatten())) for brightness, size in found]
    brightness, size = torch.cat(looks, dim=1).double() if looks else torch.empty(2, 0)
    seen = (brightness > _CLIPPED) & (brightness < 1 - _CLIPPED)
    brightness, size = brightness[seen], size[seen]
    if len(size) < _FEWEST:
        return None if told is None else NoiseLevel(told, 0.0, told, TOLD)
    rows = torch.stack((torch.ones_like(brightness), brightness), dim=1)
    weights, line = torch.ones_like(size), torch.zeros(2, dtype=torch.float64)
    for _ in range(_ROUNDS):  # least absolute distances by least squares whose weights are one over the distance
        weighted = rows * weights[:, None]
        line = torch.linalg.solve(weighted.T @ rows + 1e-9 * torch.eye(2, dtype=torch.float64), weighted.T @ size)
        weights = 1 / ((size - rows @ line).abs() + _NEAR)
    level = NoiseLevel(float(line[0]), float(line[1]), _LEAST * float(size.median()))
    return level if told is None else level.told(told, brightness)


def _windows(image: Tensor, update: Tensor, step: int = 1) -> tuple[Tensor, Tensor]:
    """Brightness of `image` and root mean square of `update` around each `step`-th pixel down and across.

    (1, 1, H, W) each where `step` is 1.
    """
    both = torch.cat((image.mean(1, keepdim=True), update.square().mean(1, keepdim=True)))
    brightness, square = _means(both, step)
    return brightness[None], square[None].sqrt()


def _means(values: Tensor, step: int = 1) -> Tensor:
    """Means of `values` (B, 1, H, W) over the window around each `step`-th pixel, what of it lies inside."""
    rows, columns = (torch.ones(length, dtype=torch.float64, device=values.device) for length in values.shape[2:])
    inside = _sums(rows, 0)[:, None] * _sums(columns, 0)
    means = _sums(_sums(values.double(), 3), 2) / inside
    return means[..., ::step, ::step].to(values.dtype)


def _sums(values: Tensor, axis: int) -> Tensor:
    """Sums over the window around each place along one axis: running ones, which take as long for any window."""
    length, reach = values.shape[axis], WINDOW // 2
    sums = values.cumsum(axis)
    none, every = torch.zeros_like(sums.narrow(axis, 0, 1)), sums.narrow(axis, length - 1, 1)
    ends = torch.cat([none] * (reach + 1) + [sums] + [every] * reach, axis)
    return ends.narrow(axis, WINDOW, length) - ends.narrow(axis, 0, length)


@lru_cache(maxsize=1)
def _signs() -> Tensor:
    """1 and -1, (3, 8, 8)."""
    signs = torch.tensor([[1.0 if row >> (7 - column) & 1 else -1.0 for column in range(8)] for row in _SIGNS])
    return torch.stack([signs.roll(moved, (0, 1)) for moved in _MOVED])
