"""Included: the networks that come with the package: a folder for each task, whose name is that of its network."""

from pathlib import Path

SHIPPED = Path(__file__).with_name("shipped")
NETWORK, WIDE, CARD = "network", "network_16x8.onnx", "CARD.md"  # names in the folder of a task
_HELD = ("denoise",)  # tasks whose network is held to the noise of the photograph


def shipped_tasks(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The tasks for which there is a network, with its weights and its card."""
    whole = (f"{NETWORK}.json", f"{NETWORK}.safetensors", CARD)
    found = (one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else ()
    return tuple(sorted(one.name for one in found if all((one / name).is_file() for name in whole)))


def at(model: Path) -> Path:
    """Where `model` lies: a path, or the name of a task for which a network comes with the package.

    What lies here under such a name wins.
    """
    if str(model) not in shipped_tasks() or model.exists():
        return model
    return SHIPPED / model / f"{NETWORK}.json"


def is_included(model: Path) -> bool:
    """Whether the file `model` came with the package."""
    return SHIPPED in model.absolute().parents


def hold_of(task: str) -> float:
    """Times the noise of a photograph that the network of `task` is held to as it ships; 0: it is not held."""
    from compress.runtime.noise_level import HELD

    return HELD if task in _HELD else 0.0
