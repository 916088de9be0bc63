"""Quoted: what others wrote of their networks, which may stand beside what is measured on the very same set only."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("quoted.json")


@dataclass(frozen=True, slots=True)
class Quoted:
    """One network's figures, not measured here."""

    name: str
    ssim: float
    psnr: float  # dB
    macs: float | None  # at 256x256
    source: str
    evaluator: str

    def to_json(self) -> dict[str, Any]:
        """Marked as what it is."""
        return asdict(self) | {"quoted": True}


@dataclass(frozen=True, slots=True)
class Set:
    """A public set of photographs, by what can be told of it without having it."""

    name: str
    says: str
    photographs: int
    size: tuple[int, int]  # height, width in pixels
    figures: tuple[Quoted, ...]


@cache
def known_sets() -> tuple[Set, ...]:
    """All sets of which figures are kept."""
    return tuple(
        Set(name, one["says"], one["photographs"], tuple(one["size"]), tuple(Quoted(**each) for each in one["figures"]))
        for name, one in json.loads(_FILE.read_text()).items()
    )


def quoted_for(name: str, sizes: Sequence[tuple[int, int]]) -> tuple[Quoted, ...]:
    """The figures quoted for the set `name`, where photographs of these sizes (height, width) were judged.

    Raises ValueError for a set that is not known, and where what was judged is not all of it, whole.
    """
    found = next((one for one in known_sets() if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in known_sets())
        raise ValueError(f"no figures are quoted for {name!r}: there are some for {known}")
    if len(sizes) != found.photographs or set(sizes) != {found.size}:
        height, width = found.size
        seen = ", ".join(f"{h}x{w}" for h, w in sorted(set(sizes))[:3])
        raise ValueError(
            f"figures for {name} are of {found.says}, {found.photographs} whole photographs of {height}x{width}; "
            f"judged were {len(sizes)} of {seen}: leave out --quoted, or judge that set, with --whole"
        )
    return found.figures
