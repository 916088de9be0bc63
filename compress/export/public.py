"""Public: commands and sentences without the folders of the machine that they were said on.

Files go to others, and where somebody keeps photographs is nobody else's business: of every path stays its last name.
"""

import re
import shlex
from pathlib import Path

_KEPT_WORDS = ("--licence",)  # whose value is text for others, with slashes of its own
_SEPARATORS = re.compile(r"[/\\]")
_PAGE = re.compile(r"https?://", re.IGNORECASE)
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # of a study, a cluster or a share
_HOME = re.compile(r"~[^/\\]*")
# In a sentence: from the root, home or a drive, or through a parent, up to a space or what ends a clause.
_PATHS = re.compile(
    r"(?<![\w/\\.~])(?!(?<=:)//)"  # not within a path, nor behind the scheme of a page
    r"(?:~\w*|\$\w+|%\w+%|[A-Za-z]:|\.\.?|file:/)?[/\\][^\s,;'\"()]*[^\s,;:.'\"()/\\]"
)


def public_command(command: str) -> str:
    """`command` with the last name only of every path in it, alone or in `--option=path`; pages and the licence stay.

    Of an address of a study or a cluster, which names people, machines and files, its kind stays.
    """
    words, kept = [], False
    for word in shlex.split(command):
        option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        stays = kept or option in _KEPT_WORDS
        words.append(word if stays else f"{option}{equals}{last_name(value)}")
        kept = word in _KEPT_WORDS
    return shlex.join(words)


def last_name(path: str) -> str:
    """Of a path of any system, of an address its kind; a page, and what is no path, as it is."""
    if _PAGE.match(path):
        return path
    if address := _ADDRESS.match(path):
        return f"{address[0]}..."
    if _HOME.fullmatch(path):
        return "~"
    named = [part for part in _SEPARATORS.split(path) if part not in ("", ".", "..", "~")]
    return re.sub(r"^[A-Za-z]:", "", named[-1]) or path if named else path


def public_text(text: str, *folders: str | None) -> str:
    """`text` with the last name only of `folders`, however they are written, and of other paths from a root."""
    for folder in folders:
        if folder is None or not last_name(folder):
            continue
        home = Path(folder).expanduser()
        written = {folder, folder.rstrip("/\\"), str(home), str(home.absolute()), str(home.resolve())}
        for form in sorted(written - {"", "."}, key=len, reverse=True):
            if _SEPARATORS.search(form):
                text = text.replace(form, last_name(folder))
    return _PATHS.sub(lambda found: last_name(found[0]), text)
