"""`python -m lpienas`: the command."""

import sys

from lpienas.command import main

if __name__ == "__main__":
    sys.exit(main())
