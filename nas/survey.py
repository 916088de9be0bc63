"""Survey: what a folder of photographs is to lpienas, said before anything is decoded, and what its pixels show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.task.data.alignment import LOOKED_AT, Alignment, looked_at, suspicious
from nas.task.data.listing import Where, list_photographs, on_two_sides
from nas.task.data.manifest import Photographs, listed
from nas.task.data.photos import Photos, decoded_bytes, photos_of
from nas.task.data.splits import PARTS
from nas.task.data.tiles import Tiles
from results.progress import Watcher


@dataclass(frozen=True, slots=True)
class Survey:
    """What `lpienas data` says."""

    where: Where
    photographs: Photographs
    left_out: tuple[str, ...]  # files that cannot be used, with the reason
    alignments: tuple[Alignment, ...]  # of some of the pairs; empty where they were not looked at
    cache: str  # about the cache of decoded tiles

    @property
    def clean(self) -> bool:
        """Whether the photographs have no degraded side."""
        return all(entry.degraded is None for entry in self.photographs.entries)

    def to_json(self) -> dict[str, Any]:
        entries = self.photographs.entries
        return {
            "folder": str(self.where.data),
            "layout": self.photographs.says,
            "photographs": len(entries),
            "pairs": sum(entry.degraded is not None for entry in entries),
            "scenes": len({entry.scene for entry in entries}),
            "parts": {part: [entry.name for entry in self.photographs.part(part)] for part in PARTS},
            "bits": dict(Counter(str(side.bits) for entry in entries for side in entry.sides)),
            "decoded_bytes": decoded_bytes(self.photographs),
            "fingerprint": self.photographs.fingerprint,
            "left_out": list(self.left_out),
            "alignment": [one.to_json() for one in self.alignments],
            "warnings": warnings_on(self.photographs, self.alignments),
        }

    def lines(self) -> list[str]:
        """For a terminal: what names and headers say."""
        entries = self.photographs.entries
        layout, _, how = self.photographs.says.partition("; ")
        sizes = sorted((entry.height * entry.width, f"{entry.height}x{entry.width}") for entry in entries)
        bits = Counter(side.bits for entry in entries for side in entry.sides)
        lines = [
            f"layout: {layout}",
            how,
            "; ".join(f"{part}: {listed([e.name for e in self.photographs.part(part)], 3)}" for part in PARTS),
            f"sizes: {sizes[0][1]} to {sizes[-1][1]} (height x width); "
            + ", ".join(f"{count} pictures of {of} bits" for of, count in sorted(bits.items())),
            self.cache,
        ]
        first = entries[0]
        if first.degraded is not None:
            lines.append(f"for example {first.name}: degraded {first.degraded.file}, clean {first.clean.file}")
        return lines + [f"left out: {problem}" for problem in self.left_out]

    def findings(self) -> list[str]:
        """For a terminal: what the pairs that were looked at say, and what is wrong."""
        lines = []
        if self.alignments:
            psnrs = sorted(one.psnr for one in self.alignments)
            lines.append(
                f"{len(psnrs)} pairs looked at: PSNR {psnrs[0]:.1f} to {psnrs[-1]:.1f} dB, "
                f"{psnrs[len(psnrs) // 2]:.1f} in the middle"
            )
        return lines + [f"warning: {warning}" for warning in warnings_on(self.photographs, self.alignments)]

    def looked_at(self, tiles: Tiles, watcher: Watcher, most: int = LOOKED_AT) -> "Survey":
        """With what at most so many of the pairs show, which are decoded."""
        photos = photos_of(self.photographs, self.where, tiles)
        return replace(self, alignments=look_at_pairs(photos, watcher, most))


def survey(where: Where, tiles: Tiles) -> Survey:
    """Of the folders `where`; nothing is decoded. Raises DataError as listing does."""
    found = list_photographs(where, tiles.folder)
    cache = tiles.describe(decoded_bytes(found.photographs))
    return Survey(where, found.photographs, found.left_out, (), cache)


def look_at_pairs(photos: Photos, watcher: Watcher, most: int = LOOKED_AT) -> tuple[Alignment, ...]:
    """What at most so many pairs show, evenly along all parts; none of clean photographs."""
    pairs = [photo for part in (photos.training, photos.validation, photos.test) for photo in part if photo.is_pair]
    if pairs and most:
        watcher.begin("look at pairs", min(most, len(pairs)))
    found = []
    for one in looked_at(pairs, most):
        found.append(one)
        watcher.at(len(found))
    return tuple(found)


def warnings_on(photographs: Photographs, alignments: Sequence[Alignment]) -> list[str]:
    """Pairs whose sides do not belong together, and photographs that are on two sides of the split."""
    found = suspicious(alignments)
    twice = on_two_sides(photographs)
    if twice:
        found.append(
            "the same clean side, byte for byte, is in two parts, which makes scores too good: "
            + listed([" = ".join(pair) for pair in twice])
        )
    return found
