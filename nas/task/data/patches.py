"""Patches: what a training step sees, and the fixed pairs that a network is judged by."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from nas.task.data.photos import Photo
from nas.task.degrade import Noise

_TRAINING, _VALIDATION = 0, 1  # random streams of one seed


class PatchSampler:
    """Random patches of training photos: crops, flips and rotations by 90 degrees, degraded on the fly.

    Photos are drawn in proportion to their area. The batch of a step depends on the seed and the step alone (and on
    the kind of device, which draws the noise), so a resumed training sees what an unbroken one would have seen.
    Photos that have a degraded side are degraded by `noise` in a share `synthetic` of the patches only: so many of a
    batch, where that is no whole number by chance one more. Raises ValueError when there are no photos, when some have
    a degraded side and others do not, when a photo is smaller than `patch`, for numbers below 1, and for a share of
    synthetic noise outside [0, 1] or of photos that have no other.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        patch: int,  # pixels per side
        batch_size: int,  # patches
        noise: Noise,
        seed: int,
        device: torch.device | str = "cpu",
        synthetic: float = 0.0,  # share of the patches of pairs whose clean side is degraded instead
    ) -> None:
        if not photos:
            raise ValueError("a patch sampler needs at least one photo, got none")
        if patch < 1 or batch_size < 1 or seed < 0:
            raise ValueError(
                f"patch = {patch}, batch_size = {batch_size}, seed = {seed}: the first two must be at least 1, the "
                "seed at least 0"
            )
        for photo in photos:
            if min(photo.clean.shape[-2:]) < patch:
                raise ValueError(
                    f"photo {photo.name} is smaller than the patch of {patch}x{patch}: choose a smaller one"
                )
        paired = [photo.degraded is not None for photo in photos]
        if any(paired) != all(paired):
            raise ValueError("either all photos or none must have a degraded side: train on one kind")
        if not 0 <= synthetic <= 1:
            raise ValueError(f"synthetic = {synthetic}: must be a share of the patches, from 0 to 1")
        if synthetic and not all(paired):
            raise ValueError(
                f"synthetic = {synthetic}: these photos are all degraded synthetically; leave it out, or bring pairs"
            )
        # Views (H, W, 3) of the clean side and, in pairs, the degraded one: a crop is channels last already.
        self._photos = [
            [side.permute(1, 2, 0) for side in (photo.clean, photo.degraded) if side is not None] for photo in photos
        ]
        areas = np.array([photo.clean.shape[-2] * photo.clean.shape[-1] for photo in photos], dtype=np.float64)
        self._shares = areas / areas.sum()
        self._noise, self._patch, self._batch_size, self._seed = noise, patch, batch_size, seed
        self._device, self._synthetic = torch.device(device), synthetic

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(degraded, clean) of a step >= 0: float32 (B, 3, patch, patch) in [0, 1], channels last."""
        stream = np.random.SeedSequence(self._seed, spawn_key=(_TRAINING, step))
        random = np.random.default_rng(stream)
        chosen = random.choice(len(self._photos), self._batch_size, p=self._shares)
        places = random.random((self._batch_size, 2))  # of the top left corner, as shares of its range
        turns = random.integers((4, 2), size=(self._batch_size, 2))  # quarter turns, flip or not
        patch = self._patch
        pixels = torch.empty((len(self._photos[0]), self._batch_size, patch, patch, 3), dtype=torch.uint8)
        for index, (photo, place, (quarters, flipped)) in enumerate(
            zip(chosen.tolist(), places.tolist(), turns.tolist(), strict=True)
        ):
            sides = self._photos[photo]
            top, left = (int(share * (side - patch + 1)) for share, side in zip(place, sides[0].shape[:2], strict=True))
            for image, target in zip(sides, pixels, strict=True):
                crop = torch.rot90(image[top : top + patch, left : left + patch], quarters)
                target[index] = crop.flip(0) if flipped else crop
        clean, *degraded = (_as_floats(side.to(self._device).permute(0, 3, 1, 2)) for side in pixels)
        if degraded and not self._synthetic:
            return degraded[0], clean
        generator = Generator(self._device).manual_seed(int(random.integers(2**63)))
        if not degraded:
            return self._noise.degrade(clean, generator), clean
        count = math.floor(self._synthetic * self._batch_size + random.random())  # the patches are in random order
        degraded[0][:count] = self._noise.degrade(clean[:count], generator)
        return degraded[0], clean


def validation_pairs(
    photos: Sequence[Photo], noise: Noise, seed: int, side: int | None
) -> list[tuple[str, Tensor, Tensor]]:
    """(name, degraded, clean) of every photo, float32 (1, 3, H, W) in [0, 1]; the same for the same arguments.

    Photos without a degraded side get noise that depends on the seed and on what they show, not on names or order.
    Its levels are spread evenly from 0 to 1 over the photos, so that the mean is not a matter of luck, in the order of
    a digest of each photo's pixels; a blend takes its kinds of noise in turns along the levels. Degraded photos are
    rounded to 8 bits as a photo's file is. The photo's centre is taken, at most `side` pixels per side; None: the
    whole photo.
    """
    seeds = {index: _digest(photo, seed) for index, photo in enumerate(photos) if photo.degraded is None}
    ranks = {index: rank for rank, index in enumerate(sorted(seeds, key=seeds.__getitem__))}
    pairs = []
    for index, photo in enumerate(photos):
        clean = _as_floats(_centre(photo.clean, side)[None])
        if photo.degraded is not None:
            pairs.append((photo.name, _as_floats(_centre(photo.degraded, side)[None]), clean))
            continue
        stream = np.random.SeedSequence(seeds[index], spawn_key=(_VALIDATION,))
        generator = Generator().manual_seed(int(stream.generate_state(1, np.uint64)[0] >> 1))
        level = ranks[index] / (len(ranks) - 1) if len(ranks) > 1 else 0.5
        noisy = noise.in_turn(ranks[index]).degrade_at(clean, level, generator)
        pairs.append((photo.name, noisy.mul_(255).round_().div_(255), clean))
    return pairs


def _digest(photo: Photo, seed: int) -> int:
    """A number that says what `photo` shows, another one for every seed."""
    content = photo.clean.permute(1, 2, 0).contiguous().numpy()
    return int.from_bytes(hashlib.sha256(f"{seed} {content.shape}".encode() + content.tobytes()).digest(), "big")


def _as_floats(pixels: Tensor) -> Tensor:
    """uint8 (B, 3, H, W) as float32 in [0, 1], channels last."""
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def _centre(image: Tensor, side: int | None) -> Tensor:
    height, width = image.shape[-2:]
    if side is None:
        return image
    top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
    return image[..., top : top + side, left : left + side]
