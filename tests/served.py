"""Served: a program that answers on a port of this machine for as long as a test asks it."""

import socket
import subprocess
import time
from urllib.error import URLError
from urllib.request import urlopen


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def asked(port: int, which: str, server: "subprocess.Popen[bytes]") -> bytes:
    """What is at `which`, as soon as `server` answers there."""
    for _ in range(900):
        try:
            with urlopen(f"http://127.0.0.1:{port}{which}") as answer:
                return bytes(answer.read())
        except URLError:
            assert server.poll() is None, "it ended"
            time.sleep(0.2)
    raise AssertionError("it does not answer")


def listens(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Returns once `server` takes connections."""
    for _ in range(900):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert server.poll() is None, "it ended"
            time.sleep(0.2)
        else:
            return
    raise AssertionError("it does not listen")
