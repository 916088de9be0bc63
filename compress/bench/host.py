"""Host: the one machine, by name, that measures the latencies of a search; figures of two are never mixed."""

import platform
from pathlib import Path

from nas.task.device import processor
from results.files import held_in, read_json, write_json

_RECORD = "host.json"  # beside the latencies


def measuring_host(memory: Path) -> str:
    """This machine, for a sentence: the one whose latencies the folder `memory` keeps, written down the first time.

    Raises ValueError on another one: two machines of one kind still differ in their clocks, cooling and other work.
    """
    here = {"host": platform.node(), "processor": processor()}
    record = memory / _RECORD
    if not record.exists():
        write_json(record, here)
    kept = read_json(record)
    with held_in(record):
        said = f"{kept['host']} ({kept['processor']})"
    if kept != here:
        raise ValueError(
            f"the latencies of this search are measured on {said}, and this is {here['host']} ({here['processor']}): "
            f"search on there, or start another run. Where that machine only has another name now, delete {record}"
        )
    return said
