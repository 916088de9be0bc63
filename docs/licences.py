"""Licences: writes licences.md, the licence of each package that constraints.txt pins, as its own metadata state it.

python docs/licences.py
"""

from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
_MOST = 60  # characters of a licence's name; more is its text
_HEAD = """# Licences

lpienas is under Apache-2.0. What it is built on and tried with has these licences, as the packages' own metadata state
them; `python docs/licences.py` wrote this page from constraints.txt. What only tests and these pages need is among
them: which extra brings what stands in setup.cfg.

| package | version | licence |
|---|---|---|
"""


def licence_of(found: PackageMetadata) -> str:
    """In one line."""
    stated = (found.get("License-Expression") or found.get("License") or "").strip().removeprefix("UNKNOWN")
    if stated and len(stated) <= _MOST and "\n" not in stated:
        return stated
    classified = [line.rpartition(" :: ")[2] for line in found.get_all("Classifier", []) if line.startswith("License")]
    return ", ".join(one for one in classified if one != "OSI Approved") or _first_line(stated)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:_MOST]


def page() -> str:
    rows = []
    for pin in (ROOT / "constraints.txt").read_text().split():
        name, _, version = pin.partition("==")
        try:
            licence = licence_of(metadata(name)) or "not stated"
        except PackageNotFoundError:
            licence = "not installed here"
        rows.append(f"| {name} | {version} | {licence.replace('|', '/')} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
