"""Hashes: what `make demo` installs has the hash of each of its files in requirements.txt, but for torch."""

import re
from configparser import ConfigParser
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
VERSIONS = {canonicalize_name(name): version for name, version in PINS.items()}
_OF_TORCH = re.compile(r"torch|triton|cuda-.*|nvidia-.*")


@pytest.fixture(scope="module")
def hashed():
    """Version and hashes by package, of those for this system."""
    found = {}
    for block in re.findall(r"^[^#\s].*(?:\n    --hash=.*)+", (ROOT / "requirements.txt").read_text(), re.MULTILINE):
        first, *hashes = (line.strip(" \\") for line in block.splitlines())
        requirement = Requirement(first)
        if requirement.marker is None or requirement.marker.evaluate():
            (pin,) = requirement.specifier
            found[canonicalize_name(requirement.name)] = (pin.operator, pin.version, hashes)
    return found


def needed(extra: str) -> set[str]:
    """Packages that `extra` of setup.cfg brings on this system, as those that are installed state it."""
    stated = ConfigParser()
    stated.read(ROOT / "setup.cfg")
    extras = stated["options.extras_require"]
    left = [
        (line, "") for line in stated["options"]["install_requires"].split("\n") + extras[extra].split("\n") if line
    ]
    found: set[str] = set()
    seen = set()
    while left:
        line, of_extra = left.pop()
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        if name == "lpienas":
            left += [(one, "") for named in requirement.extras for one in extras[named].split("\n") if one]
            continue
        found.add(name)
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                left += [(one, wanted) for one in requires(name) or ()]
    return found


def test_every_package_of_the_demo_but_torch_has_its_hashes(hashed):
    left = {name for name in needed("export") if not _OF_TORCH.fullmatch(name)}
    assert len(left) > 100
    assert left <= set(hashed)
    assert not [name for name in hashed if _OF_TORCH.fullmatch(name)]
    assert all(hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)
               for _, _, hashes in hashed.values())  # fmt: skip


def test_every_hashed_package_is_in_the_version_that_is_pinned(hashed):
    apart = {name: version for name, (operator, version, _) in hashed.items() if VERSIONS.get(name) != version}
    assert set(apart) <= {"setuptools"}  # which torch asks for, and every environment has
    assert {operator for operator, _, _ in hashed.values()} == {"=="}


def test_the_demo_installs_by_hash_first():
    rule = (ROOT / "Makefile").read_text().partition("$(INSTALLED): setup.cfg")[2]
    installs = [line for line in rule.replace("\\\n", "").splitlines() if "pip install" in line]
    assert "--require-hashes" in installs[0]
    assert "--requirement requirements.txt" in installs[0]
