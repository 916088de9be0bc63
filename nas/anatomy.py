"""Anatomy: what each stage of a network is worth, found by putting the mean of what it gives in its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from nas.task.evaluation import Pair, Quality, evaluate
from results.paired import half_width
from results.photo_score import PhotoScore, by_photograph
from results.progress import Silent, Watcher
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_by_part, macs_of
from search_spaces.lpienet import LPIENet, stages_in

STAGE, BRANCH, SKIP = "stage", "attention", "skip"  # kinds of parts
COSTLY = 0.05  # share of the MACs above which a stage must be worth something
WORTHLESS = 0.001  # SSIM below which it is worth nothing
MOST_PHOTOGRAPHS = 24  # that a training is looked at with, so that it takes seconds
_STILL = 1e-6  # of the range of all channels: one that moves less is constant


@dataclass(frozen=True, slots=True)
class Part:
    """A stage, a branch of its attention, or the second way that its output takes, past the levels below."""

    name: str  # "encoder1" ... "head"; "encoder1.attention.spatial"; "encoder1.skip"
    kind: str  # STAGE, BRANCH or SKIP; only the shares of stages sum to 1
    macs_share: (
        float  # of the network's; of a branch its own map's convolutions, which the stage's has too; of a skip 0
    )
    firing: float  # share of its channels that are ever above 0 after the stage's ReLU; elsewhere, that ever vary
    ssim_lost: float  # when it gives its mean, channel by channel, everywhere
    psnr_lost: float  # dB
    ssim_low: float | None = None  # of the 95 % interval of `ssim_lost`, for other photographs; None of one photograph
    ssim_high: float | None = None


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What one network's parts are worth."""

    network: str
    macs: int  # at 256x256
    ssim: float
    psnr: float  # dB
    photographs: str  # which it was looked at with
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the parts are under `stages`."""
        value = asdict(self)
        return value | {"stages": list(value.pop("parts"))}


@dataclass(frozen=True, slots=True)
class Sample:
    """Photographs to look at a network with; raises ValueError where there are none."""

    pairs: Sequence[Pair]
    says: str  # a sentence on which they are

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ValueError("a network is looked at with at least one photograph, got none")


def anatomy(
    network: LPIENet,
    name: str,
    sample: Sample,
    device: torch.device | str = "cpu",
    watcher: Watcher | None = None,
) -> Anatomy:
    """What each part of `network` is worth on `sample`; `network` is moved to `device` and stays as it was otherwise.

    First the mean of what each part gives is taken, per channel over all pixels of all pairs; then, one part after the
    other, that mean stands in its place (a mean ablation) and the whole photographs are judged again.
    """
    watcher, pairs = watcher or Silent(), sample.pairs
    device = torch.device(device)
    network = network.to(device).eval()
    places, stages = places_of(network), stages_in(network)
    seen = {part: Seen() for part in places}
    fired = {part: Seen() for part in stages}
    watcher.begin("anatomy", len(pairs) + 1)
    activations = {stage[1]: fired[part].look for part, stage in stages.items()}
    with hooked({places[part]: seen[part].look for part in places}), hooked(activations):
        each = [evaluate(network, [pair], device) for pair in pairs]
    ssim, psnr = fmean(one.ssim for one in each), fmean(one.psnr for one in each)
    watcher.at(1, f"SSIM {ssim:.4f}")
    without: dict[str, list[Quality]] = {part: [] for part in places}
    for number, pair in enumerate(pairs, 2):
        given: dict[str, Tensor] = {}  # by stage, in the order of computation
        with hooked({stage: partial(given.__setitem__, part) for part, stage in stages.items()}):
            evaluate(network, [pair], device)
        for part, place in places.items():
            owner = part.split(".")[0]
            # Stages before the replaced one give again what they gave, and are not computed.
            same = list(stages)[: list(stages).index(owner)] if owner in stages else list(stages)
            same += [owner] if part.endswith(".skip") else []
            with _given({stages[one]: given[one] for one in same}), hooked({place: _instead(seen[part].mean)}):
                without[part].append(evaluate(network, [pair], device))
        watcher.at(number, pair[0])
    macs = macs_of(network.blueprint, DEFAULT_SIZE)
    shares = {part: count / macs for part, count in macs_by_part(network.blueprint, DEFAULT_SIZE).items()}
    parts = []
    for part in places:
        relu = part in fired and isinstance(stages[part][1], nn.ReLU)
        firing = fired[part].above_zero() if relu else fired.get(part, seen[part]).varying()
        lost = map(_less, (pair[0] for pair in pairs), each, without[part])
        parts.append(_part(part, shares.get(part, 0.0), firing, by_photograph(lost)))
    return Anatomy(name, macs, ssim, psnr, sample.says, tuple(parts))


def places_of(network: LPIENet) -> dict[str, nn.Module]:
    """The modules whose outputs are what the parts give, by the parts' names, in the order of computation."""
    places: dict[str, nn.Module] = {}
    for name, stage in stages_in(network).items():
        places[name] = stage
        attention = getattr(stage[2], "attention", None)
        if attention is not None:
            places |= {f"{name}.attention.{branch}": place for branch, place in attention.branches.items()}
    places |= {f"{name}.skip": place for name, place in network.skips.items()}
    return places | {"head": network.head}


