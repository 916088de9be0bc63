"""Carried: files that a node of a cluster does not see where they are said to be; it keeps each by its digest.

Each is brought once to a node, whoever asks for it there.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from nas.task.data.facts import digest_of_bytes
from nas.where.told import Files
from results.files import fingerprint, plain_name, written_whole
from results.store import CHECKPOINT, Store

_UNUSED = 7 * 24 * 3600.0  # seconds after which what was carried goes


class Missing(Exception):
    """Files that have to be brought first: the paths that they have where the search runs, by digest."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        super().__init__(", ".join(sorted(paths.values())))
        self.paths = dict(paths)


class Carried:
    """What was carried to the folder `kept` of this machine; a nas.where.told.Found for one piece of work."""

    def __init__(self, kept: Path, store: Path | None = None) -> None:
        """`store` stands for the run's own store; None: this machine sees that."""
        self._kept, self._store = kept, store

    def folder(self, files: Files, read: bool = True) -> Path:
        """Where it is said to be, if these files are there, else a folder of the same names; raises Missing."""
        if files.are_here(read):
            return files.folder
        self.require(files)
        beside = self._kept / f"folder-{fingerprint(dict(files.digests))}"
        for name, digest in files.digests.items():
            if not (beside / name).exists():
                self.copy(digest, beside / name)
        return beside

    def store(self, store: Store) -> Store:
        return store if self._store is None else Store(self._store)

    def require(self, files: Files) -> None:
        """Raises Missing for those that were not brought."""
        missing = {
            digest: str(files.folder / name)
            for name, digest in files.digests.items()
            if not self._blob(digest).exists()
        }
        if missing:
            raise Missing(missing)

    def bring(self, digest: str, held: bytes) -> None:
        """Keep a file; raises ValueError where it is not what its digest says."""
        if digest_of_bytes(held) != digest:
            raise ValueError(f"a file of digest {digest} changed while it was carried: begin again")
        with written_whole(self._blob(digest)) as temporary:
            temporary.write_bytes(held)

    def copy(self, digest: str, path: Path) -> None:
        """A file that was brought, at `path`."""
        blob = self._blob(digest)
        os.utime(blob)
        with written_whole(path) as temporary:
            shutil.copyfile(blob, temporary)

    def clear(self) -> None:
        """What nobody used for a week goes."""
        for blob in self._kept.glob("blob-*") if self._kept.is_dir() else ():
            if time.time() - blob.stat().st_mtime > _UNUSED:
                blob.unlink(missing_ok=True)

    def _blob(self, digest: str) -> Path:
        return self._kept / plain_name(f"blob-{digest}", self._kept)


class Away:
    """Stages of a run's store on a machine that does not see it: laid out, worked in, and told what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._lock = folder, Lock()
        self._known: dict[str, str] = {}

    def lay(self, files: Files, carried: Carried) -> None:
        """Make the folder hold these files and no others; raises Missing."""
        carried.require(files)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, digest in files.digests.items():
            carried.copy(digest, self.folder / name)
        self._known = dict(files.digests)

    def changed(self) -> dict[str, bytes | None]:
        """Files, by their paths in the folder, that are new or others since this was last asked; None: it is gone.

        Each is told once, whichever thread asks.
        """
        with self._lock:
            return self._changed()

    def _changed(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for name, path in stage_files(self.folder).items():
            try:
                held = path.read_bytes()
            except FileNotFoundError:  # it was removed just now
                continue
            digest = digest_of_bytes(held)
            if self._known.get(name) != digest:
                self._known[name], found[name] = digest, held
        for name in [name for name in self._known if not (self.folder / name).exists()]:
            del self._known[name]
            found[name] = None
        return found


def take_back(store: Path, stages: set[str], changed: Mapping[str, bytes | None]) -> None:
    """Write what `Away.changed` told into the store, records last; raises ValueError for a name outside `stages`."""
    for name in sorted(changed, key=lambda name: (name.endswith(".json"), "record" in name, name)):
        stage, _, file = name.partition("/")
        if stage not in stages:
            raise ValueError(f"a worker left {name!r}: must be in a stage that it was asked for")
        path, held = store / plain_name(stage, store) / plain_name(file, store), changed[name]
        if held is not None:
            with written_whole(path) as temporary:
                temporary.write_bytes(held)
        elif file.startswith(CHECKPOINT):
            path.unlink(missing_ok=True)


def stage_files(store: Path, stages: set[str] | None = None) -> dict[str, Path]:
    """Files of stages (None: all that are there), by their paths in the store; unfinished ones are left out."""
    folders = (store / stage for stage in stages) if stages is not None else store.glob("*")
    return {
        f"{folder.name}/{file.name}": file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.is_file() and file.name[0] != "."
    }
