"""Rule: how an application cuts a picture into tiles for a file, as the file itself says it."""

import json
from dataclasses import asdict, dataclass

from search_spaces.own import AnyBlueprint
from search_spaces.receptive import receptive_radius
from search_spaces.sides import STRIDE, padded_side

HOW = (
    "Cut tiles of the size that the file takes, or of any multiples of stride; each begins at a multiple of stride. "
    "Outside the picture stands its reflection, the edge not repeated. Of each tile keep what is at least halo pixels "
    "from its border: neighbours overlap by twice the halo."
)


@dataclass(frozen=True, slots=True)
class TileRule:
    """What the tiles of a network are cut by, in pixels; raises ValueError for what none can be cut by."""

    radius: int  # how far a block of stride x stride output pixels sees beyond itself
    halo: int  # what of a tile is thrown away on every side: the radius, up to a multiple of the stride
    stride: int  # tiles begin and end at multiples of it

    def __post_init__(self) -> None:
        if self.stride < 1 or STRIDE % self.stride:
            raise ValueError(f"stride = {self.stride}: tiles are cut at multiples of {STRIDE}, which it must divide")
        if self.radius < 0 or self.halo != padded_side(self.radius, self.stride):
            raise ValueError(
                f"halo = {self.halo}: must be radius = {self.radius}, at least 0, up to a multiple of stride = "
                f"{self.stride}"
            )


def rule_of(blueprint: AnyBlueprint) -> TileRule:
    """The rule of a network, from what it can see."""
    radius = receptive_radius(blueprint)
    return TileRule(radius, padded_side(radius), STRIDE)


def rule_text(rule: TileRule) -> str:
    """What a file keeps: one JSON object, with the rule in words for whoever finds it."""
    return json.dumps(asdict(rule) | {"outside": "reflect", "how": HOW})


def rule_from_text(text: str | None) -> TileRule | None:
    """What a file says; None where it says nothing. Raises ValueError for what is no rule."""
    if not text:
        return None
    try:
        said = json.loads(text)
        found = {name: int(said[name]) for name in ("radius", "halo", "stride")}
        outside = said.get("outside")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"its rule of tiles cannot be read: {text[:200]!r}") from error
    if outside != "reflect":
        raise ValueError(f"its rule of tiles has outside = {outside!r}: must be 'reflect'")
    return TileRule(**found)
