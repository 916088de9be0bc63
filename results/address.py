"""Address: the words of a command line without the password that the address of a storage among them may hold.

Nothing else is imported: a command that begins again without its password does so before all that takes time.
"""

import re
from urllib.parse import unquote

PASSWORD = "LPIENAS_STORAGE_PASSWORD"  # of the environment
_BEFORE_HOST = re.compile(r"(://[^/@:]*):(.*)@")
_PARAMETER = re.compile(r"(?<=[?&])(?:ssl)?password=([^&\s]*)&?")


def without_secret(word: str) -> tuple[str, str | None]:
    """(`word` as it may be kept and shown, the password that was in it), whether or not it is a good address."""
    if "://" not in word:
        return word, None
    named, given = _BEFORE_HOST.search(word), _PARAMETER.search(word)
    if given is not None:
        word = _PARAMETER.sub("", word).rstrip("?&")
    secret = named[2] if named is not None else given[1] if given is not None else None
    return _BEFORE_HOST.sub(r"\1@", word), None if secret is None else unquote(secret)
