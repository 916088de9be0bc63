"""Profile: how a camera's noise depends on its gain, and what the camera then makes of it, as data."""

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

Range = tuple[float, float]  # low, high; drawn uniformly between for every image


@dataclass(frozen=True, slots=True)
class NoiseProfile:
    """A camera's noise from the lowest gain to the highest, in linear light before white balance.

    Variance is shot * signal + read^2 of a signal in [0, 1]. Raises ValueError, naming the field, for values out of
    their range.
    """

    name: str
    source: str  # where the figures come from
    shot: tuple[float, ...]  # variance per unit of signal, rising, a figure for each gain that was measured
    read: tuple[float, ...]  # standard deviation at the same gains; between them, both logarithms go straight
    scatter: float = 0.0  # standard deviation of the logarithm of the read noise's variance about `read`
    red: Range = (1.9, 2.4)  # white balance; green has 1. These and the next are of Brooks et al.
    blue: Range = (1.5, 1.9)
    gain: Range = (1.1, 1.4)  # of all three channels, after the sensor
    tone: Range = (0.0, 1.0)  # strength of the tone curve, 0 none, 1 that of Brooks et al.
    correlation: Range = (0.0, 1.0)  # pixels, sigma of the blur that is in the noise when the photograph is finished
    chroma_width: Range = (1.0, 2.5)  # the blur of colour, against that of brightness
    chroma: Range = (0.3, 1.0)  # standard deviation of colour, against that of channels that know nothing of each other

    def __post_init__(self) -> None:
        if not self.shot or len(self.shot) != len(self.read):
            raise ValueError(
                f"noise profile {self.name}: shot has {len(self.shot)} figures and read {len(self.read)}; give as "
                "many of both, at least one"
            )
        for name, values in (("shot", self.shot), ("read", self.read)):
            if not all(0 < value <= 1 for value in values):
                raise ValueError(f"noise profile {self.name}: {name} = {list(values)}: must lie above 0, at most 1")
        if list(self.shot) != sorted(self.shot):
            raise ValueError(f"noise profile {self.name}: shot = {list(self.shot)}: must rise with the gain")
        if not 0 <= self.scatter <= 2:
            raise ValueError(f"noise profile {self.name}: scatter = {self.scatter}: must be from 0 to 2")
        for name, (least, most) in _LIMITS.items():
            ends = getattr(self, name)
            if len(ends) != 2 or not least <= ends[0] <= ends[1] <= most:
                raise ValueError(
                    f"noise profile {self.name}: {name} = {ends}: must be (low, high) with "
                    f"{least} <= low <= high <= {most}"
                )

    def at(self, level: float) -> tuple[float, float]:
        """(shot, read) at a level in [0, 1], geometric between the lowest and the highest gain; else ValueError."""
        if not 0 <= level <= 1:
            raise ValueError(f"noise level {level}: must be in [0, 1]")
        shots, reads = self.shot, self.read
        shot = shots[0] * (shots[-1] / shots[0]) ** level
        after = min(bisect_right(shots, shot), len(shots) - 1)
        before = max(after - 1, 0)
        span = math.log(shots[after] / shots[before])
        share = math.log(shot / shots[before]) / span if span else 0.0
        return shot, reads[before] * (reads[after] / reads[before]) ** share

    def describe(self) -> str:
        """All figures in a sentence."""
        spans = {name: f"{getattr(self, name)[0]:.2g} to {getattr(self, name)[-1]:.2g}" for name in ("shot", "read")}
        spans |= {name: "{:.2g} to {:.2g}".format(*getattr(self, name)) for name in _LIMITS}
        return (
            f"noise profile {self.name}: shot {spans['shot']}, read {spans['read']}, white balance red {spans['red']} "
            f"and blue {spans['blue']}, gain {spans['gain']}, tone curve {spans['tone']}, blur of brightness "
            f"{spans['correlation']} pixels, of colour {spans['chroma_width']} times that, strength of colour "
            f"{spans['chroma']}; source: {self.source}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, of which `from_json` makes the same profile."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "NoiseProfile":
        """The profile of `to_json`; fields with a default may be left out. Raises ValueError for others."""
        known = {field.name for field in fields(cls)}
        unknown, missing = set(found) - known, {"shot", "read"} - set(found)
        if unknown or missing:
            raise ValueError(
                f"a noise profile needs shot and read, and may have {', '.join(sorted(known - {'shot', 'read'}))}; "
                f"unknown: {sorted(unknown) or 'none'}, missing: {sorted(missing) or 'none'}"
            )
        try:
            values: dict[str, Any] = {"name": "unnamed", "source": "a file of the user"}
            values |= {name: _numbers(value) if isinstance(value, list) else value for name, value in found.items()}
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"noise profile: a value is not of the right kind ({error})") from error


