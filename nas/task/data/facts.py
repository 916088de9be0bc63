"""Facts: what is known of a picture file without decoding it: a digest of its bytes, its size, whether it can be read.

Files are known again by what the system says they are (device, inode, length, time of change), under whatever name, so
that a large folder is gone through again in seconds, links to one file are looked at once, and renaming costs nothing.
"""

import hashlib
import mmap
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nas.task.data import reading
from nas.task.data.arrays import array_header, is_array
from nas.task.data.reading import Header, Unreadable

_VERSION = 2  # of what is looked at; another number, and all files are looked at again
_ENDS = 1 << 16  # bytes at either end of a file that tell whether it is whole
_DIGEST = 16  # bytes
_AT_ONCE = 1000  # files, after which what was found is written down


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one file; where `problem` is not empty the others mean nothing."""

    digest: str  # of its bytes
    height: int  # pixels, upright
    width: int
    bits: int  # of a channel
    count: int = 1  # pictures of this size in it
    problem: str = ""


class Ledger:
    """What was found before, in `digests.sqlite` of a folder; in memory where that cannot be written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._asked = connection, 0
        self._new: list[tuple[object, ...]] = []
        self._seen: dict[tuple[int, ...], Facts] = {}  # not written down yet

    def facts(self, path: Path) -> Facts:
        """Of the file `path`, looked at where it is new or has changed."""
        try:
            status = path.stat()
        except OSError as error:
            return Facts("", 0, 0, 0, problem=f"cannot be opened ({error.strerror})")
        # An inode is a signed 64-bit number to SQLite
        key = (status.st_dev, status.st_ino & (2**63 - 1), status.st_size, status.st_mtime_ns, _VERSION)
        if self._asked % _AT_ONCE == 0:
            self.keep()
            self._connection.execute("BEGIN")  # each question by itself would lock the file anew
        self._asked += 1
        found = self._connection.execute(
            "SELECT digest, height, width, bits, count, problem FROM files "
            "WHERE device = ? AND inode = ? AND length = ? AND changed = ? AND version = ?",
            key,
        ).fetchone()
        if found is not None:
            return Facts(*found)
        facts = self._seen.get(key)
        if facts is None:
            facts = self._seen[key] = looked_at(path)
            row = (*key, facts.digest, facts.height, facts.width, facts.bits, facts.count, facts.problem)
            self._new.append(row)
        return facts

    def keep(self) -> None:
        """Write down what was found; another process that writes for a minute costs that, and nothing else."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(f"INSERT OR REPLACE INTO files VALUES ({', '.join('?' * 11)})", self._new)
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        else:
            self._new, self._seen = [], {}


@contextmanager
def ledger(folder: Path) -> Iterator[Ledger]:
    """The ledger in `folder`; one in memory where that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = _connected(str(folder / "digests.sqlite"))
    except (OSError, sqlite3.Error):
        connection = _connected(":memory:")
    try:
        known = Ledger(connection)
        yield known
        known.keep()
    finally:
        connection.close()


def looked_at(path: Path) -> Facts:
    """The facts of `path`, from the file itself."""
    try:
        digest = digest_of(path)
        header, count = array_header(path) if is_array(path) else (reading.header_of(path), 1)
        if not _is_whole(path):
            for _ in reading.strips(path, 256):  # it looks cut off, and decoding it decides
                pass
    except Unreadable as error:
        return Facts("", 0, 0, 0, problem=str(error))
    except OSError as error:
        return Facts("", 0, 0, 0, problem=f"cannot be opened ({error.strerror})")
    return _facts(digest, header, count)


def digest_of(path: Path) -> str:
    """Hexadecimal, of the bytes of a file; raises OSError."""
    if not path.is_file():
        raise Unreadable("is no file" if path.exists() else "is not there")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST)).hexdigest()


def digest_of_bytes(held: bytes) -> str:
    """`digest_of` a file that holds these."""
    return hashlib.blake2b(held, digest_size=_DIGEST).hexdigest()


def _facts(digest: str, header: Header, count: int) -> Facts:
    return Facts(digest, header.height, header.width, header.bits, count)


def _is_whole(path: Path) -> bool:
    if is_array(path) or path.stat().st_size == 0:
        return True
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return reading.is_whole(data[:_ENDS], data[-_ENDS:])


def _connected(where: str) -> sqlite3.Connection:
    connection = sqlite3.connect(where, timeout=60, isolation_level=None)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS files (device INTEGER, inode INTEGER, length INTEGER, changed INTEGER, "
        "version INTEGER, digest TEXT, height INTEGER, width INTEGER, bits INTEGER, count INTEGER, problem TEXT, "
        "PRIMARY KEY (device, inode))"
    )
    return connection
