"""The command, as a benchmark starts it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def lpienas(*words: object) -> None:
    """Run `lpienas` with `words`, from this checkout; raises subprocess.CalledProcessError where it fails."""
    python("-m", "lpienas", *words)


def python(*words: object, environment: Mapping[str, str] | None = None) -> None:
    """Run this Python with `words`; it finds the packages of this checkout."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    variables = os.environ | dict(environment or {}) | {"PYTHONPATH": path}
    subprocess.run([sys.executable, *map(str, words)], check=True, env=variables)
