"""Choice: which workers a search gets, and how many."""

import os
from dataclasses import replace

from nas.task.task import Task
from nas.where.cluster import Cluster
from nas.where.here import Here
from nas.where.joined import LOCAL, Placing
from nas.where.killed import Kills
from nas.where.processes import Processes
from nas.where.protocol import Workers


def make_workers(
    task: Task, count: int | None, threads: int = 1, kills: Kills | None = None, placing: Placing | None = None
) -> Workers:
    """`count` workers of `threads` threads each (None: as many as there is room for), on the Ray cluster of `placing`.

    None: on this machine, in processes, and for a count of 1 in this one. `kills` remembers what ended a worker.
    Raises ValueError where a cluster has no room, ModuleNotFoundError where Ray is not installed.
    """
    alone = replace(task, device=replace(task.device, threads=(threads,)))
    if placing is not None:
        if placing.address == LOCAL and not placing.gpus:
            count = count or default_count(task)
        return Cluster(alone, count, replace(placing, threads=threads), kills)
    count = count or default_count(task)
    return Here(alone) if count == 1 else Processes(alone, count, kills)


def default_count(task: Task) -> int:
    """One worker a processor, as far as memory allows (about 1.2 GB each, four at most); on a GPU one."""
    return min(4, os.cpu_count() or 1) if task.device.name == "cpu" else 1
