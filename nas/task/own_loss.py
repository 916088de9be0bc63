"""Own loss: a loss that a user wrote, in the place of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Generator, Tensor

from nas.task.own import OwnCode

_SIDE = 32  # pixels of the images that it is tried on


class LossFunction(Protocol):
    """What a user writes: a function, or a class that is made without arguments and can be called."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """One number with a gradient, of images (B, 3, H, W): clean ones in [0, 1], and what a network made of theirs.

        The smallest where both are equal. `output` is not clipped to [0, 1].
        """


@dataclass(frozen=True, slots=True)
class OwnLoss:
    """The user's loss, as trainings use it; raises ValueError where it is none."""

    code: OwnCode

    def __post_init__(self) -> None:
        _loss(self.code)

    def of(self, degraded: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of what a network makes of `degraded`, which does not depend on it."""
        return self

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """One number, of images (B, 3, H, W); computed in the precision of `target`."""
        return _loss(self.code)(output.to(target.dtype), target)


@lru_cache(maxsize=8)
def _loss(code: OwnCode) -> LossFunction:
    """The user's function, tried on two images; raises ValueError for what it does otherwise than it should."""
    found: LossFunction = code.read()
    named = f"{code.file}:{code.name}"
    if not callable(found):
        raise ValueError(f"{named} is a {type(found).__name__}: must be a function of (output, target)")
    with torch.inference_mode(False), torch.enable_grad():  # whoever asks first may be judging
        target = torch.rand((2, 3, _SIDE, _SIDE), generator=Generator().manual_seed(0))
        noise = torch.randn(target.shape, generator=Generator().manual_seed(1))
        value = code.told(found, (target + 0.1 * noise).requires_grad_(), target)
        least = code.told(found, target.clone().requires_grad_(), target)
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.isfinite().all() or not value.requires_grad:
        what = repr(value) if isinstance(value, Tensor) and value.numel() == 1 else type(value).__name__
        raise ValueError(
            f"{named} gives {what}: must be one finite number with a gradient, such as a mean over all pixels"
        )
    least, found_loss = (float(torch.as_tensor(one).detach()) for one in (least, value))
    if not least < found_loss:
        raise ValueError(
            f"{named} gives {least:.4g} for clean images and {found_loss:.4g} for noisy ones: must be the "
            "smallest where the output is the clean image"
        )
    return found
