"""Pairs: the fixed pairs that a network is judged by, made when they are asked for."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import torch
from torch import Generator, Tensor

from nas.task.data.patches import as_floats, in_torch, with_margin
from nas.task.data.photo import Picture, StoredPhoto
from nas.task.data.reading import Pixels
from nas.task.degrade import Degradation

Pair = tuple[str, Tensor, Tensor]  # name, degraded (1, 3, H, W), clean (1, 3, H, W), both in [0, 1]

_VALIDATION = 1  # random stream of a seed, apart from that of training
_METHOD = 2  # of making noise; another number, and what was made before is not taken for it
_IN_MEMORY = 256 * 10**6  # bytes of pairs that a process keeps; others are made again


class Pairs(Sequence[Pair]):
    """Of every photograph (name, degraded, clean), float32 (1, 3, H, W) in [0, 1]; the same for the same arguments.

    Photos without a degraded side get noise that depends on the seed and on what they show, not on names or order.
    Its levels are the middles of as many equal parts of 0 to 1 as there are photos, in the order of a digest of each
    photo's pixels: their mean is not a matter of luck, and few photos do not stand for the two ends. A blend takes its
    kinds of noise in turns along the levels. What a degradation reads around the part that is taken is the photo's.
    Where there are fewer than `least` of them, each is there several times, at levels from weak to strong and with both
    kinds of a blend, so that no photo stands for one level; what is said of a photo is then the mean over its levels.
    Degraded photos are rounded to 8 bits as a photo's file is, and kept beside the tiles of the photographs. The
    photo's centre is taken, at most `side` pixels per side; None: the whole photo.
    """

    def __init__(
        self, photos: Sequence[Picture], degradation: Degradation, seed: int, side: int | None, least: int = 1
    ) -> None:
        self._photos, self._degradation, self._seed, self._side = tuple(photos), degradation, seed, side
        self._least = least
        clean = [place for place, photo in enumerate(self._photos) if not photo.is_pair]
        self.levels = max(1, math.ceil(least / len(clean))) if clean else 1  # of each photo without a degraded side
        self._turns = [(place, 0) for place in range(len(self._photos))]  # (photo, which time it is there)
        self._turns += [(place, turn) for turn in range(1, self.levels) for place in clean]
        self._made: dict[int, Pair] = {}
        self._room = _IN_MEMORY
        self._drawn: dict[int, tuple[int, int]] | None = None

    def __reduce__(self) -> tuple[type["Pairs"], tuple[Sequence[Picture], Degradation, int, int | None, int]]:
        # a worker makes its own
        return Pairs, (self._photos, self._degradation, self._seed, self._side, self._least)

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def photographs(self) -> int:
        """How many there are, each counted once; the first time of all of them comes before the second of any."""
        return len(self._photos)

    @property
    def says(self) -> str:
        """For after their number in a sentence: at how many levels each is degraded, where that is more than one."""
        return f", each degraded at {self.levels} levels" if self.levels > 1 else ""

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...

    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if (known := self._made.get(place)) is not None:
            return known
        with torch.inference_mode(False):  # who asks first may be judging; others may want gradients
            pair = self._pair(place)
        size = sum(image.numel() * image.element_size() for image in pair[1:])
        if size <= self._room:
            self._room -= size
            self._made[place] = pair
        return pair

    def __iter__(self) -> Iterator[Pair]:
        return (self[place] for place in range(len(self)))

    def _pair(self, place: int) -> Pair:
        which, turn = self._turns[place]
        photo = self._photos[which]
        sides = [_as_image(side) for side in photo.crop(*centre_of(photo.size, self._side))]
        if photo.is_pair:
            return photo.name, sides[1], sides[0]
        return photo.name, as_floats(self._degraded(which, turn, photo)), sides[0]

    def _degraded(self, which: int, turn: int, photo: Picture) -> Tensor:
        """uint8 (1, 3, H, W)."""
        ranks = self._ranks()
        seed, rank = ranks[which]
        above = (turn + self.levels // 2) % self.levels  # the first time is neither the weakest nor the strongest
        # There and back again, so that a photo's kinds of noise change too where the number of photos is even.
        rank = above * len(ranks) + (len(ranks) - 1 - rank if above % 2 else rank)
        level = (rank + 0.5) / (len(ranks) * self.levels)
        stream = np.random.SeedSequence(seed, spawn_key=(_VALIDATION, turn) if turn else (_VALIDATION,))
        drawn = int(stream.generate_state(1, np.uint64)[0] >> 1)
        one_kind = self._degradation.in_turn(rank)
        name = ""
        if isinstance(photo, StoredPhoto):
            said = json.dumps([_METHOD, *photo.entry.content, repr(one_kind), level, drawn, self._side])
            name = f"noise-{hashlib.blake2b(said.encode(), digest_size=16).hexdigest()}"
            if (kept := photo.tiles.array(name)) is not None:
                return torch.from_numpy(kept)
        wide = _as_image(with_margin(photo, centre_of(photo.size, self._side), one_kind.margin)[0])
        degraded = one_kind.degrade_at(wide, level, Generator().manual_seed(drawn))
        made = degraded.mul_(255).round_().to(torch.uint8)
        if isinstance(photo, StoredPhoto):
            photo.tiles.keep(name, made.numpy())
        return made

    def _ranks(self) -> dict[int, tuple[int, int]]:
        """(seed, rank of its level the first time) of each photograph without a degraded side, by its place."""
        if self._drawn is None:
            seeds = {place: _digest(photo, self._seed) for place, photo in enumerate(self._photos) if not photo.is_pair}
            ranks = {place: rank for rank, place in enumerate(sorted(seeds, key=seeds.__getitem__))}
            self._drawn = {place: (seed, ranks[place]) for place, seed in seeds.items()}
        return self._drawn


def validation_pairs(
    photos: Sequence[Picture], degradation: Degradation, seed: int, side: int | None, least: int = 1
) -> Pairs:
    """See Pairs."""
    return Pairs(photos, degradation, seed, side, least)


def judged(photos: Sequence[Picture], most: int) -> Sequence[Picture]:
    """At most `most` of the photographs, in their order: those first in the order of a digest of their names.

    Others that are added take the place of few, and of no more than their share; 0: all of them.
    """
    if not most or len(photos) <= most:
        return photos
    places = sorted(range(len(photos)), key=lambda place: hashlib.blake2b(photos[place].name.encode()).digest())
    return [photos[place] for place in sorted(places[:most])]


def _digest(photo: Picture, seed: int) -> int:
    """A number that says what `photo` shows, another one for every seed."""
    content = photo.crop(0, 0, *photo.size)[0]
    return int.from_bytes(hashlib.sha256(f"{seed} {content.shape}".encode() + content.tobytes()).digest(), "big")


def _as_image(pixels: Pixels) -> Tensor:
    return as_floats(in_torch(pixels.copy()).permute(2, 0, 1)[None])


def centre_of(size: tuple[int, int], side: int | None) -> tuple[int, int, int, int]:
    """(top, left, height, width) of at most `side` x `side` pixels around the centre."""
    height, width = size
    if side is None:
        return 0, 0, height, width
    return max(height - side, 0) // 2, max(width - side, 0) // 2, min(height, side), min(width, side)
