"""PostgreSQL: a server of a test's own, in a folder of its own, that can be stopped and started again.

It is Debian's package, which tests/install-postgres brings; since none runs as root, it then runs as another user.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cret/with@signs"
USER = "lpienas"


def binaries() -> Path | None:
    """The folder of initdb and postgres, where they are installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


class Postgres:
    """A server on a port of this machine, that knows one user by a password."""

    def __init__(self, folder: Path) -> None:
        found = binaries()
        assert found is not None
        self._bin, self._folder, self._process = found, folder, None
        self._as = {"user": _not_root(), "group": _not_root()} if os.getuid() == 0 else {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        password = folder / "password"
        password.write_text(PASSWORD)
        if self._as:
            for path in (folder, password):
                shutil.chown(path, _not_root())
        options = ["--auth=scram-sha-256", f"--pwfile={password}", f"--username={USER}", "--no-sync", "--no-locale"]
        self._run("initdb", "--encoding=UTF8", "-D", str(folder / "data"), *options)

    def address(self, database: str = "postgres") -> str:
        """Without the password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it answers."""
        options = ["-k", str(self._folder), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self._folder / "data", *options],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=(self._folder / "log").open("a"), **self._as,
        )  # fmt: skip
        for _ in range(600):
            if (
                subprocess.run([self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode
                == 0
            ):
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        """As a crash: no connection is ended in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            time.sleep(0.5)  # its children notice

    def create(self, database: str) -> str:
        """A new database; returns its address."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        self._run("createdb", *where, database, env=os.environ | {"PGPASSWORD": PASSWORD})
        return self.address(database)

    def end_connections(self, address: str) -> int:
        """Of a database, as its administrator does; returns how many there were."""
        import psycopg

        with psycopg.connect(self.address(), password=PASSWORD) as asking:
            words = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s"
            ((ended,),) = asking.execute(words, (address.rpartition("/")[2],)).fetchall()
        return int(ended)

    def _run(self, program: str, *arguments: str, **options: object) -> None:
        subprocess.run(
            [self._bin / program, *arguments], cwd=self._folder, check=True, capture_output=True, **(self._as | options)
        )


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server for as long as it is needed."""
    # Not in pytest's folder, which only its own user may enter.
    with tempfile.TemporaryDirectory(prefix="lpienas-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _not_root() -> str:
    """A user that a server may run as."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)
