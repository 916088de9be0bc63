"""Matlab: the arrays of a `.mat` file (versions 5 to 7), read by scipy in a process of its own.

A damaged one can end the process that reads it. What is packed is counted before anything is unpacked.
"""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 4 * 10**9  # unpacked; SIDD's blocks are a sixteenth of it
_HEADER, _PACKED = 128, 15  # bytes; type of an element
_PART = 1 << 20  # bytes at a time
_NEWER = "is a MATLAB file of version 7.3; save it in MATLAB with `save -v7`"
# What the process runs: it gets by on scipy alone, and hands arrays on as .npy files, which hold no objects.
_READS = """
import json, sys
from pathlib import Path
import numpy as np
from scipy.io import loadmat, whosmat
source, folder, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
try:
    if names == ["?"]:
        found = [[name, list(map(int, shape)), kind] for name, shape, kind in whosmat(source)]
    else:
        found = []
        for name, value in sorted(loadmat(source, variable_names=names or None).items()):
            if name.startswith("__"):
                continue
            for cell in value.ravel() if value.dtype == object else [value]:
                if isinstance(cell, np.ndarray) and cell.dtype.kind in "fiub":
                    np.save(folder / f"{len(found)}.npy", cell, allow_pickle=False)
                    found.append([name])
    print(json.dumps(found))
except NotImplementedError:
    sys.exit(3)
except BaseException as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def variables(path: Path) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of each variable; raises ValueError where it cannot be read."""
    with TemporaryDirectory(prefix="lpienas-") as folder:
        return [(name, tuple(shape), kind) for name, shape, kind in _asked(path, folder, "?")]


def arrays_of(path: Path, *names: str) -> list[tuple[str, NDArray[Any]]]:
    """The arrays of numbers in the variables of these names, or in all, by name; a cell array holds several.

    Raises ValueError where it cannot be read, and where more than MOST_BYTES would be unpacked.
    """
    unpacked = 0
    for size in _unpacked(path):
        unpacked += size
        if unpacked > MOST_BYTES:
            raise ValueError(f"would be more than {MOST_BYTES / 1e9:g} GB unpacked, and no more is read")
    with TemporaryDirectory(prefix="lpienas-") as folder:
        found = _asked(path, folder, *names)
        return [
            (name, np.load(Path(folder) / f"{number}.npy", allow_pickle=False)) for number, (name,) in enumerate(found)
        ]


def _asked(path: Path, folder: str, *names: str) -> Any:
    # By its own path: a name that begins with a dash is no option. -P: no module beside where it was begun is taken.
    words = [sys.executable, "-P", "-c", _READS, str(path.absolute()), folder, *names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        raise ValueError(_NEWER)
    if done.returncode < 0:
        raise ValueError(f"cannot be read as a MATLAB file (scipy ends with signal {-done.returncode})")
    if done.returncode:
        raise ValueError(f"cannot be read as a MATLAB file ({(done.stderr.strip().splitlines() or ['?'])[-1]})")
    return json.loads(done.stdout)


def _unpacked(path: Path) -> Iterator[int]:
    """Bytes of the packed variables, part after part; nothing is kept. Raises ValueError for what is not packed so."""
    with path.open("rb") as file:
        order = "<" if file.read(_HEADER)[-2:] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, length = struct.unpack(f"{order}II", tag)
            if kind != _PACKED:
                file.seek(length, 1)
                continue
            unpacking, packed = zlib.decompressobj(), file.read(length)
            while packed and not unpacking.eof:
                try:
                    yield len(unpacking.decompress(packed, _PART))
                except zlib.error as error:
                    raise ValueError(f"cannot be read as a MATLAB file ({error})") from error
                packed = unpacking.unconsumed_tail
