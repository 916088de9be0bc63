"""Story: all that a page shows of its runs, as plain frozen values; None and empty stand for what was not measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Json = Mapping[str, Any]

FRONT, DOMINATED, FELL_OFF, SEARCHED = "front", "dominated", "fell off", "searched"
REFERENCE, COMPRESSED = "reference", "compressed"
KINDS = (REFERENCE, FRONT, DOMINATED, FELL_OFF, SEARCHED, COMPRESSED)


@dataclass(frozen=True, slots=True)
class Shown:
    """One network that can be pointed at."""

    key: str  # its trial's number; of a stage of the compression its name
    name: str  # for people
    kind: str  # one of KINDS
    cost: float  # in the run's unit
    macs: int  # at the run's size
    parameters: int
    stages: Sequence[Json]  # in the order of computation, the head last; see gather.stages_of
    genes: str  # in one line
    choices: Json  # gene -> value, of those that decide something
    knee: bool = False
    ssim: float | None = None  # validation photographs, as `psnr` (dB); None: not measured
    psnr: float | None = None
    test_ssim: float | None = None  # test photographs
    test_psnr: float | None = None
    low: float | None = None  # 95 % interval of test_ssim as a difference from the reference's, added to that
    high: float | None = None
    search_ssim: float | None = None  # the search's own score
    trainings: int = 0  # full ones

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind = {self.kind!r}: must be one of {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph as pictures, `data:` addresses all; the same crop of each side."""

    name: str
    size: tuple[int, int]  # height, width in pixels
    degraded: str
    clean: str
    ssim: float  # of the degraded side
    psnr: float  # dB
    outputs: Mapping[str, Json]  # key of a network -> {"picture", "ssim", "psnr"}


@dataclass(frozen=True, slots=True)
class Handed:
    """What the packages above know of one run."""

    anatomies: Mapping[int, Sequence[Json]] = field(default_factory=dict)  # nas.confirm.anatomies
    photographs: Sequence[Photograph] = ()
    says: str = ""  # which photographs these are
    latency: Sequence[Json] = ()  # rows of `lpienas bench --json`
    latency_says: str = ""  # what their SSIM is of
    control: Sequence[Json] = ()  # front of a random search of equal computing: {"cost", "ssim"}
    control_course: Json = field(default_factory=dict)  # its results.page.course.course_of


@dataclass(frozen=True, slots=True)
class RunStory:
    """What one run found, how, and from what."""

    name: str
    verdict: str
    basis: str
    measured_on: str
    split: str  # of the final figures: test or validation
    cost: Json  # {"kind", "axis", "unit", "scale", "size", "budget"}
    input_ssim: float  # of the degraded photographs of `split`
    hypervolume: float
    seed_noise: float | None
    trials: Mapping[str, int]  # by state
    networks: Sequence[Shown]
    rejected: Sequence[Json]  # proposals that were not scored: {"number", "cost", "reason"}
    failed: Sequence[Json]  # {"number", "reason"}
    control: Sequence[Json]
    control_course: Json
    anatomies: Mapping[str, Json]  # by key of a network
    photographs: Sequence[Photograph]
    photographs_say: str
    compression: Sequence[Json]  # a stage each
    pruning_curve: Sequence[Json]  # {"kept", "ssim"}
    sensitivity: Sequence[Json]  # results of `lpienas sensitivity`
    files: Sequence[Json]
    latency: Sequence[Json]
    latency_says: str
    course: Json
    importance: Sequence[Json]  # {"gene", "ssim", "cost"}
    calibration: Json
    made: Json  # settings, versions, commands, splits


@dataclass(frozen=True, slots=True)
class Story:
    """Runs side by side."""

    runs: Sequence[RunStory]
    version: str
    at: str  # when the page was written

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("runs is empty: a page needs at least one run")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
