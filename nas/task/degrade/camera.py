"""Camera: noise as a camera makes it, in linear light on the sensor, and then seen through the camera's processing.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019. Instead of a mosaic that is
interpolated again, the noise is drawn as it looks after that: correlated with its neighbours, more so in colour.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from nas.task.degrade.field import unit_field
from nas.task.degrade.jpeg import GRID, recompressed
from nas.task.degrade.light import sensor_share, to_linear, to_srgb
from nas.task.degrade.profile import DEFAULT_PROFILE, PROFILES, NoiseProfile, Range
from nas.task.degrade.turns import EVERY_TURN

_DRAWN = ("gain", "red", "blue", "tone", "correlation", "chroma_width", "chroma")  # of a profile, for every image

# What happens to light before the sensor: linear light (B, 3, H, W), at least 0, and the strengths (B,) of the tone
# curve that it had -> the light that the sensor sees, perhaps smaller, and the curve that its photograph gets.
Before = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class CameraNoise:
    """Noise of a camera's profile; raises ValueError, naming the field, for values out of their range."""

    profile: NoiseProfile = field(default_factory=lambda: PROFILES[DEFAULT_PROFILE])
    jpeg: float = 0.3  # share of the images that are compressed afterwards
    quality: Range = (60.0, 95.0)  # of the JPEG
    weak: float = 0.0  # share of the images to train on whose level is the cube of another: most are nearly clean
    margin = 0  # pixels around an image that are read with it
    turns = EVERY_TURN

    def __post_init__(self) -> None:
        if not 0 <= self.jpeg <= 1:
            raise ValueError(f"camera noise jpeg = {self.jpeg}: must be a share from 0 to 1")
        if not 0 <= self.weak <= 1:
            raise ValueError(f"camera noise weak = {self.weak}: must be a share from 0 to 1")
        low, high = self.quality
        if not 1 <= low <= high <= 95:
            raise ValueError(f"camera noise quality = ({low}, {high}): must be (low, high) with 1 <= low <= high <= 95")

    def at(self, level: float) -> tuple[float, float]:
        """(shot, read) at a level in [0, 1], in linear light before white balance; raises ValueError outside."""
        return self.profile.at(level)

    def degrade(self, clean: Tensor, generator: Generator) -> Tensor:
        """Noisy copy of `clean` (B, 3, H, W) in [0, 1], each image at a level of its own in [0, 1], see `weak`."""
        levels = torch.rand(len(clean), generator=generator, device=clean.device)
        if self.weak:
            chosen = torch.rand(len(clean), generator=generator, device=clean.device) < self.weak
            levels = torch.where(chosen, levels**3, levels)
        return self.capture(clean, levels, generator)

    def degrade_at(self, clean: Tensor, level: float, generator: Generator) -> Tensor:
        """Noisy copy of `clean` (B, 3, H, W) in [0, 1], all at `level`; raises ValueError for one outside [0, 1].

        All else (gains, tone curve, correlation, JPEG) is drawn for each image.
        """
        if not 0 <= level <= 1:
            raise ValueError(f"noise level {level}: must be in [0, 1]")
        return self.capture(clean, torch.full((len(clean),), float(level), device=clean.device), generator)

    def capture(
        self,
        clean: Tensor,
        levels: Tensor,
        generator: Generator,
        before: Before | None = None,
        bits: int | None = None,
    ) -> Tensor:
        """The photograph of `clean` (B, 3, H, W) in [0, 1] with noise at `levels` (B,) in [0, 1].

        `before` is what happens to the light first. `bits`: the sensor counts to 2^bits - 1; None: it does not count.
        """
        clean = clean.contiguous()  # as the noise is laid out: products of unlike layouts take four times as long
        batch, profile, device = len(clean), self.profile, clean.device
        ranges = torch.tensor([getattr(profile, name) for name in _DRAWN] + [self.quality, (0.0, 1.0)], device=device)
        low, high = ranges[:, :1], ranges[:, 1:]
        shares = torch.rand((len(ranges), batch), generator=generator, device=device)
        # One product for all that is drawn for an image: each small one would cost as much as the whole.
        gain, red, blue, tone, luma, width_of_chroma, chroma, quality, chosen = torch.lerp(low, high, shares).unbind()
        gains = torch.stack((gain * red, gain, gain * blue), 1)
        shot, read = _shot_and_read(profile, levels)
        if profile.scatter:
            around = torch.randn(batch, generator=generator, device=device)
            read = read * torch.exp(around * (profile.scatter / 2)).view(-1, 1, 1, 1)  # the scatter is of the variance
        light = to_linear(clean, tone)
        if before is not None:
            light, tone = before(light, tone)
        unit = unit_field((batch, *light.shape[-2:]), luma, luma * width_of_chroma, chroma, generator)
        share = sensor_share(light, gains)
        deviation = (light * share).mul_(shot).add_(read.square()).sqrt_().div_(share)
        seen = deviation.mul_(unit).add_(light).clamp_(0, 1)
        if bits is not None:
            seen = seen.mul_(2**bits - 1).round_().div_(2**bits - 1)
        noisy = to_srgb(seen, tone)
        if self.jpeg:
            self._compress(noisy, chosen, quality, generator)
        return noisy.contiguous(memory_format=torch.channels_last)

    def in_turn(self, rank: int) -> "CameraNoise":
        """What photograph number `rank` of a set to judge by gets."""
        return self

    def describe(self) -> str:
        """The end of a sentence that says what noise this is, for the model card."""
        profile = self.profile
        return (
            "synthetic camera noise in linear light (after Brooks et al., Unprocessing Images for Learned Raw "
            f"Denoising, CVPR 2019), noise profile {profile.name} ({profile.source}), shot from {profile.shot[0]:.3g} "
            f"to {profile.shot[-1]:.3g}, correlated over {profile.correlation[0]:.2g} to {profile.correlation[1]:.2g} "
            f"pixels, {self.jpeg:.0%} of the images compressed as JPEG"
            + (f", {self.weak:.0%} of the images mostly at weak levels" if self.weak else "")
        )

    def _compress(self, noisy: Tensor, chosen: Tensor, quality: Tensor, generator: Generator) -> None:
        """Compress some of the images, in place."""
        corners = torch.randint(GRID, (len(noisy), 2), generator=generator, device=noisy.device).tolist()
        qualities = quality.round().tolist()
        places = [index for index, place in enumerate(chosen.tolist()) if place < self.jpeg]
        if not places:
            return
        images = noisy[places].cpu()  # all at once, for which a card waits once
        for image, index in zip(images, places, strict=True):
            down, across = corners[index]
            image.copy_(recompressed(image, int(qualities[index]), (down, across)))
        noisy[places] = images.to(noisy.device)


def _shot_and_read(profile: NoiseProfile, levels: Tensor) -> tuple[Tensor, Tensor]:
    """Shot and read noise (B, 1, 1, 1) at `levels` (B,), as NoiseProfile.at gives them."""
    shots, reads = (torch.tensor(values, device=levels.device).log() for values in (profile.shot, profile.read))
    shot, read = torch.lerp(shots[0], shots[-1], levels), reads[0].expand_as(levels)
    if len(shots) > 1:
        after = torch.searchsorted(shots, shot).clamp(1, len(shots) - 1)
        span = (shots[after] - shots[after - 1]).clamp(min=1e-6)
        read = torch.lerp(reads[after - 1], reads[after], ((shot - shots[after - 1]) / span).clamp(0, 1))
    return shot.exp().view(-1, 1, 1, 1), read.exp().view(-1, 1, 1, 1)
