"""Storage: where a study is kept: in a file of its run, or on a server that several machines share.

An address is kept, shown and compared without its password, which comes from the address as it was typed, from the
environment, or, for PostgreSQL, from where its own clients look for it.
"""

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, GrpcStorageProxy, RDBStorage, get_storage
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from results.address import PASSWORD
from results.journal import journal_storage
from results.patient import WAITS, Patience, Patient, Say, Unanswered, is_silence
from results.rows import Rows

DATABASE = ".db"  # suffix of the SQLite files in which older runs have their study
FORMS = "postgresql://USER@HOST/DATABASE, grpc://HOST:PORT or sqlite:///FILE"
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg", "sqlite": "sqlite"}
_BEGINS = 15.0  # seconds for which a storage may be silent when it is opened
_TRIES = 5  # of making the tables, while another search makes them too
_SECRET = ("password", "sslpassword")  # parameters of an address


@dataclass(frozen=True, slots=True)
class Shared:
    """A study on a server."""

    address: str  # as `without_password` gives it
    study: str  # its name there

    def __str__(self) -> str:
        return f"study {self.study} at {self.address}"

    def exists(self) -> bool:
        """Whether it is there; raises Unanswered, ValueError as `connected`."""
        return self.attributes() is not None

    def attributes(self) -> dict[str, Any] | None:
        """What all of its trials share, as the study keeps it; None where there is no study. Raises as `exists`."""
        storage = connected(self, lambda line: None)
        try:
            found: dict[str, Any] = storage.get_study_user_attrs(storage.get_study_id_from_name(self.study))
        except KeyError:
            return None
        return found


Where = Path | Shared


def without_password(text: str) -> tuple[str, str | None]:
    """(An address as it may be shown, the password that was in it); raises ValueError, which does not show it either.

    A relative file of SQLite is made absolute.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"--storage: must be {FORMS}") from None  # what was typed may hold a password
    if url.drivername == "grpc":
        if not url.host or not url.port or url.password:
            raise ValueError("--storage grpc://...: must be grpc://HOST:PORT, without user or password")
        return f"grpc://{url.host}:{url.port}", None
    if url.drivername not in _DRIVERS or not url.database:
        raise ValueError(f"--storage {url.drivername}://...: must be {FORMS}")
    secret = url.password or next((str(url.query[name]) for name in _SECRET if name in url.query), None)
    query = {name: value for name, value in url.query.items() if name not in _SECRET}
    database = str(Path(url.database).absolute()) if url.drivername == "sqlite" else url.database
    named = url.drivername.partition("+")[0]
    plain = URL.create(named, url.username, None, url.host, url.port, database, query)
    return plain.render_as_string(hide_password=False), None if secret is None else str(secret)


def kept_apart(text: str) -> str:
    """`without_password`, whose password goes to the environment of this process and of those that it starts."""
    address, secret = without_password(text)
    if secret is not None:
        os.environ[PASSWORD] = secret
    return address


def storage_of(path: Path) -> BaseStorage:
    """Of a file: a journal, one line a change; or SQLite, in which older runs have their study."""
    if path.suffix == DATABASE:
        return RDBStorage(
            URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False),
            engine_kwargs={"connect_args": {"timeout": 60}},  # seconds that a second reader waits for the lock
        )
    return journal_storage(path)


def connected(where: Shared, say: Say, waits: float = WAITS) -> BaseStorage:
    """The storage at an address; later silences of up to `waits` seconds are told to `say`, and waited for.

    Raises Unanswered where nothing answers, ValueError where the server refuses, ModuleNotFoundError for an extra that
    is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    secret = os.environ.get(PASSWORD)
    if where.address.startswith("sqlite"):  # a file that may be another one by now
        opened = partial(_opened, where.address, secret)
    else:
        opened = partial(_held, where.address, secret, os.getpid())
    try:
        inner = Patience(where.address, lambda line: None, _BEGINS).answered(opened)
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()[-1] if error.orig is not None else type(error).__name__
        raise ValueError(f"{where.address} refuses: {said}{_ways_in(where.address)}") from None
    return Patient(inner, Patience(where.address, say, waits))


@lru_cache(maxsize=8)
def _held(address: str, secret: str | None, process: int) -> BaseStorage:
    """`_opened`, once a process, whose connections no fork of it may use: a command asks for it at every step."""
    return _opened(address, secret)


def _opened(address: str, secret: str | None) -> BaseStorage:
    if address.startswith("grpc://"):
        return _proxy(address)
    url = make_url(address)
    of_driver: dict[str, Any] = {"timeout": 60}  # seconds for which SQLite waits for another writer
    if url.drivername == "postgresql":
        import psycopg  # noqa: F401, which the extra brings

        # Seconds, and milliseconds after which a connection whose other end has gone is given up.
        of_driver = {"connect_timeout": 10, "tcp_user_timeout": 30_000} | ({"password": secret} if secret else {})
    text = url.set(drivername=_DRIVERS[url.drivername]).render_as_string(hide_password=False)
    for attempt in range(_TRIES):
        try:
            # Optuna fills the braces of an address in.
            return get_storage(
                Rows(
                    text.replace("{", "{{").replace("}", "}}"),
                    engine_kwargs={"connect_args": of_driver, "pool_pre_ping": True},
                )
            )
        except DBAPIError as error:
            if is_silence(error) or attempt == _TRIES - 1 or not _is_of_making(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def _proxy(address: str) -> BaseStorage:
    import grpc  # noqa: F401, which the extra brings

    url = make_url(address)
    assert url.host is not None  # in an address of `without_password`
    assert url.port is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        proxy = GrpcStorageProxy(host=url.host, port=url.port)
    try:
        proxy.wait_server_ready(timeout=_BEGINS)
    except ConnectionError:
        raise Unanswered(
            f"{address} does not answer: start the proxy there, as docs/storage.md shows, or see that it can be reached"
        ) from None
    return proxy


def _is_of_making(error: DBAPIError) -> bool:
    """Whether another process made the tables at the same moment."""
    return "already exists" in str(error.orig) or "UniqueViolation" in type(error.orig).__name__


def _ways_in(address: str) -> str:
    if not address.startswith("postgresql"):
        return ""
    return f". A password is taken from the address, from {PASSWORD}, from PGPASSWORD or from ~/.pgpass"
