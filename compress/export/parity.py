"""Parity: an exported file, run in its own runtime, must say what the network that it came from says."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10

import torch
from torch import Tensor, nn

from compress.runtime.runtimes import Runtime
from compress.runtime.tiles import fitted

# Largest allowed; 3e-7 was measured in all three formats. Also where weights are kept in float16: the file is compared
# with the network of the rounded weights (which differ from the float network by 1.2e-4 to 2.5e-4, seven networks).
FLOAT_DIFFERENCE = 1e-4
# Largest allowed of a file that also computes in float16. torch's float16 differs by 6e-4 to 9e-4 on a noisy photograph
# (seven trained networks); Core ML was not at hand to be measured.
HALF_DIFFERENCE = 5e-3
# Least PSNR between file and torch int8 graph, in dB. Rounding ties fall differently in each runtime and then spread,
# so equal pixels cannot be asked for. Measured on noisy photographs, four trained networks (8 to 64 channels, ELU and
# ReLU): ONNX Runtime 50.6 to 53.3, LiteRT 45.8 to 60.5, ExecuTorch 50.6 to 61.9; the int8 graph itself is 45 to 49 from
# the float network. A lost scale that costs 1.8 dB at 28 dB leaves about 31.
INT8_PSNR = 40.0
# How much of the update, the output minus the input, an int8 file may do too much or too little. The PSNR alone passes
# a file that does half the work, where that is small; rounding goes either way, and leaves the share at 1.
INT8_SHARE = 0.1
# Least, in dB, by which the update of any one photograph stands above the file's error in it, unless the error is as
# small as rounding makes it (ROUNDING_PSNR). A file that does half the work comes to 6 dB, whatever the photograph.
INT8_UPDATE = 10.0
ROUNDING_PSNR = 45.0
_NO_UPDATE = 1e-6  # mean square of the update of a network that does nothing, of which there is no share


class ParityError(ValueError):
    """A file differs from its network by more than rounding; the message has what was measured and allowed."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file is from the torch module that it came from, over all pixels of all images."""

    runtime: str
    images: int
    max_difference: float  # of values in [0, 1]
    mean_difference: float
    psnr_db: float  # between the two outputs, peak 1; infinite when they are equal
    update_share: float | None = None  # of the network's update, how much the file's has in it; None: there is none
    update_db: float | None = None  # of the update over the file's error in it, of the photograph where it is least


def check(runtime: Runtime, module: nn.Module, images: Sequence[Tensor], allowed: float = FLOAT_DIFFERENCE) -> Parity:
    """Compare `runtime` with `module` (what `export_network` returned) on `images` (1, 3, H, W) in [0, 1], any size.

    `allowed` is the largest difference of a float file. Images are cropped and padded to the file's size. Use
    photographs: noise and constant images hide wrong scales. Raises ParityError, and ValueError without images.
    """
    if not images:
        raise ValueError("images is empty: parity needs at least one photograph")
    found = [_both(runtime, module, image) for image in images]
    _require_numbers(runtime.name, found)
    difference = torch.cat([(file - reference).abs().flatten() for file, reference, _ in found]).double()
    error = float(difference.square().mean())
    each = [_Photograph.of(one) for one in found]
    parity = Parity(
        runtime=runtime.name,
        images=len(images),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        psnr_db=-10 * log10(error) if error else inf,
        update_share=_share(found),
        update_db=min((one.update_db for one in each if one.update_db is not None), default=None),
    )
    is_int8 = isinstance(module, torch.fx.GraphModule)
    if is_int8 and not parity.psnr_db >= INT8_PSNR:
        raise ParityError(
            f"the int8 file in {runtime.name} is {parity.psnr_db:.1f} dB from its int8 graph (at least {INT8_PSNR} dB "
            f"allowed; mean difference {parity.mean_difference:.5f}): a scale was lost in conversion, do not ship it"
        )
    if is_int8:
        _require_update(runtime.name, each)
    if not is_int8 and not parity.max_difference <= allowed:
        raise ParityError(
            f"the float file in {runtime.name} differs from its network by up to {parity.max_difference:.2e} "
            f"({allowed:.0e} allowed): an operator was converted wrongly, do not ship it"
        )
    return parity


@dataclass(frozen=True, slots=True)
class _Photograph:
    """What a file does to one photograph."""

    psnr_db: float  # of its output to the network's
    share: float | None  # of the network's update; None: there is none
    update_db: float | None  # of the network's update over the file's error
    # Part of the energy of the network's update that is its own rounding, as far as the file's error tells: of the two,
    # which round apart, each has half of it. The projection falls short by as much, though the file does all the work.
    rounding: float

    @classmethod
    def of(cls, found: tuple[Tensor, Tensor, Tensor]) -> "_Photograph":
        file, reference, image = (part.double() for part in found)
        error, share = float((file - reference).square().mean()), _share([found])
        update = float((reference - image).square().mean())
        psnr_db = -10 * log10(error) if error else inf
        return cls(
            psnr_db,
            share,
            None if share is None else 10 * log10(update / error) if error else inf,
            0.0 if share is None or psnr_db < ROUNDING_PSNR else min(0.5, error / 2 / update),
        )


def _require_numbers(runtime: str, found: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Raises ParityError where the network, or the file alone, answers a photograph with what is no number."""
    for number, (file, reference, _) in enumerate(found, 1):
        which = f"photograph {number} of {len(found)}"
        if not reference.isfinite().all():
            raise ParityError(
                f"the network itself gives NaN or infinite values on {which}: its weights are damaged; make it again"
            )
        if not file.isfinite().all():
            raise ParityError(
                f"the file in {runtime} gives NaN or infinite values on {which}, and its network does not: an operator "
                "was converted wrongly, or computes in a precision that does not hold them; do not ship it"
            )


def _require_update(runtime: str, each: Sequence[_Photograph]) -> None:
    """Raises ParityError where a file does another share of the work than its int8 graph, on any photograph."""
    for number, one in enumerate(each, 1):
        if one.share is None or one.update_db is None:
            continue
        which = f"photograph {number} of {len(each)}"
        if not (1 - INT8_SHARE) * (1 - one.rounding) <= one.share <= 1 + INT8_SHARE:
            raise ParityError(
                f"the int8 file in {runtime} does {one.share:.0%} of what its int8 graph does to {which} (within "
                f"{INT8_SHARE:.0%} allowed, though it is {one.psnr_db:.1f} dB from it): a scale was lost in "
                "conversion, do not ship it"
            )
        if not (one.update_db >= INT8_UPDATE or one.psnr_db >= ROUNDING_PSNR):
            raise ParityError(
                f"what the int8 file in {runtime} does to {which} stands {one.update_db:.1f} dB above its error (at "
                f"least {INT8_UPDATE} dB allowed, where the error is more than rounding): an operator was converted "
                "wrongly, do not ship it"
            )


def _share(found: Sequence[tuple[Tensor, Tensor, Tensor]]) -> float | None:
    """The file's update projected on the network's: 1 where the two differ by rounding."""
    updates = [((file - image).double(), (reference - image).double()) for file, reference, image in found]
    energy = sum(float(reference.square().sum()) for _, reference in updates)
    if energy <= _NO_UPDATE * sum(reference.numel() for _, reference in updates):
        return None
    return sum(float((file * reference).sum()) for file, reference in updates) / energy


def _both(runtime: Runtime, module: nn.Module, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the file gives, what the network gives, and what both were given."""
    image = fitted(image.cpu(), runtime.size)
    with torch.no_grad():
        return runtime(image), module(image), image
