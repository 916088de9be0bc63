"""Told: the values that a piece of work is made of, as JSON and back: a closed list of kinds, and nothing pickled.

Files are told by folder, name and digest, so that whoever reads them elsewhere knows whether it has the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from nas.scoring.supernet import SupernetSettings
from nas.scoring.training import Training
from nas.task.data.facts import digest_of
from nas.task.degrade import BlendedNoise, CameraNoise, KernelFile, NoiseProfile, SensorNoise
from nas.task.degrade.own import Own
from nas.task.device import Device
from nas.task.evaluation import Quality
from nas.task.losses import Loss
from nas.task.own import OwnCode
from nas.task.own_loss import OwnLoss
from nas.task.task import TaskSettings
from nas.task.teacher import Teacher
from nas.task.training import Recipe
from results.files import network_at
from results.photo_score import PhotoScore
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.family import OwnFamily
from search_spaces.networks import blueprint_from_json
from search_spaces.own import FamilyName, OwnBlueprint
from search_spaces.space import Space

_IS = "is"  # by this key a value is told from a plain object
_AS_FIELDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(TaskSettings, SensorNoise, CameraNoise, BlendedNoise, NoiseProfile, Loss, OwnLoss, Own, Device),
        *(Training, Recipe, SupernetSettings, Quality, PhotoScore),
    )
}


@dataclass(frozen=True, slots=True)
class Files:
    """Files in one folder, by name and digest."""

    folder: Path
    digests: Mapping[str, str]  # nas.task.data.facts.digest_of by path below the folder

    @classmethod
    def of(cls, folder: Path, *names: str) -> "Files":
        """Those of `folder`, as they are now; raises Unreadable, a ValueError, where one is not there."""
        return cls(folder.absolute(), {name: _digest(folder / name) for name in names})

    def to_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "digests": dict(self.digests)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Files":
        """Inverse of `to_json`; raises ValueError for a name that leads out of the folder."""
        for name in stored["digests"]:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"file {name!r}: must be below the folder {stored['folder']}")
        return cls(Path(stored["folder"]), dict(stored["digests"]))

    def are_here(self, read: bool = True) -> bool:
        """Whether this machine has them, unchanged, where they are said to be; unless `read`, by their names alone."""
        return all(
            (self.folder / name).is_file() and (not read or _digest(self.folder / name) == digest)
            for name, digest in self.digests.items()
        )


class Found(Protocol):
    """How files and folders that are told are found on the machine that is told of them."""

    def folder(self, files: Files, read: bool = True) -> Path:
        """A folder with these files, unchanged; unless `read`, by their names: whoever opens them looks."""

    def store(self, store: Store) -> Store:
        """What stands for a store of the run."""


class AsTold:
    """Found on the machine that tells: everything is where it is said to be."""

    def folder(self, files: Files, read: bool = True) -> Path:
        """Raises ValueError where a file is another one by now."""
        if not files.are_here(read):
            raise ValueError(
                f"{', '.join(files.digests)} in {files.folder}: changed while it was in use, or is gone; put it back, "
                "and begin again"
            )
        return files.folder

    def store(self, store: Store) -> Store:
        return store


def told(value: Any) -> Any:
    """`value` as JSON; raises TypeError for a kind that is not on the list."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [told(one) for one in value]
    if isinstance(value, Mapping):
        if _IS in value or not all(isinstance(key, str) for key in value):
            raise TypeError(f"an object with the keys {list(value)}: keys must be texts, and none of them {_IS!r}")
        return {key: told(one) for key, one in value.items()}
    name = type(value).__name__
    if isinstance(value, Path):
        return {_IS: "Path", "files": Files.of(value.parent, value.name).to_json()}
    if isinstance(value, Blueprint | Space):
        return {_IS: name, "value": value.to_json()}
    if isinstance(value, OwnBlueprint):
        path = value.family.path
        source = None if path is None else Files.of(path.parent, path.name).to_json()
        return {_IS: name, "value": value.to_json(), "source": source}
    if isinstance(value, Store):
        logs = None if value.logs is None else str(value.logs.absolute())
        return {_IS: name, "folder": str(value.folder.absolute()), "logs": logs}
    if isinstance(value, OwnCode):
        return {_IS: name, "value": value.to_json(), "files": Files.of(value.kept.parent, value.kept.name).to_json()}
    if isinstance(value, KernelFile | Teacher):
        return {_IS: name, "value": value.to_json(), "files": _beside(Path(value.path)).to_json()}
    if name in _AS_FIELDS and is_dataclass(value) and type(value) is _AS_FIELDS[name]:
        return {_IS: name} | {field.name: told(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a {name} cannot be told to another process: it is none of the kinds in nas.where.told")


def heard(value: Any, found: Found) -> Any:
    """Inverse of `told`, with tuples for lists; files are those that `found` finds. Raises ValueError, TypeError."""
    if isinstance(value, list):
        return tuple(heard(one, found) for one in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(_IS)
    if kind is None:
        return {key: heard(one, found) for key, one in value.items()}
    if kind in _AS_FIELDS:
        return _AS_FIELDS[kind](**{name: heard(one, found) for name, one in value.items() if name != _IS})
    if kind == "Blueprint":
        return Blueprint.from_json(value["value"])
    if kind == "Space":
        return Space.from_json(value["value"])
    if kind == "Store":
        logs = value["logs"]
        return found.store(Store(Path(value["folder"]), None if logs is None else Path(logs)))
    if kind == "OwnBlueprint":
        return _heard_own(value, found)
    if kind not in ("Path", "OwnCode", "KernelFile", "Teacher"):
        raise ValueError(f"a {kind!r}: is none of the kinds in nas.where.told")
    files = Files.from_json(value["files"])
    folder = found.folder(files)
    if kind == "Path":
        return folder / next(iter(files.digests))
    if kind == "OwnCode":
        return _heard_code(OwnCode.from_json(value["value"]), folder)
    stated = dict(value["value"])
    path = str(folder / Path(stated["path"]).name)
    return (KernelFile if kind == "KernelFile" else Teacher)(**(stated | {"path": path}))


def _heard_own(value: Mapping[str, Any], found: Found) -> OwnBlueprint:
    stated = value["value"]
    families: tuple[OwnFamily, ...] = ()
    if value["source"] is not None:
        files = Files.from_json(value["source"])
        name = FamilyName.from_json(stated["family"])
        path = found.folder(files) / next(iter(files.digests))
        families = (OwnFamily(FamilyName(name.name, name.source, path)),)
    blueprint = blueprint_from_json(stated, families)
    assert isinstance(blueprint, OwnBlueprint)
    return blueprint


def _heard_code(code: OwnCode, folder: Path) -> OwnCode:
    """Code that the user named for all workers of a search; kept on this machine as if it had been named here."""
    if not code.kept.exists():
        OwnCode.named(f"{folder / code.kept.name}:{code.name}")
    return code


def _beside(path: Path) -> Files:
    """The file at `path`; of a saved network both of its files."""
    network = network_at(path)
    if network is None:
        return Files.of(path.parent, path.name)
    return Files.of(network.parent, f"{network.name}.json", f"{network.name}.safetensors")


def _digest(path: Path) -> str:
    status = path.stat() if path.is_file() else None
    return _digest_of(path, *((0, 0) if status is None else (status.st_size, status.st_mtime_ns)))


@lru_cache(maxsize=4096)
def _digest_of(path: Path, size: int, changed: int) -> str:
    return digest_of(path)
