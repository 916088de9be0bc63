"""Perceptual: LPIPS and DISTS by piq, where it is installed and its weights are on this machine already.

Nothing is fetched here: the weights are of others, with terms of their own. Whoever wants these figures puts the files
where torch keeps what it has downloaded.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]  # image, clean: (B, 3, H, W) in [0, 1] -> (B,); 0 where they are equal
_FEATURES = "vgg16-397923af.pth"  # torchvision's, which both need
FILES = {"lpips": (_FEATURES, "lpips_weights.pt"), "dists": (_FEATURES, "dists_weights.pt")}


def distances() -> tuple[dict[str, Distance], str]:
    """Those of FILES that can be computed here, and a sentence on the others; empty where there are none."""
    missing = {name: absent for name in FILES if (absent := _absent(name))}
    if len(missing) == len(FILES):
        return {}, _said(missing)
    try:
        import piq
    except ImportError as error:
        return {}, f"LPIPS and DISTS are left out: {error}: pip install 'lpienas[perceptual]'"
    except RuntimeError as error:  # a torchvision that was built for another torch
        return {}, f"LPIPS and DISTS are left out: piq cannot be imported ({error})"
    made = {"lpips": piq.LPIPS, "dists": piq.DISTS}
    return {name: _of(made[name](reduction="none").eval()) for name in FILES if name not in missing}, _said(missing)


def _of(measure: Distance) -> Distance:
    def of(image: Tensor, clean: Tensor) -> Tensor:
        with torch.inference_mode():
            return measure(image, clean).flatten()

    return of


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _absent(name: str) -> list[str]:
    return [file for file in FILES[name] if not (_folder() / file).is_file()]


def _said(missing: dict[str, list[str]]) -> str:
    if not missing:
        return ""
    files = ", ".join(dict.fromkeys(file for absent in missing.values() for file in absent))
    names = " and ".join(name.upper() for name in missing)
    return f"{names} {'is' if len(missing) == 1 else 'are'} left out: no {files} in torch's folder of downloads"
