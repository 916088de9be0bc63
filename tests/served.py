"""Served: a program that answers on a port of this machine for as long as a test asks it."""

import socket
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.error import URLError
from urllib.request import urlopen

Answer = TypeVar("Answer")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def asked(port: int, which: str, server: "subprocess.Popen[bytes]") -> bytes:
    """What is at `which`, as soon as `server` answers there."""

    def ask() -> bytes:
        with urlopen(f"http://127.0.0.1:{port}{which}") as answer:
            return bytes(answer.read())

    return _once_there(ask, server)


def listens(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Returns once `server` takes connections."""
    _once_there(lambda: socket.create_connection(("127.0.0.1", port)).close(), server)


def _once_there(ask: Callable[[], Answer], server: "subprocess.Popen[bytes]") -> Answer:
    for _ in range(900):
        try:
            return ask()
        except (URLError, ConnectionRefusedError):
            assert server.poll() is None, "it ended"
            time.sleep(0.2)
    raise AssertionError("it does not answer")
