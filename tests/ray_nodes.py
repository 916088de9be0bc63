"""Ray nodes: a real Ray cluster of two nodes of one processor on this machine; the first one is the head."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nas.where.joined import quiet_ray
from tests.served import free_port

_QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
_ROOT = Path(__file__).parents[1]


@contextmanager
def two_nodes() -> Iterator[Any]:
    """The cluster: `address`, `worker_nodes` (the second one), and `remove_node`, which kills."""
    words = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with patch.dict(os.environ, {"PYTHONPATH": words}):
        quiet_ray()  # before anything else imports Ray
        from ray._private import services
        from ray.cluster_utils import Cluster as Simulated

        patient, alone = _patiently(services.get_node), _without_agents(services.start_raylet)
        with patch.object(services, "get_node", patient), patch.object(services, "start_raylet", alone):
            small = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_log_monitor": False}
            simulated = Simulated()
            try:
                head = {"include_dashboard": False, "_system_config": _QUICK}
                simulated.add_node(runtime_env_agent_port=free_port(), **head, **small)
                simulated.add_node(runtime_env_agent_port=free_port(), **small)
                yield simulated
            finally:
                simulated.shutdown()


def _without_agents(start_raylet: Any) -> Any:
    """Ray ends a node whose agents are slow to say their ports, as on a busy machine; nobody here asks for those."""
    from ray._raylet import (
        DASHBOARD_AGENT_LISTEN_PORT_NAME,
        METRICS_AGENT_PORT_NAME,
        METRICS_EXPORT_PORT_NAME,
        persist_port,
    )

    def started(*arguments: Any, **how: Any) -> Any:
        told = signature(start_raylet).bind(*arguments, **how).arguments
        for name in (DASHBOARD_AGENT_LISTEN_PORT_NAME, METRICS_AGENT_PORT_NAME, METRICS_EXPORT_PORT_NAME):
            persist_port(told["session_dir"], told["node_id"], name, -1)
        return start_raylet(*arguments, **how)

    return started


def _patiently(get_node: Any) -> Any:
    """Ray gives a node up that has not begun after 30 seconds, which a busy machine needs for its processes."""

    def asked(*arguments: Any) -> Any:
        for _ in range(600):
            with contextlib.suppress(RuntimeError):
                return get_node(*arguments)
            time.sleep(0.2)
        return get_node(*arguments)

    return asked
