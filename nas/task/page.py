"""Page: photographs beside what a degradation makes of them, to look at."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from nas.task.data.pairs import centre_of
from nas.task.data.patches import as_floats, in_torch, with_margin
from nas.task.data.photo import Picture
from nas.task.degrade import Degradation

LEVELS = (0.2, 0.5, 0.9)
_GAP = 4  # pixels of white between pictures


def page(photos: Sequence[Picture], degradation: Degradation, seed: int, side: int) -> Tensor:
    """(3, H, W) in [0, 1]: a row for each photograph, its centre of `side` pixels as it is and at three LEVELS.

    Raises ValueError where there are no photographs, or one is smaller.
    """
    small = [photo.name for photo in photos if min(photo.size) < side]
    if not photos or small:
        raise ValueError(f"side = {side}: a page needs photographs of at least so many pixels; smaller: {small}")
    rows = []
    for number, photo in enumerate(photos):
        cells: list[Tensor] = []
        for place, level in enumerate(LEVELS):
            one_kind = degradation.in_turn(number)
            crop = with_margin(photo, centre_of(photo.size, side), one_kind.margin)[0]
            wide = as_floats(in_torch(crop.copy()).permute(2, 0, 1)[None])
            if not cells:
                margin = one_kind.margin
                cells.append(wide[0, :, margin : margin + side, margin : margin + side])
            drawn = Generator().manual_seed(seed + len(LEVELS) * number + place)
            cells.append(one_kind.degrade_at(wide, level, drawn)[0])
        rows.append(torch.cat([_framed(cell) for cell in cells], dim=2))
    return torch.cat(rows, dim=1)[:, :-_GAP, :-_GAP]


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image, (0, _GAP, 0, _GAP), value=1.0)
