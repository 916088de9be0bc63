"""Compressions: what was made of one candidate each, side by side in a run, and which of them is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results.files import has_network, held_in, plain_name, read_json, write_json
from results.run import NotCompressed, Run
from results.store import Store

FLOAT, INT8 = "float", "quantized"  # the stages whose networks go on to files
WAY = "way.json"  # beside a pruned network: cost and SSIM after every move
CALIBRATION = "calibration.safetensors"  # beside an int8 network: the patches that its ranges are taken from
FOLDER = "compressions"  # in a run
_MEANT = "compression.json"  # in a run: the name of the one that was asked for last
_LIST = "files.json"  # beside exported files: the figures of each
_AGAIN = "delete it, and compress again"
_WORDS = {"key", "made_from", "chosen", "networks", "scores"}


class OlderCompression(ValueError):
    """A run that a version compressed which kept one compression alone was asked for what needs its record."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was compressed by a version that did not write down what its networks were made from: enhance, "
            f"evaluate and anatomy take them as they are, for the rest compress it again: lpienas compress {folder}"
        )


@dataclass(frozen=True, slots=True)
class Compression:
    """One compression of a run, as its record says."""

    run: Run
    name: str
    record: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Of all that it was made from."""
        key: str = self.record["key"]
        return key

    @property
    def scores(self) -> Mapping[str, Any]:
        """The figures of every stage."""
        scores: Mapping[str, Any] = self.record["scores"]
        return scores

    @property
    def path(self) -> Path:
        return path_of(self.run, self.name)

    @property
    def exported(self) -> Path:
        """Folder of its files for phones."""
        return self.run.exported / self.name

    @property
    def card(self) -> Path:
        return self.exported / "MODEL_CARD.md"

    @property
    def in_float(self) -> tuple[str, ...]:
        """Layers that its int8 network leaves alone."""
        return tuple(self.scores.get(INT8, {}).get("in_float", ()))

    @property
    def wide(self) -> tuple[str, ...]:
        """Layers whose activations have 16 bits in its int8 network."""
        return tuple(self.scores.get(INT8, {}).get("wide", ()))

    @property
    def calibration(self) -> Path:
        """The patches that its int8 ranges are taken from."""
        return self._place(INT8).with_name(CALIBRATION)

    @property
    def is_whole(self) -> bool:
        """Whether all of its networks are there."""
        return all(has_network(self._place(stage)) for stage in self.record["networks"])

    def has(self, stage: str) -> bool:
        """Whether it made a network of this stage."""
        return stage in self.record["networks"]

    def network(self, stage: str) -> Path:
        """Path, without suffix, of the network after `stage`; raises ValueError where it is gone."""
        path = self._place(stage)
        if not has_network(path):
            raise ValueError(f"{path}, which {self.path} names, is gone: delete {path.parent}, and compress again")
        return path

    def made_from(self, stage: str) -> str:
        """The network of `stage` by its key: what is made of it was made from all that the key stands for."""
        part = self.record["networks"][stage]
        return f"{part['stage']}/{part['file']}"

    def listed(self) -> dict[str, Any]:
        """Its exported files, name -> figures, and their licence; raises ValueError for a name with a folder."""
        path = self.exported / _LIST
        kept = read_json(path) if path.exists() else {"files": {}}
        if not isinstance(kept.get("files"), dict):
            raise ValueError(f"{path} is no list of files: delete it, and the files are made again")
        for name, figures in kept["files"].items():
            plain_name(name, path)
            with held_in(path, "delete it, and the files are made again"):
                for kit in figures.get("kit", ()):  # in a folder beside the files; of versions before, among them
                    for part in str(kit).split("/", 1):
                        plain_name(part, path)
        return kept

    def list_files(self, licence: str, files: Mapping[str, Any]) -> None:
        """Write down its exported files."""
        record = {"compression": self.name, "key": self.key, "licence": licence, "files": files}
        write_json(self.exported / _LIST, record)

    def _place(self, stage: str) -> Path:
        part = self.record["networks"][stage]
        at: Path = Store(self.run.made).at(part["stage"]) / part["file"]
        return at


def path_of(run: Run, name: str) -> Path:
    """The record of the compression of this name; raises ValueError for one that leads elsewhere."""
    if name.startswith((".", "-")):
        raise ValueError(f"compression {name!r}: must begin with a letter or a digit")
    return run.folder / FOLDER / f"{plain_name(name, run.folder / FOLDER)}.json"


def compressions(run: Run) -> list[Compression]:
    """All of a run, by name; raises ValueError for a record that is damaged, or names what lies elsewhere."""
    return [_read(run, path) for path in sorted((run.folder / FOLDER).glob("*.json"))]


def compression_of(run: Run, name: str | None = None) -> Compression:
    """The compression of this name, or the one that was asked for last.

    Raises NotCompressed before there is any, OlderCompression, and ValueError for a name that there is not.
    """
    if name is not None:
        path = path_of(run, name)
        if not path.exists():
            names = ", ".join(one.name for one in compressions(run)) or "none"
            raise ValueError(f"{run.folder} has no compression {name}; it has {names}")
        return _read(run, path)
    there = compressions(run)
    if not there:
        if has_network(older_network(run)):
            raise OlderCompression(run.folder)
        raise NotCompressed(run.folder, _family_of(run))
    meant = run.folder / _MEANT
    if meant.exists():
        wanted = read_json(meant).get("name")
        found = next((one for one in there if one.name == wanted), None)
        if found is not None:
            return found
    return max(there, key=lambda one: str(one.record.get("at", "")))


def compression_at(path: Path) -> Compression | None:
    """The compression whose record, RUN/compressions/NAME.json, `path` is; None for another file."""
    if path.parent.name != FOLDER or path.suffix != ".json" or not path.is_file():
        return None
    return _read(Run(path.parent.parent), path)


def made_as(run: Run, key: str) -> Compression | None:
    """A compression that was made from the same, by whatever name; None, too, where a network of it is gone."""
    return next((one for one in compressions(run) if one.key == key and one.is_whole), None)


def keep(run: Run, name: str, record: Mapping[str, Any]) -> Compression:
    """Write down a compression, which is the one that is meant from now on."""
    path = path_of(run, name)
    write_json(path, dict(record) | {"at": datetime.now(UTC).isoformat(timespec="seconds")})
    mean(run, name)
    return _read(run, path)


def require_free(run: Run, name: str, key: str) -> None:
    """Raises ValueError for a name that cannot be, or that a compression has which was made from something else."""
    if path_of(run, name).exists() and compression_of(run, name).key != key:
        raise ValueError(
            f"compression {name} of {run.folder} was made from something else, and stays: give another --name"
        )


def mean(run: Run, name: str) -> None:
    """From now on the compression of this name is meant where none is named."""
    write_json(run.folder / _MEANT, {"name": name})


def older_network(run: Run) -> Path:
    """Path, without suffix, of the float network of a run that an older version compressed."""
    return run.folder / "networks" / "float"


def _family_of(run: Run) -> str | None:
    """The name of the own family that a run is a search of."""
    settings = run.folder / "run.json"
    family = run.settings().family if settings.exists() else None
    return None if family is None else str(family.get("name"))


def _read(run: Run, path: Path) -> Compression:
    record = read_json(path, _AGAIN)
    names: list[str] = []
    with held_in(path, _AGAIN):
        if not record.keys() >= _WORDS or FLOAT not in record["networks"]:
            raise ValueError("it is no record of a compression")
        for stage, part in record["networks"].items():
            record["scores"][stage].keys()
            names += [str(part["stage"]), str(part["file"])]
    for name in names:
        plain_name(name, path)
    return Compression(run, path.stem, record)
