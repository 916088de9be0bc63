"""Source: where the pixels of one picture come from, which may be a package that brings the samples."""

from dataclasses import dataclass
from pathlib import Path

from nas.task.data.layouts import DataError

SIDE = 256  # pixels of a tile: 48 whole pages of memory at 8 bits


@dataclass(frozen=True, slots=True)
class Source:
    """A picture in a file."""

    folder: Path | None  # None: the packages that bring the samples
    file: str  # relative to the folder
    digest: str  # of the file's bytes
    height: int
    width: int
    bits: int
    place: int | None = None  # among the pictures of a `.mat` file

    @property
    def path(self) -> Path:
        return path_of(self.folder, self.file)

    @property
    def name(self) -> str:
        """Of its tiles."""
        return self.digest if self.place is None else f"{self.digest}-{self.place}"

    @property
    def bytes(self) -> int:
        """Of its tiles."""
        return -(-self.height // SIDE) * -(-self.width // SIDE) * SIDE * SIDE * 3 * self.bits // 8


def path_of(folder: Path | None, file: str) -> Path:
    """Of a file in a user's folder, or of a sample in the package that its path begins with."""
    if folder is not None:
        return folder / file
    from importlib.util import find_spec

    package, _, rest = file.partition("/")
    found = find_spec(package)  # locates without importing, which takes seconds for scikit-learn
    if found is None or not found.submodule_search_locations:
        raise DataError(f"sample photo {file}: the package {package} is not installed; install lpienas with pip")
    return Path(found.submodule_search_locations[0]) / rest
