"""Joined: a Ray cluster that this process takes part in: begun on this machine, or there already at an address.

Ray is quiet here: it reports no usage, shows no dashboard, and prints nothing where results are printed.
"""

import os
from dataclasses import dataclass
from typing import Any

LOCAL = "local"
_LOCAL_STORE = 2**28  # bytes of memory that Ray shares on one machine, where next to nothing is carried
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would report to its makers
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # it would print what nodes have to say to standard output
    "RAY_ENABLE_AUTO_CONNECT": "0",  # it would begin another cluster when asked for something after the end
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # it would warn of what a later version does
}


@dataclass(frozen=True, slots=True)
class Placing:
    """Which cluster, and what a worker gets there; raises ValueError for what cannot be."""

    address: str = LOCAL  # or that of the head node, as `ray start --head` says it, or auto
    gpus: float = 0.0  # of a worker: a part of one, or one
    threads: int = 1  # processors of a worker

    def __post_init__(self) -> None:
        if not 0 <= self.gpus <= 1:
            raise ValueError(f"gpus per trial = {self.gpus:g}: must be from 0 to 1, since a training uses one at most")
        if "://" in self.address:
            raise ValueError(
                f"ray = {self.address!r}: a search runs on a machine of the cluster, and is given the head's address, "
                "as HOST:6379, or auto; from outside use: ray job submit -- lpienas search"
            )

    @property
    def needs(self) -> str:
        """What a worker needs, for a sentence."""
        return f"{self.threads} CPU and {self.gpus:g} GPU" if self.gpus else f"{self.threads} CPU"


def quiet_ray() -> Any:
    """Ray, told to be quiet before it is imported; raises ModuleNotFoundError where it is not installed."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


class Joined:
    """The cluster while this process takes part in it."""

    def __init__(self, placing: Placing, count: int | None) -> None:
        """`count` workers will be asked for, which a cluster that begins here has room for.

        Raises ModuleNotFoundError where Ray is not installed, ValueError where no cluster answers.
        """
        self.ray, self._placing = quiet_ray(), placing
        self._leaves = not self.ray.is_initialized()
        if not self._leaves:
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL", "namespace": "lpienas"}
        if placing.address == LOCAL:
            quiet |= {"include_dashboard": False, "object_store_memory": _LOCAL_STORE}
            if count is not None:
                quiet["num_cpus"] = max(count * placing.threads, os.cpu_count() or 1)
        try:
            self.ray.init(address=placing.address, **quiet)
        except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
            said = str(error).partition("\n")[0]
            if placing.address == LOCAL:
                raise ValueError(f"ray = {LOCAL!r}: no Ray cluster could begin on this machine ({said})") from error
            if _asks_for_a_token(error):
                raise ValueError(
                    f"ray = {placing.address!r}: that cluster asks for a token: set RAY_AUTH_MODE=token, with the "
                    "cluster's token in ~/.ray/auth_token (on a machine of it, `ray get-auth-token` prints it)"
                ) from error
            raise ValueError(
                f"ray = {placing.address!r}: no Ray cluster answers there ({said}); begin one with `ray start --head`, "
                "and say the address that it prints, or write: --ray local"
            ) from error

    def room(self) -> int:
        """Workers that the machines of the cluster have room for, were they all free."""
        found = 0
        for node in self.ray.nodes():
            if node["Alive"]:
                held = node["Resources"]
                rooms = held.get("CPU", 0) // self._placing.threads
                if self._placing.gpus:
                    rooms = min(rooms, held.get("GPU", 0) / self._placing.gpus)
                found += int(rooms)
        return found

    def is_lost(self, node: str) -> bool:
        """Whether a machine, by Ray's name of it, has left the cluster."""
        return not any(one["NodeID"] == node and one["Alive"] for one in self.ray.nodes())

    @property
    def ended(self) -> tuple[type[Exception], ...]:
        """What Ray raises where a worker, or its node, has ended."""
        known = self.ray.exceptions
        return known.RayActorError, known.OutOfMemoryError, known.WorkerCrashedError, known.NodeDiedError

    def leave(self) -> None:
        """What this process asked for ends; a cluster that began here, too."""
        if self._leaves:
            self.ray.shutdown()


def _asks_for_a_token(error: BaseException | None) -> bool:
    """Whether Ray was refused for want of the cluster's token; it says so in a text, somewhere below."""
    while error is not None:
        if "InvalidAuthToken" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