def find_profile(text: str) -> NoiseProfile:
    """The profile of this name, or of this JSON file; raises ValueError with the names there are."""
    if text in PROFILES:
        return PROFILES[text]
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"noise profile {text!r} is neither a file nor one of {', '.join(PROFILES)}")
    try:
        found = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"noise profile {text}: is no JSON ({error}); write one with lpienas noise --out") from error
    if not isinstance(found, dict):
        raise ValueError(f"noise profile {text}: must be a JSON object, as lpienas noise --out writes it")
    return NoiseProfile.from_json(found)


def read_on_line(shot: tuple[float, ...], slope: float, intercept: float) -> tuple[float, ...]:
    """Read noise whose variance has the logarithm `slope` * log shot + `intercept`."""
    return tuple(math.exp((slope * math.log(value) + intercept) / 2) for value in shot)


def _numbers(values: list[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _of_variances(name: str, source: str, shot: tuple[float, ...], variance: tuple[float, ...]) -> NoiseProfile:
    return NoiseProfile(name, source, shot, tuple(math.sqrt(value) for value in variance))


_LIMITS = {
    "red": (1.0, 8.0),
    "blue": (1.0, 8.0),
    "gain": (1.0, 8.0),
    "tone": (0.0, 1.0),
    "correlation": (0.0, 4.0),
    "chroma_width": (0.5, 8.0),
    "chroma": (0.0, 2.0),
}
_UNPROCESSING = "Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019, section 3.1"
_SIDD = (
    "noise level functions of the Smartphone Image Denoising Dataset (Abdelhamed et al., CVPR 2018) at {isos}, as "
    "tabulated by camera and ISO with Noise Flow (Abdelhamed et al., ICCV 2019)"
)
_DARMSTADT = (2.18, 1.20)  # slope and intercept of its cameras, in _UNPROCESSING; scatter 0.26

PROFILES: dict[str, NoiseProfile] = {
    profile.name: profile
    for profile in (
        NoiseProfile(
            "wide",
            f"generic: the line of {_UNPROCESSING}, continued from half the lowest to three times the highest "
            "gain there, with the white balance of candle light too and down to little noise in colour, so that what "
            "pairs of RENOIR and PolyU show is in it",
            (5e-5, 3.6e-2),
            read_on_line((5e-5, 3.6e-2), *_DARMSTADT),
            0.26,
            red=(1.2, 4.5),
            blue=(1.2, 3.0),
            chroma=(0.05, 1.0),
        ),
        NoiseProfile(
            "darmstadt",
            f"the cameras of the Darmstadt Noise Dataset: {_UNPROCESSING}",
            (1e-4, 1.2e-2),
            read_on_line((1e-4, 1.2e-2), *_DARMSTADT),
            0.26,
        ),
        _of_variances(
            "galaxy-s6",
            _SIDD.format(isos="ISO 100 to 3200"),
            (0.000479, 0.001774, 0.003696, 0.008211, 0.019930),
            (2e-6, 2e-6, 2e-6, 2e-6, 2e-6),
        ),
        _of_variances("pixel", _SIDD.format(isos="ISO 100 and 800"), (0.000228, 0.001764), (2e-6, 12e-6)),
        _of_variances("nexus-6", _SIDD.format(isos="ISO 100 and 800"), (0.000473, 0.003476), (3e-6, 52e-6)),
        _of_variances("lg-g4", _SIDD.format(isos="ISO 100 and 800"), (0.000739, 0.003356), (2e-6, 63e-6)),
        _of_variances(
            "oppo-reno",
            "k-sigma calibration of an Oppo Reno's Sony IMX586 at ISO 100, 400, 1600 and 6400, from Wang et al., "
            "Practical Deep Raw Image Denoising on Mobile Devices, ECCV 2020, its code's polynomials over 959 steps",
            tuple((0.0005995267 * iso + 0.00868861) / 959 for iso in (100, 400, 1600, 6400)),
            tuple((7.11772e-7 * iso**2 + 6.514934e-4 * iso + 0.11492713) / 959**2 for iso in (100, 400, 1600, 6400)),
        ),
    )
}
DEFAULT_PROFILE = "wide"
