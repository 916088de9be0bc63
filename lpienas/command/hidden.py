"""Hidden: a password that was typed in an address does not stay where a list of processes shows it."""

import os
import sys

from results.address import PASSWORD, without_secret


def hide_password() -> None:
    """Begin this command again without the password of an address, which goes to its environment."""
    words, secret = without_password(sys.orig_argv)
    if secret is None or os.name != "posix":
        return
    os.execve(sys.executable, words, os.environ | {PASSWORD: secret})


def without_password(words: list[str]) -> tuple[list[str], str | None]:
    """The words of a command line, and the password that one of them held."""
    apart = [without_secret(word) for word in words]
    return [plain for plain, _ in apart], next((secret for _, secret in apart if secret is not None), None)
