"""Installed: what `pip install lpienas` and its extras bring, in packages and bytes, and what the core's imports take.

    pip wheel --no-deps . --wheel-dir wheels      # the size of lpienas itself
    python benchmarks/installed.py [--json]

Packages are those that lpienas and its extras ask for, directly or through others, on this platform; their bytes are
those of the files that importlib.metadata lists, in the environment that runs this. Times are processor seconds, the
least of --times calls in processes of their own.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

EXTRAS = ("", "search", "export", "openvino", "coreml")
CALLS = {
    "python -c ''": ["-c", ""],
    "import lpienas": ["-c", "import lpienas"],
    "lpienas --help": ["-m", "lpienas", "--help"],
    "import torch": ["-c", "import torch"],
    "what opens a network": ["-c", "import results.files"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    brought = {extra: sorted(needed("lpienas", extra)) for extra in EXTRAS}
    missing = sorted({name for names in brought.values() for name in names if size_of(name) is None})
    rows = {
        f"lpienas[{extra}]" if extra else "lpienas": {
            "packages": len(names),
            "bytes": sum(size_of(name) or 0 for name in names),
        }
        for extra, names in brought.items()
    }
    seconds = {name: min(seconds_of(words) for _ in range(options.times)) for name, words in CALLS.items()}
    if options.json:
        print(json.dumps({"installed": rows, "not_installed": missing, "torch": size_of("torch"), "seconds": seconds}))
        return
    for name, row in rows.items():
        print(f"{name:20} {row['packages']:4} packages {row['bytes'] / 1e9:6.2f} GB")
    print(f"{'of these torch':20} {'':13} {(size_of('torch') or 0) / 1e9:6.2f} GB, {distribution('torch').version}")
    if missing:
        print(f"not installed here, and not in these bytes: {', '.join(missing)}")
    for name, taken in seconds.items():
        print(f"{name:20} {taken:6.2f} s")


def needed(package: str, extra: str) -> set[str]:
    """Names of all packages that `package` with one extra, or none, asks for, without itself."""
    found: set[tuple[str, str]] = set()
    left = [(package, extra)]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [*asked_by(*one), *([(one[0], "")] if one[1] else [])]
    return {name for name, _ in found} - {package}


def asked_by(package: str, extra: str) -> Iterator[tuple[str, str]]:
    """What one package asks for here: names, each with an extra, or none."""
    try:
        requires = distribution(package).requires or []
    except PackageNotFoundError:
        return
    for text in requires:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            name = wanted.name.lower().replace("_", "-")
            yield from ((name, extra) for extra in wanted.extras or ("",))


def size_of(package: str) -> int | None:
    """Bytes of a package's files; None where it is not installed."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    return sum(path.stat().st_size for file in files if (path := file.locate()).is_file())  # type: ignore[attr-defined]


def seconds_of(words: list[str]) -> float:
    """Processor seconds of one call of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
