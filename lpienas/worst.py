"""Worst: the photographs on which a network gains least, as pictures: given, by every method, and clean."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpienas.comparing import Compared


def worst_places(compared: "Compared", most: int) -> list[int]:
    """Which photographs: those on which the first network's SSIM gains least over what it was given, worst first."""
    gains = [made.ssim - given.ssim for made, given in zip(compared.rows[0].photos, compared.given.photos, strict=True)]
    return sorted(range(len(gains)), key=lambda place: gains[place])[:most]


def worst_files(compared: "Compared", folder: Path, most: int) -> dict[int, Path]:
    """Where the picture of each of those photographs goes."""
    plain = {
        place: "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in photo.name)
        for place, photo in enumerate(compared.rows[0].photos)
    }
    return {place: folder / f"{rank}-{plain[place]}.png" for rank, place in enumerate(worst_places(compared, most), 1)}


def draw(compared: "Compared", place: int, file: Path) -> None:
    """One photograph as it was given, as every method leaves it, and clean, side by side, with figures above.

    One that is judged at several levels is shown at the middle one, under the mean figures of all.
    """
    from nas.task.judging import restored
    from nas.task.panels import captioned, picture_of, side_by_side
    from results.files import written_whole

    name, degraded, clean = compared.judged_on.pairs[place]
    panels = [(f"{name}, as it is", degraded, compared.given.photos[place])]
    for one, row in zip(compared.entrants, compared.rows, strict=True):
        if row.kind != "input":
            panels.append((Path(one.name).name, restored(one.method, degraded, clean)[0], row.photos[place]))
    of = f", mean of {levels} levels" if (levels := compared.judged_on.pairs.levels) > 1 else ""
    pictures = [
        captioned(picture_of(image), title, f"SSIM {on.ssim:.4f}, {on.psnr:.2f} dB{of}") for title, image, on in panels
    ]
    with written_whole(file) as temporary:
        side_by_side([*pictures, captioned(picture_of(clean), "clean", "")]).save(temporary)