def few(pairs: Sequence[Pair]) -> list[Pair]:
    """At most MOST_PHOTOGRAPHS of `pairs`, evenly over all of them: their noise may rise from first to last."""
    count = min(MOST_PHOTOGRAPHS, len(pairs))
    return [pairs[round(place * (len(pairs) - 1) / max(1, count - 1))] for place in range(count)]


def worthless(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each stage that costs more than COSTLY and is worth less than WORTHLESS; `found` is the JSON.

    Where other photographs might find it worth that much, it says so.
    """
    return [
        f"{part['name']} costs {100 * part['macs_share']:.0f} % of the MACs and {_worth(part)}"
        for part in found["stages"]
        if part["kind"] == STAGE and part["macs_share"] > COSTLY and part["ssim_lost"] < WORTHLESS
    ]


def _worth(part: Mapping[str, Any]) -> str:
    lost, low, high = part["ssim_lost"], part.get("ssim_low"), part.get("ssim_high")
    if low is None or high is None:  # of one photograph, or kept by a version that took no interval
        return f"is worth nothing ({lost:+.4f} SSIM)"
    word = "is" if high < WORTHLESS else "may be"
    return f"{word} worth nothing ({lost:+.4f} SSIM, 95 % interval {low:+.4f} to {high:+.4f})"


def verdict(found: Mapping[str, Any]) -> str:
    """What `worthless` found, in one line; `found` is the JSON of an Anatomy."""
    return "; ".join(worthless(found)) or (
        f"every stage with more than {COSTLY:.0%} of the MACs is worth at least {WORTHLESS} SSIM"
    )


def anatomy_line(found: Mapping[str, Any]) -> str:
    """`verdict`, and what is left without dead channels, of what nas.scoring.full keeps of a network."""
    macs, left = found["macs"], found["stripped"]["macs"]
    taken = f"; without what computes nothing {left / 1e6:.1f} of {macs / 1e6:.1f} MMACs" if left < macs else ""
    return verdict(found) + taken


Hook = Callable[[Tensor], Tensor | None]  # sees an output, and may give another one in its place


class Seen:
    """What passed one place: the mean, the least and the largest value of each channel, (C,) once something passed."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._pixels = 0
        self.least = torch.tensor(torch.inf)
        self.largest = torch.tensor(-torch.inf)

    def look(self, output: Tensor) -> None:  # (B, C, H, W)
        channels = output.detach().transpose(0, 1).flatten(1)
        self._sum = self._sum + channels.double().sum(1)
        self._pixels += channels.shape[1]
        self.least = torch.minimum(self.least.to(channels.device), channels.amin(1))
        self.largest = torch.maximum(self.largest.to(channels.device), channels.amax(1))

    @property
    def mean(self) -> Tensor:  # (C,)
        return torch.as_tensor(self._sum / self._pixels).float()

    def above_zero(self) -> float:
        return (self.largest > 0).float().mean().item()

    def varying(self) -> float:
        spread = self.largest - self.least
        return (spread > _STILL * (self.largest.max() - self.least.min())).float().mean().item()


def _instead(mean: Tensor) -> Hook:
    return lambda output: mean.to(output.dtype)[None, :, None, None].expand_as(output)


@contextmanager
def _given(outputs: Mapping[nn.Module, Tensor]) -> Iterator[None]:
    """Modules give these without computing anything."""
    for module, output in outputs.items():
        module.__dict__["forward"] = lambda *inputs, output=output: output  # before the method of its class
    try:
        yield
    finally:
        for module in outputs:
            del module.__dict__["forward"]


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    handles = [
        module.register_forward_hook(lambda module, inputs, output, hook=hook: hook(output))
        for module, hook in hooks.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _less(photograph: str, whole: Quality, without: Quality) -> PhotoScore:
    return PhotoScore(photograph, whole.ssim - without.ssim, whole.psnr - without.psnr)


def _part(name: str, share: float, firing: float, losses: Sequence[PhotoScore]) -> Part:
    kind = SKIP if name.endswith(".skip") else BRANCH if "." in name else STAGE
    ssim = [one.ssim for one in losses]
    lost, half = fmean(ssim), half_width(ssim)
    low, high = (None, None) if half is None else (lost - half, lost + half)
    return Part(name, kind, share, firing, lost, fmean(one.psnr for one in losses), low, high)
