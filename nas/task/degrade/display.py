"""Display: what a screen's pixels leave open before a lens, and the point spread function that follows from it."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

PATTERNS = ("stripes", "pentile")
_CELL = 24  # samples per pitch
_WITHIN = 3  # points per sensor pixel and side, whose mean a pixel sees
_NANOMETRES = ((590, 605, 620, 635, 650), (510, 525, 540, 555, 570), (440, 455, 470, 485, 500))  # of red, green, blue


@dataclass(frozen=True, slots=True)
class Display:
    """A screen before a camera; raises ValueError, naming the field, for values out of their range."""

    name: str
    pattern: str  # one of PATTERNS
    opening: float  # share of the area that is open
    transmission: tuple[float, float, float]  # of light, red, green and blue, which the layers above tint
    pitch: float = 110.0  # micrometres from pixel to pixel

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"display {self.name}: pattern = {self.pattern!r}: must be one of {', '.join(PATTERNS)}")
        if not 0 < self.opening <= 1 or (self.pattern == "pentile" and self.opening > 0.5):
            raise ValueError(
                f"display {self.name}: opening = {self.opening}: must be above 0, at most 1 (pentile: 0.5)"
            )
        if not all(0 < share <= 1 for share in self.transmission):
            raise ValueError(f"display {self.name}: transmission = {self.transmission}: must lie above 0, at most 1")
        if not 1 <= self.pitch <= 1000:
            raise ValueError(f"display {self.name}: pitch = {self.pitch}: must be from 1 to 1000 micrometres")

    def cell(self) -> Tensor:
        """What one pitch of it lets through, (N, N) in [0, 1], float64; samples on a border are open in part."""
        middles = (torch.arange(_CELL, dtype=torch.float64) + 0.5) / _CELL

        def window(at: float, width: float) -> Tensor:
            distance = (middles - at + 0.5) % 1 - 0.5
            return ((width / 2 - distance.abs()) * _CELL + 0.5).clamp(0, 1)

        if self.pattern == "stripes":
            return window(0.5, self.opening).expand(_CELL, _CELL)
        width = math.sqrt(self.opening / 2)  # of two square windows, one in the middle of four of the other kind
        return sum((window(at, width)[:, None] * window(at, width) for at in (0.25, 0.75)), torch.zeros(()))


@dataclass(frozen=True, slots=True)
class Lens:
    """What is behind the display; raises ValueError, naming the field."""

    focal: float = 4.0  # millimetres
    f_number: float = 2.0
    pixel: float = 4.0  # micrometres, of the photograph as it is enhanced, which may be smaller than the sensor's

    def __post_init__(self) -> None:
        for name in ("focal", "f_number", "pixel"):
            if not 0 < getattr(self, name) < 100:
                raise ValueError(f"lens {name} = {getattr(self, name)}: must lie above 0 and below 100")


@lru_cache(maxsize=8)
def point_spread(display: Display, lens: Lens, reach: int) -> Tensor:
    """(3, K, K), K = 2 `reach` + 1, float32: where the light of a point goes, 1 in each channel; the rest is left out.

    Fraunhofer diffraction of the round pupil seen through the display (Goodman, Introduction to Fourier Optics, 4.4 and
    6.2): amplitude = Fourier transform of what is open, taken at the sensor's points for each wavelength by two matrix
    products (Soummer et al., Optics Express 2007), so that red spreads farther than blue. The wavelengths of a channel
    weigh alike.
    """
    with torch.inference_mode(False):
        pupil, places = _pupil(display, lens)
        points = (
            torch.arange((2 * reach + 1) * _WITHIN, dtype=torch.float64) - reach * _WITHIN - _WITHIN // 2
        ) / _WITHIN
        channels = []
        for wavelengths in _NANOMETRES:
            intensity = sum(
                (_amplitude(pupil, places, points * lens.pixel, wave, lens).abs().square() for wave in wavelengths),
                torch.zeros(()),
            )
            channels.append(intensity.view(2 * reach + 1, _WITHIN, 2 * reach + 1, _WITHIN).mean(dim=(1, 3)))
        found = torch.stack(channels)
        return (found / found.sum(dim=(1, 2), keepdim=True)).float()


def _pupil(display: Display, lens: Lens) -> tuple[Tensor, Tensor]:
    """What is open (N, N), and where its samples are (N,) in micrometres from the middle."""
    across = 1000 * lens.focal / lens.f_number
    half = math.ceil(across / 2 / display.pitch)
    places = (torch.arange(-half * _CELL, half * _CELL, dtype=torch.float64) + 0.5) * display.pitch / _CELL
    from_middle = (places[:, None].square() + places.square()).sqrt()
    round_edge = ((across / 2 - from_middle) / (display.pitch / _CELL) + 0.5).clamp(0, 1)
    return display.cell().repeat(2 * half, 2 * half) * round_edge, places


def _amplitude(pupil: Tensor, places: Tensor, points: Tensor, wavelength: float, lens: Lens) -> Tensor:
    """(K, K) at `points` (K,) micrometres from the middle of the sensor, both ways."""
    angle = 2 * math.pi / (wavelength * 1e-3) / (lens.focal * 1e3) * points[:, None] * places
    wave = torch.polar(torch.ones_like(angle), -angle)
    return wave @ pupil.to(wave.dtype) @ wave.T


PENTILE = Display("two windows a pixel, as an OLED of a phone has", "pentile", 0.23, (0.13, 0.11, 0.08))
