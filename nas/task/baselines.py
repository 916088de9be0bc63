"""Baselines: classical methods that need no training, on a degraded photograph.

What a method is told that a camera does not know stands in its name: BM3D the true deviation of the noise, Wiener and
Richardson-Lucy the kernel. Blind methods and those are not of one kind, as in the paper's tables.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Picture = NDArray[np.float64]  # (H, W, 3) in [0, 1]
_BALANCE = 0.01  # of Wiener's filter, between the kernel's inverse and a smooth picture
_ROUNDS = 20  # of Richardson-Lucy
_AROUND = 8  # kernels, of reflection beyond the picture
_MEDIAN = 0.6745  # of the absolute value of a normal variable of deviation 1
_FAINT = 1e-3  # deviation of noise, below which BM3D has nothing to do


@dataclass(frozen=True, slots=True)
class Known:
    """What a baseline may use."""

    degraded: _Picture
    noise: float  # root mean square of what the degraded side differs by from the clean one
    kernel: _Picture | None = None  # (K, K, 3) or (K, K), of sum 1 a channel


@dataclass(frozen=True, slots=True)
class Baseline:
    """One method; `told` is what it knows beyond the degraded photograph."""

    run: Callable[[Known], _Picture]
    told: str = ""
    needs_kernel: bool = False


def restore(name: str, degraded: Tensor, clean: Tensor, kernel: Tensor | None = None) -> Tensor:
    """What a baseline makes of `degraded` (1, 3, H, W), in [0, 1]; `kernel` (3, K, K) or (K, K).

    Raises ValueError for a name that is none of BASELINES, or a kernel that is missing; ImportError where a
    method's package is.
    """
    if name not in BASELINES:
        raise ValueError(f"baseline {name!r}: must be one of {', '.join(BASELINES)}")
    method = BASELINES[name]
    if method.needs_kernel and kernel is None:
        raise ValueError(f"{name} needs the kernel that blurred the photographs: name its file with --kernel")
    known = Known(_picture(degraded[0]), true_noise(degraded, clean), None if kernel is None else _picture(kernel))
    restored = torch.from_numpy(np.ascontiguousarray(method.run(known).transpose(2, 0, 1))).float()
    return restored[None].clamp(0, 1)


def true_noise(degraded: Tensor, clean: Tensor) -> float:
    """Standard deviation of the noise that was really added, whose mean is 0: what BM3D and `Hold(noise=)` are told."""
    return float((degraded - clean).square().mean().sqrt())


def estimated_noise(picture: _Picture) -> float:
    """Standard deviation of white noise by what remains of a picture without its slopes and edges.

    Immerkaer, "Fast noise variance estimation", 1996, with the median in place of the mean, which edges would raise.
    scikit-image's estimate needs PyWavelets.
    """
    from scipy.ndimage import convolve

    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])[..., None]
    return float(np.median(np.abs(convolve(picture, mask, mode="mirror"))) / (_MEDIAN * 6))


def _picture(image: Tensor) -> _Picture:
    """(3, H, W) as (H, W, 3); (K, K) as it is."""
    channels_last = image.permute(1, 2, 0) if image.ndim == 3 else image
    return np.asarray(channels_last.double().cpu().numpy(), dtype=np.float64)


def _input(known: Known) -> _Picture:
    return known.degraded


def _non_local_means(known: Known) -> _Picture:
    """Blind, by the deviation that is estimated; Buades et al., CVPR 2005."""
    from skimage.restoration import denoise_nl_means

    deviation = estimated_noise(known.degraded)
    found: _Picture = denoise_nl_means(
        known.degraded, patch_size=5, patch_distance=6, h=0.8 * deviation, sigma=deviation, channel_axis=-1
    )
    return found


def _bm3d(known: Known) -> _Picture:
    """Dabov et al., 2007, by the authors' package, which is free for research only."""
    try:
        from bm3d import bm3d_rgb
    except ImportError as error:
        raise ImportError("bm3d is not installed: pip install bm3d (its licence allows research only)") from error
    return known.degraded if known.noise < _FAINT else np.asarray(bm3d_rgb(known.degraded, known.noise))


def _wiener(known: Known) -> _Picture:
    from skimage.restoration import wiener

    return _each_channel(known, lambda channel, kernel: wiener(channel, kernel, _BALANCE, clip=False))


def _richardson_lucy(known: Known) -> _Picture:
    from skimage.restoration import richardson_lucy

    return _each_channel(known, lambda channel, kernel: richardson_lucy(channel, kernel, num_iter=_ROUNDS, clip=False))


def _each_channel(known: Known, method: Callable[[_Picture, _Picture], _Picture]) -> _Picture:
    """`method` on every channel with its kernel; beyond the picture stands its reflection, so far that its end, which
    both methods take for an edge, is not felt inside."""
    kernel = known.kernel
    assert kernel is not None
    around = _AROUND * max(kernel.shape[:2])
    padded = np.pad(known.degraded, ((around, around), (around, around), (0, 0)), mode="reflect")
    of = [kernel if kernel.ndim == 2 else kernel[..., channel] for channel in range(3)]
    restored = np.stack([method(padded[..., channel], of[channel]) for channel in range(3)], axis=-1)
    return restored[around:-around, around:-around]


BASELINES = {
    "input": Baseline(_input),
    "nlm": Baseline(_non_local_means),
    "bm3d": Baseline(_bm3d, told="the true deviation of each photograph's noise"),
    "wiener": Baseline(_wiener, told="the kernel", needs_kernel=True),
    "richardson-lucy": Baseline(_richardson_lucy, told="the kernel", needs_kernel=True),
}
