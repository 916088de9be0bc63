"""Fuzz: damaged pictures in all formats through reading, tiling and writing: crashes, hangs, peak memory.

    python benchmarks/fuzz.py --inputs 100000                # docs/reliability.md has what came of it
    python benchmarks/fuzz.py --first 4711 --inputs 1        # one input again

Its parts stand in tests/fuzz, since a short form is among the tests.
"""

import sys

from command import python

if __name__ == "__main__":
    python("-m", "tests.fuzz", *sys.argv[1:])
