"""Idle: libvips is given work in the moment in which its threads leave, since they had nothing to do.

    python benchmarks/idle.py                                # docs/reliability.md has what came of it

Each of --processes writes a picture, waits until libvips' threads go (15.5 seconds), give or take milliseconds, and
writes another, --times times: once with libvips as it is by itself, once as nas/task/data/vips.py begins it. --load
processes keep the processors busy, since a thread that has no processor is late. Prints how many processes waited for
more than 40 seconds for a picture, and would have done so for ever.
"""

import argparse
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

GOES = 15.5  # seconds without work after which a thread leaves
EARLY, LATE = 0.004, 0.012  # seconds around it
HANGS = 40.0  # seconds
WAYS = ("by itself", "as begun here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=90)
    parser.add_argument("--times", type=int, default=6)
    parser.add_argument("--load", type=int, default=8)
    parser.add_argument("--as-one", choices=WAYS, help=argparse.SUPPRESS)  # a process of ours
    options = parser.parse_args()
    if options.as_one is not None:
        _waits(options.as_one, options.times)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.load)]
    try:
        for way in WAYS:
            words = [sys.executable, __file__, "--as-one", way, "--times", str(options.times)]
            environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
            processes = [subprocess.Popen(words, env=environment) for _ in range(options.processes)]
            hung = sum(process.wait() for process in processes)
            print(f"{way}: {hung} of {options.processes} processes waited for ever", flush=True)
    finally:
        for process in busy:
            process.kill()


def _waits(way: str, times: int) -> NoReturn:
    """Ends the process, with 1 where a picture was not written."""
    if way == WAYS[1]:
        from nas.task.data.vips import vips

        vips()
    import pyvips

    picture = pyvips.Image.new_from_array(np.zeros((32, 32, 3), np.uint8))
    time.sleep(random.uniform(0, GOES))  # not all at once
    picture.copy().write_to_buffer(".png")
    for _ in range(times):
        moment = time.monotonic() + GOES + random.uniform(-EARLY, LATE)
        time.sleep(moment - time.monotonic())
        writing = threading.Thread(target=lambda: picture.copy().write_to_buffer(".png"), daemon=True)
        writing.start()
        writing.join(HANGS)
        if writing.is_alive():
            os._exit(1)
    os._exit(0)  # without waiting for threads


if __name__ == "__main__":
    main()
