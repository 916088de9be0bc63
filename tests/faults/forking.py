"""Forking: a process that has imported all that a search needs, has computed nothing, and copies itself when asked to.

It reads JSON lines: one begins a command and is answered with its process, one asks whether a process has ended.
"""

import json
import os
import signal
import sys
from typing import Any

_RUNNING = -1000


def main() -> None:
    import nas.confirm
    import nas.search
    import nas.searching  # noqa: F401
    from tests.faults.conditions import run

    for line in sys.stdin:
        wanted = json.loads(line)
        answer = _status(wanted["poll"]) if "poll" in wanted else _forked(wanted, run)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _forked(wanted: dict[str, Any], run: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.setsid()  # as a command of its own
    nothing, says = os.open(os.devnull, os.O_RDWR), os.open(wanted["says"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(says, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        status = run(wanted["condition"], wanted["argument"], wanted["words"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _status(pid: int) -> int:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else _RUNNING


if __name__ == "__main__":
    main()
