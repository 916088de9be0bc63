"""Shake: paths that a hand-held camera's picture takes during an exposure, and the kernels they blur with."""

from functools import lru_cache

import torch
from torch import Generator, Tensor

REACH = 20  # pixels from the middle of a kernel
_PATHS = 384
_MOMENTS = 128  # of an exposure, of equal length


@lru_cache(maxsize=8)
def shaken_kernels(seed: int, longest: float) -> Tensor:
    """(N, 1, K, K) of light 1 each, K = 2 REACH + 1, from a point to paths that are `longest` pixels across."""
    with torch.inference_mode(False):  # what is kept from an evaluation must serve in training too
        drawn = paths(_PATHS, Generator().manual_seed(seed))
        across = 2 * drawn.norm(dim=-1).amax(dim=1)
        wanted = torch.linspace(0, longest, _PATHS)
        return kernels_of(drawn * (wanted / across.clamp(min=1e-6))[:, None, None], REACH)


def paths(count: int, generator: Generator) -> Tensor:
    """`count` paths (count, moments, 2) of the picture on the sensor, down and across, with their mean at 0.

    After Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur", IEEE TIP 2012, section
    II-C: a velocity that is pushed at random and pulled back to where the path began, and now and then reversed by a
    jerk. How nervous the hand is differs from path to path; the calmest paths are nearly straight.
    """
    anxiety = torch.rand((count, 1), generator=generator).square_()
    angle = torch.empty(count, 1).uniform_(0, 2 * torch.pi, generator=generator)
    velocity = torch.cat((angle.sin(), angle.cos()), 1)
    pushes = torch.randn((_MOMENTS, count, 2), generator=generator)
    jerks = torch.rand((_MOMENTS, count, 1), generator=generator) < 0.005 * anxiety
    place, found = torch.zeros(count, 2), []
    for push, jerk in zip(pushes, jerks, strict=True):
        velocity = velocity + anxiety * (0.25 * push - 0.7 / _MOMENTS * place)
        velocity = torch.where(jerk, -velocity + push, velocity)
        velocity = velocity / velocity.norm(dim=1, keepdim=True).clamp(min=1)
        place = place + velocity
        found.append(place)
    moments = torch.stack(found, 1)
    return moments - moments.mean(dim=1, keepdim=True)


def kernels_of(moments: Tensor, reach: int) -> Tensor:
    """Kernels (N, 1, K, K), K = 2 `reach` + 1, of paths (N, T, 2) in pixels: the mean of T sub-frames, each moved.

    A moment between pixels is shared among the four around it; one beyond `reach` is taken at it.
    """
    side = 2 * reach + 1
    at = moments.clamp(-reach, reach - 1e-4) + reach
    corner = at.floor()
    rest = at - corner
    kernels = torch.zeros(len(moments), side * side)
    for down in (0, 1):
        for across in (0, 1):
            place = (corner[..., 0] + down) * side + corner[..., 1] + across
            share = (rest[..., 0] if down else 1 - rest[..., 0]) * (rest[..., 1] if across else 1 - rest[..., 1])
            kernels.scatter_add_(1, place.long(), share / moments.shape[1])
    return kernels.view(-1, 1, side, side)


def spread(kernels: Tensor) -> Tensor:
    """How far the light of `kernels` (N, C, K, K) of light 1 lies from the middle, (N,) in pixels, root mean square."""
    away = torch.arange(kernels.shape[-1], dtype=kernels.dtype) - kernels.shape[-1] // 2
    grey = kernels.mean(dim=1)
    return ((grey.sum(dim=2) + grey.sum(dim=1)) @ away.square()).sqrt()
