"""About: what an exported file says of itself, in fields of text that every format has room for."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from compress.runtime.rule import rule_of, rule_text
from search_spaces.own import AnyBlueprint

KEY = "lpienas.about"  # of these fields as one JSON object, in the metadata of a file
BLUEPRINT_KEY = "lpienas.blueprint"  # of the network, likewise
TILES_KEY = "lpienas.tiles"  # of how tiles are cut for it (rule.py), likewise
# Of an ExecuTorch file, which has methods in place of metadata: they return the bytes of each, (n,) uint8.
METHODS = {KEY: "about", BLUEPRINT_KEY: "blueprint", TILES_KEY: "tiles"}
UNITS_KEY = "lpienas.compute_units"  # of a Core ML file: what to run it on
COREML_UNITS = "CPU_AND_GPU"  # until a device was checked: Apple's neural engine may compute otherwise
NO_LICENCE = "not stated: ask whoever gave you this file"

LAYOUTS = {"NCHW": "(1, 3, height, width)", "NHWC": "(1, height, width, 3)"}


@dataclass(frozen=True, slots=True)
class About:
    """What the numbers mean that go in and come out, and what network it is. The file's own SSIM cannot be in it."""

    network: str  # what it does, and its size and cost
    input: str
    output: str
    precision: str
    quality: str  # of the network before it was written to a file
    training: str  # photographs and degradation
    licence: str
    made_by: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def text(self) -> str:
        """One line a field, for formats that show a description."""
        return "\n".join(f"{name}: {value}" for name, value in self.to_json().items())


def texts_of(blueprint: AnyBlueprint, about: About | None) -> dict[str, str]:
    """All that a file of the network keeps, by key."""
    return {
        BLUEPRINT_KEY: json.dumps(blueprint.to_json()),
        KEY: to_text(about),
        TILES_KEY: rule_text(rule_of(blueprint)),
    }


def input_text(layout: str, io: str = "float") -> str:
    """What a file takes; `layout` is a key of LAYOUTS, `io` float, uint8 or int8."""
    shape = LAYOUTS[layout]
    if io == "float":
        return f"image: RGB photograph, float32 {shape} in [0, 1] (8-bit sRGB values divided by 255), {layout}"
    return f"image: RGB photograph, {io} {shape}, {_LEVELS[io]}, {layout}"


def output_text(layout: str, io: str = "float") -> str:
    """What a file gives."""
    if io == "float":
        return f"enhanced: as the input, {layout}; values may lie a little outside [0, 1], so clip them"
    return f"enhanced: as the input, {layout}, clipped already"


_LEVELS = {"uint8": "8-bit sRGB values", "int8": "8-bit sRGB values less 128"}


def to_text(about: About | None) -> str:
    """What a file keeps under KEY."""
    return json.dumps({} if about is None else about.to_json())


def from_text(text: str | None) -> Mapping[str, str]:
    """The fields that a file keeps under KEY; none in a file made elsewhere, or before there were any."""
    found: dict[str, str] = json.loads(text) if text else {}
    return found
