"""Hidden: a password that was typed in an address does not stay where a list of processes shows it."""

import os
import re
import sys
from urllib.parse import unquote

PASSWORD = "LPIENAS_STORAGE_PASSWORD"  # of the environment, as results.storage reads it
_IN_ADDRESS = re.compile(r"((?:^|=)[a-z+]+://[^/@:]*):(.*)@")


def hide_password() -> None:
    """Begin this command again without the password of an address, which goes to its environment."""
    words, secret = without_password(sys.orig_argv)
    if secret is None or os.name != "posix":
        return
    os.execve(sys.executable, words, os.environ | {PASSWORD: secret})


def without_password(words: list[str]) -> tuple[list[str], str | None]:
    """The words of a command line, and the password that one of them held."""
    found = next((match for word in words if (match := _IN_ADDRESS.search(word))), None)
    plain = [_IN_ADDRESS.sub(r"\1@", word) for word in words]
    return plain, None if found is None else unquote(found[2])
