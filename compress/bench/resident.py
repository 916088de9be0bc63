"""Resident: how much of this process is in memory now, and how much was at most."""

import resource
import sys
from pathlib import Path

_STATUS, _REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> int:
    """Bytes of this process in memory now; where the system does not tell (not Linux), its peak."""
    return _of_status("VmRSS") or peak()


def peak() -> int:
    """Most bytes of this process that were in memory at a time, since it began or since `forget_peak`."""
    unit = 1 if sys.platform == "darwin" else 1024
    # Linux hands a parent's maximum on to its child, except in this file
    return _of_status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Let `peak` count from now on, where the system can (Linux): imports need more for a moment than they keep."""
    try:
        _REFERENCES.write_text("5")  # see proc_pid_clear_refs(5)
    except OSError:
        return


def _of_status(name: str) -> int:
    """Bytes in a line of Linux's /proc/self/status; 0 elsewhere."""
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
