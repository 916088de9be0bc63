"""Own: code that a user wrote, in one Python file, known by the digest of what the file holds.

The code runs only where a user of this machine has named its file, on the command line or in Python; then a copy is
kept beside the cache of photographs. A run states the digest alone: no folder from elsewhere has code run.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.task.data.tiles import default_folder
from results.files import written_whole
from search_spaces.code import digest_of, file_and_name, run_code

_DIGEST = 12  # bytes
_FORM = "write the file and the name in it, like rain.py:Rain"


@dataclass(frozen=True, slots=True)
class OwnCode:
    """What `name` is in a file of this digest."""

    file: str  # its name, without folders
    name: str
    digest: str  # search_spaces.code.digest_of the file

    @classmethod
    def named(cls, text: str) -> "OwnCode":
        """What `text`, FILE.py:NAME, names; a copy of the file is kept, and not run yet. Raises ValueError, OSError.

        The file stands alone: it may import packages, and no other file beside it.
        """
        named = file_and_name(text)
        if named is None:
            raise ValueError(f"{text!r}: {_FORM}")
        path, name = named
        held = path.read_bytes()
        found = cls(path.name, name, digest_of(held, _DIGEST))
        if not found.kept.exists():
            with written_whole(found.kept) as temporary:
                temporary.write_bytes(held)
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "OwnCode":
        """Inverse of `to_json`; raises ValueError for something else."""
        if set(value) != {"file", "name", "digest"} or not all(isinstance(one, str) for one in value.values()):
            raise ValueError(f"own code {dict(value)}: must have file, name and digest; name the file again")
        return cls(**value)

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def made_from(self) -> dict[str, str]:
        """For keys: what the code is, however its file is called."""
        return {"name": self.name, "digest": self.digest}

    @property
    def kept(self) -> Path:
        """Where the copy is on this machine."""
        return default_folder() / "own" / f"{self.digest}.py"

    def read(self) -> Any:
        """The thing itself; of a class, what it makes without arguments.

        Raises ValueError for a file that was not named on this machine, that cannot be run, or has no such name.
        """
        module = _run(self.kept, self.file, self.digest)
        if not hasattr(module, self.name):
            raise ValueError(f"{self.file} has no {self.name}: {_FORM}")
        found = getattr(module, self.name)
        return self.told(found) if isinstance(found, type) else found

    def told(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What the user's function returns; raises ValueError, with the line of the file, where it raises."""
        try:
            return call(*arguments)
        except Exception as error:
            raise ValueError(f"{self.file}:{self.name}: {_line(self.kept, error)}") from error


@lru_cache(maxsize=8)
def _run(kept: Path, file: str, digest: str) -> ModuleType:
    """The module that the copy at `kept` is; run once in a process."""
    if not kept.exists():
        raise ValueError(
            f"{file}, which this run was made with, is code and runs only where it was named: name it once on this "
            f"machine, as it was when the run was begun (its digest is {digest})"
        )
    held = kept.read_bytes()
    if digest_of(held, _DIGEST) != digest:
        raise ValueError(f"{kept}: is not what was kept there; delete it, and name {file} again")
    try:
        return run_code(held, kept, f"lpienas_own_{digest}")
    except Exception as error:
        raise ValueError(f"{file}: {_line(kept, error)}") from error


def _line(kept: Path, error: Exception) -> str:
    """The error in one line, with the last line of the user's file that it passed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(kept)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    at = f"line {lines[-1]}: " if lines else ""
    return f"{at}{type(error).__name__}: {error}"
