"""Rows: all faults of the table. Another one is a function that takes a Place, in a file by its kind, and a row."""

from tests.faults import around, candidates, disks, files, kills, machines
from tests.faults.fault import Fault

FAULTS = (
    Fault("kill -9 of the search", kills.search_killed),
    Fault("kill -9 of a worker", kills.worker_killed),
    Fault("kill -9 of a Ray node", machines.node_killed),
    Fault("kill -9 of PostgreSQL", machines.database_killed),
    Fault("Ctrl-C twice at the start", kills.interrupted_twice_at_the_start, short=False),
    Fault("Ctrl-C twice while scoring", kills.interrupted_twice_while_scoring),
    Fault("Ctrl-C twice in full training", kills.interrupted_twice_in_full_training, short=False),
    Fault("Ctrl-C twice after the search", kills.interrupted_twice_after_the_search, short=False),
    Fault("power lost while writing", disks.power_lost),
    Fault("power lost in a checkpoint", disks.power_lost_in_a_checkpoint),
    Fault("full disk", disks.full_disk),
    Fault("quota", disks.quota, short=False),
    Fault("read-only run folder", disks.read_only),
    Fault("two searches on one folder", around.two_searches),
    Fault("journal: half a line", files.torn_line),
    Fault("journal: a lost line", files.cut_line, short=False),
    Fault("journal: a doubled line", files.doubled_line),
    Fault("journal: spliced lines", files.spliced_line, short=False),
    Fault("JSON files torn", files.json_files_torn),
    Fault("run.json of a newer version", files.newer_version),
    Fault("a batch out of memory", candidates.batch_too_large, short=False),
    Fault("a candidate out of memory", candidates.out_of_memory),
    Fault("NaN in a candidate", candidates.not_a_number),
    Fault("a photograph removed", around.photograph_removed),
    Fault("a clock that jumps back", around.clock_jumps_back),
)
