"""At once: a benchmark that shares its work between processes, begun several times in one, for a card.

    python benchmarks/at_once.py 12 table.py --data ~/photographs --out runs/table

A training of a small network keeps a card busy for a part of the time; threads of one process fill the rest of it,
where processes of their own would take turns. On a processor, begin the benchmark itself as often as there are cores.
"""

import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from curves import one_thread


def main() -> None:
    if len(sys.argv) < 3 or not sys.argv[1].isdecimal():
        sys.exit(__doc__)
    count, script = int(sys.argv[1]), Path(__file__).parent / sys.argv[2]
    sys.argv = [str(script), *sys.argv[3:]]
    one_thread()
    work = runpy.run_path(str(script))["main"]
    with ThreadPoolExecutor(count) as pool:
        for one in [pool.submit(work) for _ in range(count)]:
            if (error := one.exception()) is not None:
                traceback.print_exception(error)


if __name__ == "__main__":
    main()
