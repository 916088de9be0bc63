"""Patches: what a training step sees: random crops of photographs, turned, and degraded where they are clean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from nas.task.data.photo import Picture
from nas.task.data.reading import Pixels
from nas.task.degrade import Degradation
from nas.task.degrade.convolve import inside
from nas.task.degrade.turns import EVERY_TURN, Turn, turned

_TRAINING = 0  # random stream of a seed


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many patches a batch has, and of what kind; raises ValueError for what cannot be."""

    patch: int  # pixels per side
    batch: int  # patches
    synthetic: float = 0.0  # share of the patches of pairs whose clean side is degraded instead

    def __post_init__(self) -> None:
        if self.patch < 1 or self.batch < 1:
            raise ValueError(f"patch = {self.patch}, batch = {self.batch}: both must be at least 1")
        if not 0 <= self.synthetic <= 1:
            raise ValueError(f"synthetic = {self.synthetic}: must be a share of the patches, from 0 to 1")


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance decides about the patches of one step."""

    photos: NDArray[np.int64]  # (B,) their numbers
    corners: NDArray[np.int64]  # (B, 2) top left, in pixels
    turns: NDArray[np.int64]  # (B,) numbers of turns
    seed: int  # of the noise
    synthetic: int  # so many of the patches of pairs are degraded: the first, which are as much by chance as any


class PatchSampler:
    """Random patches of training photos: crops, flips and rotations by 90 degrees, degraded on the fly.

    Pixels are read when a batch is made.

    Photos are drawn in proportion to their area. The batch of a step depends on the seed and the step alone (and on
    the kind of device, which draws the noise), so a resumed training sees what an unbroken one would have seen.
    Photos that have a degraded side are degraded by `degradation` in the synthetic share of the patches only: so many
    of a batch, where that is no whole number by chance one more; and they are turned in those ways alone after which
    they still look degraded so. What a degradation reads around a patch is cut with it. Raises ValueError when there
    are no photos, when some have a degraded side and others do not, when a photo is smaller than the patch, for a
    negative seed, and for a share of synthetic patches of photos that have no other.
    """

    def __init__(
        self,
        photos: Sequence[Picture],
        sampling: Sampling,
        degradation: Degradation,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        patch, synthetic = sampling.patch, sampling.synthetic
        if not photos:
            raise ValueError("a patch sampler needs at least one photo, got none")
        if seed < 0:
            raise ValueError(f"seed = {seed}: must be at least 0")
        for photo in photos:
            if min(photo.size) < patch:
                raise ValueError(
                    f"photo {photo.name} is smaller than the patch of {patch}x{patch}: choose a smaller one"
                )
        paired = [photo.is_pair for photo in photos]
        if any(paired) != all(paired):
            raise ValueError("either all photos or none must have a degraded side: train on one kind")
        if synthetic and not all(paired):
            raise ValueError(
                f"synthetic = {synthetic}: these photos are all degraded synthetically; leave it out, or bring pairs"
            )
        self._photos = photos
        self._sizes = np.array([photo.size for photo in photos])
        areas = self._sizes.prod(axis=1).astype(np.float64)
        self._shares = areas / areas.sum()
        self._degradation, self._patch, self._batch_size, self._seed = degradation, patch, sampling.batch, seed
        self._margin = 0 if all(paired) and not synthetic else degradation.margin
        self._turns = degradation.turns if all(paired) else EVERY_TURN
        self._device, self._synthetic = torch.device(device), synthetic

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(degraded, clean) of a step >= 0: float32 (B, 3, patch, patch) in [0, 1], channels last."""
        draw = self.draw(step)
        crops = [
            self._crop(self._photos[photo], corner, self._turns[turn])
            for photo, corner, turn in zip(
                draw.photos.tolist(), draw.corners.tolist(), draw.turns.tolist(), strict=True
            )
        ]
        wide, *degraded = (as_floats(_stacked(side).to(self._device)) for side in zip(*crops, strict=True))
        clean, *degraded = (
            inside(side, self._margin).contiguous(memory_format=torch.channels_last) for side in (wide, *degraded)
        )
        generator = Generator(self._device).manual_seed(draw.seed)
        if not degraded:
            return self._degradation.degrade(wide, generator), clean
        if draw.synthetic:
            degraded[0][: draw.synthetic] = self._degradation.degrade(wide[: draw.synthetic], generator)
        return degraded[0], clean

    def draw(self, step: int) -> Draw:
        """Which patches a step >= 0 sees."""
        random = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(_TRAINING, step)))
        photos = random.choice(len(self._photos), self._batch_size, p=self._shares)
        shares = random.random((self._batch_size, 2))  # of the range of the top left corner
        quarters, flipped = random.integers((4, 2), size=(self._batch_size, 2)).T
        corners = (shares * (self._sizes[photos] - self._patch + 1)).astype(np.int64)
        seed = int(random.integers(2**63))
        synthetic = math.floor(self._synthetic * self._batch_size + random.random())
        return Draw(photos, corners, (2 * quarters + flipped) % len(self._turns), seed, synthetic)

    def _crop(self, photo: Picture, corner: Sequence[int], turn: Turn) -> list[Pixels]:
        """A patch of each side with its margin, turned alike; `corner`: its top left one."""
        top, left = corner
        patch = self._patch
        return [turned(crop, turn) for crop in with_margin(photo, (top, left, patch, patch), self._margin)]


def with_margin(photo: Picture, place: tuple[int, int, int, int], margin: int) -> list[Pixels]:
    """(height + 2 margin, width + 2 margin, 3) of each side of `photo`, around `place` (top, left, height, width).

    What lies outside the photograph is its reflection.
    """
    ends, pads = [], []
    for start, length, side in zip(place[:2], place[2:], photo.size, strict=True):
        first, last = max(start - margin, 0), min(start + length + margin, side)
        ends.append((first, last - first))
        pads.append((first - (start - margin), start + length + margin - last))
    (top, height), (left, width) = ends
    crops = photo.crop(top, left, height, width)
    if not any(pad for both in pads for pad in both):
        return crops
    return [np.pad(crop, (*pads, (0, 0)), mode="reflect") for crop in crops]


def as_floats(pixels: Tensor) -> Tensor:
    """uint8 or int32 of 16 bits, (B, 3, H, W), as float32 in [0, 1], channels last."""
    white = 255 if pixels.dtype == torch.uint8 else 65535
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(white)


def in_torch(pixels: Pixels) -> Tensor:
    """uint8, or int32 for the 16 bits for which torch has little arithmetic."""
    return torch.from_numpy(pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32))


def _stacked(crops: Sequence[Pixels]) -> Tensor:
    """Crops (P, P, 3) as (B, 3, P, P), channels last; among some of 16 bits those of 8 are scaled, exactly."""
    if any(crop.dtype != np.uint8 for crop in crops):
        crops = [crop * np.uint16(257) if crop.dtype == np.uint8 else crop for crop in crops]
    return in_torch(np.stack(crops)).permute(0, 3, 1, 2)
