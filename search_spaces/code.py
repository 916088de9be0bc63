"""Code: a Python file that a user wrote, and what it is named by, FILE.py:NAME."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType


def file_and_name(text: str) -> tuple[Path, str] | None:
    """The file and the name in it that `text`, FILE.py:NAME, is; None where it has another form."""
    file, _, name = text.rpartition(":")
    return (Path(file).expanduser(), name) if file.endswith(".py") and name.isidentifier() else None


def digest_of(held: bytes, size: int) -> str:
    """What is known of a file that holds these bytes: `size` bytes, in hexadecimal; the ends of lines are alike."""
    return hashlib.blake2b(held.replace(b"\r\n", b"\n"), digest_size=size).hexdigest()


def run_code(held: bytes, path: Path, name: str) -> ModuleType:
    """The module that a file at `path` which holds these bytes is, known as `name`; raises whatever its code raises.

    Not by importlib, which takes compiled code of before where a file changed within its second.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        exec(compile(held, str(path), "exec"), module.__dict__)
    except Exception:
        del sys.modules[name]
        raise
    return module
