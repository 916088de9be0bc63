"""Faults: what a search loses to each of them: kills, lost power, full disks, damaged files and others.

    python benchmarks/faults.py --times 3                     # make test-faults; docs/reliability.md
    python benchmarks/faults.py --only journal --times 20     # some of them

Its parts stand in tests/faults, since a short form is among the tests. Exits with the number of faults that cost more
than time.
"""

import sys

from command import python

if __name__ == "__main__":
    python("-m", "tests.faults", *sys.argv[1:])
