"""Files: written whole or not at all, and networks kept as JSON plus safetensors."""

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from search_spaces.family import FamilyError, OwnFamily
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network, blueprint_from_json, built


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place on success and vanishes on failure.

    Its bytes are on the disk before it has its name, so that a loss of power leaves the file before or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)  # less the umask; mkstemp gives 0600
    mode = stat.S_IMODE(os.fstat(handle).st_mode)
    os.close(handle)
    try:
        yield temporary
        temporary.chmod(mode)  # a library may have put a file of its own there
        to_disk(temporary)
        temporary.replace(path)
        to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to make a folder at, which takes its place on success and vanishes on failure.

    A folder cannot replace another in one step: a kill between the two leaves none at `path`, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}-{secrets.token_hex(4)}")
    beside.mkdir()
    mode = stat.S_IMODE(beside.stat().st_mode)  # as the umask has it; libraries make theirs by mkstemp and mkdtemp
    temporary = beside / path.name
    try:
        yield temporary
        for inner in (*temporary.rglob("*"), temporary):
            inner.chmod(mode if inner.is_dir() else mode & 0o666)
            to_disk(inner)
        move_over(temporary, path)
        to_disk(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def to_disk(path: Path) -> None:
    """Wait until what was written to a file, or which names a folder holds, would outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_over(source: Path, target: Path) -> None:
    """`source`, a file or a folder, under the name `target` in the same file system; what is there goes."""
    if target.is_dir():
        with tempfile.TemporaryDirectory(prefix=f".{target.stem}-", dir=target.parent) as aside:
            target.rename(Path(aside) / target.name)
            source.rename(target)
        return
    source.replace(target)


def remove(path: Path) -> None:
    """`path`, a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def require_no_way_out(folder: Path) -> None:
    """Raises ValueError for a link in `folder`, at any depth, that leads out: what is written would be elsewhere."""
    root = folder.resolve()
    for parent, folders, files in os.walk(root):  # which follows no links
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ValueError(
                    f"{folder / path.relative_to(root)} is a link to {path.resolve()}, outside of {folder}, where "
                    "nothing is written: put what it leads to in its place"
                )


def require_inside(folder: Path, paths: Iterable[Path]) -> None:
    """Raises ValueError where the way from `folder` to one of `paths` below it is a link that leads out of it."""
    root = folder.resolve()
    for path in paths:
        if not path.parent.resolve().is_relative_to(root):
            raise ValueError(
                f"{path.parent} is a link to {path.parent.resolve()}, outside of {folder}, where nothing is written: "
                "put what it leads to in its place"
            )


def plain_name(name: str, source: Path) -> str:
    """`name`, which the file `source` holds, as the name of a file beside others; raises ValueError for a path."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(
            f"{source} names a file {name!r}: must be a name without a folder; mend the file, or delete it"
        )
    return name


def bytes_of(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def sha256_of(path: Path) -> str:
    """Hexadecimal, of a file; of a folder that of the lines `DIGEST  NAME` of its files, sorted by name."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{sha256_of(path / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def write_json(path: Path, value: dict[str, Any]) -> None:
    """One JSON object, indented; raises ValueError for NaN or infinity."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


_OF_SYSTEM = re.compile(r"os error (\d+)")  # in what safetensors says
_DIGEST = "digest"  # key of a tensor file's metadata
MADE_AGAIN = "delete it to have it made again"


def read_json(path: Path, mend: str = MADE_AGAIN) -> dict[str, Any]:
    """The object in `path`; raises ValueError naming the file, and what to do, when it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}): {mend}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object: {mend}")
    return value


@contextmanager
def held_in(path: object, mend: str = MADE_AGAIN) -> Iterator[None]:
    """Within it what `path` held is made use of; where that is of another kind the ValueError names the file."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} holds something else than it should ({what}): {mend}") from error


def fingerprint(inputs: Any) -> str:
    """Twelve letters that name a JSON value: part of the name of a file that depends on all of it."""
    return hashlib.blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=6).hexdigest()


def network_fingerprint(path: Path) -> str:
    """Hexadecimal digest of a saved network, its blueprint and its weights; `path` has no suffix."""
    digest = hashlib.sha256(path.with_suffix(".json").read_bytes())
    digest.update(path.with_suffix(".safetensors").read_bytes())
    return digest.hexdigest()


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Tensors by name, with text beside them, and a digest by which `read_tensors` knows that they are the same."""
    held = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with written_whole(path) as temporary:
        try:
            save_file(held, temporary, {_DIGEST: digest_of_tensors(held)} | (metadata or {}))
        except SafetensorError as error:
            if (code := _OF_SYSTEM.search(str(error))) is None:
                raise
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error  # a full disk, and others


def read_tensors(path: Path) -> dict[str, Tensor]:
    """What `write_tensors` wrote; raises ValueError that names the file where one bit of it is another."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            written = (file.metadata() or {}).get(_DIGEST)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from error
    if written is not None and written != digest_of_tensors(tensors):  # versions before kept none
        raise ValueError(f"{path} is damaged: its values are not those that were written")
    return tensors


def digest_of_tensors(tensors: dict[str, Tensor]) -> str:
    """Hexadecimal, of names, types, shapes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def network_at(path: Path) -> Path | None:
    """The saved network that `path` names, its .json, its .safetensors or neither, without suffix; else None.

    Raises FileNotFoundError where one of the two files is missing.
    """
    bare = path.with_suffix("") if path.suffix in (".json", ".safetensors") else path
    blueprint, weights = bare.with_suffix(".json"), bare.with_suffix(".safetensors")
    if path.is_dir() or not (blueprint.is_file() or weights.is_file()):
        return None
    for one, other, holds in ((blueprint, weights, "blueprint"), (weights, blueprint, "weights")):
        if not one.is_file():
            raise FileNotFoundError(
                f"{one} is not there, beside {other.name}: a network is two files, and that one holds its {holds}; "
                "copy both"
            )
    return bare


def save_network(path: Path, network: Network) -> None:
    """`path`.json (blueprint) and `path`.safetensors (weights, written last: its presence means complete)."""
    write_json(path.with_suffix(".json"), network.blueprint.to_json())
    write_tensors(path.with_suffix(".safetensors"), network.state_dict())


def load_network(path: Path) -> LPIENet:
    """The LPIENet that `save_network` wrote.

    Raises ValueError for another JSON, for weights that do not fit it, and for a network of an own family.
    """
    network = load_any(path)
    assert isinstance(network, LPIENet)  # no family is named, so that no other can be built
    return network


def load_any(path: Path, families: Sequence[OwnFamily] = ()) -> Network:
    """The network that `save_network` wrote, an LPIENet or of one of `families`, those whose files the user named.

    Raises ValueError for another JSON, for weights that do not fit it, and for a family that is not among them.
    """
    described = path.with_suffix(".json")
    try:
        network = built(blueprint_from_json(read_json(described), families), seed=0)
    except FamilyError as error:
        raise ValueError(f"{described}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{described} is no network of lpienas: {error}") from error
    try:
        network.load_state_dict(read_tensors(path.with_suffix(".safetensors")))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the weights in {path.with_suffix('.safetensors')} do not load: {error}") from error
    return network.eval()


def has_network(path: Path) -> bool:
    """Whether `save_network(path, ...)` has finished."""
    return path.with_suffix(".json").exists() and path.with_suffix(".safetensors").exists()
