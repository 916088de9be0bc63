"""On card: training patches of many steps at once, cut and degraded in the memory of a card.

A step of a small network takes a card two milliseconds, and the processor longer to cut and degrade its patches: so
those of a block of steps are made together, from photographs in the card's memory, on a stream of their own.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from nas.task.data.patches import Draw, PatchSampler, as_floats
from nas.task.data.photo import Picture
from nas.task.degrade.convolve import inside
from nas.task.degrade.turns import Turn, turned
from nas.task.graphs import STEPS

_PIXELS = 2**23  # of a block at most, margins included: temporaries of 100 MB
_SHARE = 8  # photographs take at most one part in so many of a card's memory


class Held:
    """Photographs of 8 bits in the memory of a device, to cut patches from."""

    def __init__(self, photos: Sequence[Picture], device: torch.device) -> None:
        """Raises ValueError for photographs of 16 bits."""
        sides = [photo.crop(0, 0, *photo.size) for photo in photos]
        if any(side.dtype != np.uint8 for photo in sides for side in photo):
            raise ValueError("a device holds photographs of 8 bits alone")
        self._pixels = [  # of each side, all photographs behind one another
            torch.from_numpy(np.concatenate([one.reshape(-1) for one in side])).to(device)
            for side in zip(*sides, strict=True)
        ]
        sizes = torch.tensor([photo.size for photo in photos])
        counts = 3 * sizes.prod(dim=1)
        self._sizes, self._begin = sizes.to(device), (counts.cumsum(0) - counts).to(device)

    def cut(self, draws: Sequence[Draw], ways: Sequence[Turn], patch: int, margin: int) -> list[Tensor]:
        """uint8 (N, 3, S, S) of each side, S = patch + 2 margin, of patch 0 of all draws, then patch 1 of all ...

        What lies outside of a photograph is its reflection.
        """
        side, device = patch + 2 * margin, self._sizes.device
        photos, corners, turns = (
            torch.from_numpy(np.stack([getattr(draw, name) for draw in draws], axis=1)).flatten(0, 1).to(device)
            for name in ("photos", "corners", "turns")
        )
        places = torch.from_numpy(_orders(side, ways)).to(device)[turns]  # (N, S * S): from where a pixel comes
        sizes = self._sizes[photos]
        rows = _reflected(places // side + corners[:, :1] - margin, sizes[:, :1])
        columns = _reflected(places % side + corners[:, 1:] - margin, sizes[:, 1:])
        first = self._begin[photos][:, None] + 3 * (rows * sizes[:, 1:] + columns)
        where = first[..., None] + torch.arange(3, device=device)
        return [pixels[where].view(-1, side, side, 3).permute(0, 3, 1, 2) for pixels in self._pixels]


class BlockSampler(PatchSampler):
    """PatchSampler's patches, a block of steps made at a time from photographs that `held` holds; with other noise.

    The batch of a step depends on the seed and the step alone here too: blocks begin at multiples of their length.
    """

    def __init__(self, sampler: PatchSampler, held: Held) -> None:
        self.__dict__.update(sampler.__dict__)
        self._held = held
        self._block = max(1, min(STEPS, _PIXELS // (self._batch_size * (self._patch + 2 * self._margin) ** 2)))
        self._made: dict[int, tuple[Tensor, Tensor]] = {}
        self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        number, place = divmod(step, self._block)
        if number not in self._made:
            self._made = {number: self._make(number)}
        degraded, clean = self._made[number]
        if place == self._block - 1:
            self._made = {number: self._made[number], number + 1: self._make(number + 1)}  # while the card trains
        return degraded[:, place], clean[:, place]

    def _make(self, number: int) -> tuple[Tensor, Tensor]:
        """(degraded, clean) of a block, (B, steps, 3, patch, patch)."""
        if self._stream is None:
            return self._degraded(number)
        now = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            made = self._degraded(number)
        now.wait_stream(self._stream)
        for images in made:
            images.record_stream(now)
        return made

    def _degraded(self, number: int) -> tuple[Tensor, Tensor]:
        draws = [self.draw(step) for step in range(number * self._block, (number + 1) * self._block)]
        wide, *degraded = map(as_floats, self._held.cut(draws, self._turns, self._patch, self._margin))
        clean, *degraded = (inside(side, self._margin) for side in (wide, *degraded))
        generator = Generator(self._device).manual_seed(draws[0].seed)
        if not degraded:
            degraded = [self._degradation.degrade(wide, generator)]
        elif self._synthetic:
            first = torch.arange(self._batch_size)[:, None] < torch.tensor([draw.synthetic for draw in draws])
            chosen = first.flatten().nonzero()[:, 0].to(self._device)
            if len(chosen):
                degraded[0] = degraded[0].index_copy(0, chosen, self._degradation.degrade(wide[chosen], generator))
        shape = (self._batch_size, self._block, *clean.shape[1:])
        return degraded[0].reshape(shape), clean.reshape(shape)


def in_blocks(sampler: PatchSampler, photos: Sequence[Picture], device: torch.device) -> PatchSampler:
    """`sampler` with its patches made in blocks, where `device` is a card that holds the photographs."""
    if device.type != "cuda":
        return sampler
    pixels = sum(photo.size[0] * photo.size[1] * (2 if photo.is_pair else 1) for photo in photos)
    if 3 * pixels > torch.cuda.get_device_properties(device).total_memory // _SHARE:
        return sampler
    held = _held(tuple(photos), device)
    return sampler if held is None else BlockSampler(sampler, held)


@lru_cache(maxsize=1)  # one copy for all trainings of a process
def _held(photos: tuple[Picture, ...], device: torch.device) -> Held | None:
    try:
        return Held(photos, device)
    except ValueError:
        return None


def _orders(side: int, ways: Sequence[Turn]) -> NDArray[np.int64]:
    """(turns, side * side): from which pixel of a patch each one comes, for every turn."""
    numbers = np.arange(side * side).reshape(side, side, 1)
    return np.stack([turned(numbers, turn).reshape(-1) for turn in ways])


def _reflected(place: Tensor, length: Tensor) -> Tensor:
    """`place` within 0 to length - 1, reflected at both ends."""
    last = length - 1
    return last - (last - place.abs()).abs()
