"""Perceptual: LPIPS and DISTS by piq, where it is installed and its weights are on this machine already.

Nothing is fetched here: the weights are of others, with terms of their own. Whoever wants these figures puts the files
where torch keeps what it has downloaded. They are archives of pickles, which piq would unpickle: here torch takes
tensors from them and nothing else.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]  # image, clean: (B, 3, H, W) in [0, 1] -> (B,); 0 where they are equal
_FEATURES = "vgg16-397923af.pth"  # torchvision's, which both need
FILES = {"lpips": (_FEATURES, "lpips_weights.pt"), "dists": (_FEATURES, "dists_weights.pt")}

_ALONE = {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0"}  # see torch.load


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
    made, found, more = {"lpips": piq.LPIPS, "dists": piq.DISTS}, {}, []
    for name in (name for name in FILES if name not in missing):
        try:
            with tensors_alone():
                found[name] = _of(made[name](reduction="none").eval())
        except UnpicklingError:
            files = " or ".join(FILES[name])
            more.append(f"{name.upper()} is left out: {files} in torch's folder of downloads holds more than tensors")
    return found, "; ".join(filter(None, (_said(missing), *more)))


@contextmanager
def tensors_alone() -> Iterator[None]:
    """Within it torch.load takes tensors alone, whatever a library asks for; raises pickle.UnpicklingError."""
    kept = {name: os.environ.get(name) for name in _ALONE}
    os.environ.update(_ALONE)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
