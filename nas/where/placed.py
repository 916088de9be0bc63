"""Placed: one worker of a cluster as the search sees it: it is told work, and brought what its node does not see."""

import json
import platform
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from nas.task.data.facts import digest_of
from nas.where.carried import stage_files, take_back
from nas.where.joined import Joined, Placing
from nas.where.node import Worker
from nas.where.told import Files
from results.run import versions
from results.store import Store

_LOOK = 1.0  # seconds between two looks at how a piece of work goes
_KEEP = 10.0  # seconds between two takings of checkpoints from a node that does not see the run folder
_ANSWERS = 60.0  # seconds in which a worker says how it goes, however busy it is
_HELD = 2**28  # bytes that are kept ready for further nodes
_SAME = ("lpienas", "torch")  # packages of which all machines must have one version


class Luggage:
    """Files that are carried to nodes: read once, and brought once to each node."""

    def __init__(self, joined: Joined) -> None:
        self._ray, self._lock = joined.ray, Lock()
        self._held: OrderedDict[str, tuple[Any, int]] = OrderedDict()  # in Ray's store, by digest, with their bytes
        self._nodes: dict[str, Lock] = {}

    def at(self, node: str) -> Lock:
        """Held by whoever brings something to a node."""
        with self._lock:
            return self._nodes.setdefault(node, Lock())

    def of(self, digest: str, path: str) -> Any:
        """Ray's reference to the bytes of a file; those that were asked for longest ago are let go."""
        with self._lock:
            if digest not in self._held:
                held = Path(path).read_bytes()
                self._held[digest] = self._ray.put(held), len(held)
                while len(self._held) > 1 and sum(size for _, size in self._held.values()) > _HELD:
                    self._held.popitem(last=False)
            self._held.move_to_end(digest)
            return self._held[digest][0]


class Placed:
    """A worker on some node, which Ray chooses; what it is asked raises one of `Joined.ended` where it has ended."""

    def __init__(self, joined: Joined, placing: Placing, luggage: Luggage) -> None:
        self._ray, self._luggage, self._ended = joined.ray, luggage, joined.ended
        self._kind = self._ray.remote(
            num_cpus=placing.threads,
            num_gpus=placing.gpus,
            scheduling_strategy="SPREAD",
            max_restarts=0,
            concurrency_groups={"beside": 1},
        )(Worker)
        self.actor: Any = None
        self.steps, self.seconds = 0, 0.0
        self._sees: dict[Path, bool] = {}  # whether its node sees a store
        self.node = self.host = ""  # Ray's name of its node, and the machine's own
        self.process = 0  # its number there

    def begin(self, asked: Any) -> None:
        """Wait until a node has room for it; `asked` is Ray's reference to what nas.where.node.Worker is told.

        Raises ValueError where that node has other versions than this machine.
        """
        self.actor = self._kind.remote(asked)
        said = json.loads(self._ray.get(self.actor.hello.remote()))
        self.node, self.host, self.process = said["node"], said["host"], said["pid"]
        require_same(self.host, said["versions"])

    def lives(self) -> bool:
        """Whether it still takes work."""
        try:
            self._look()
        except self._ended:
            return False
        return True

    def do(self, piece: Mapping[str, Any], store: Store | None, seen: Path | None) -> str:
        """What came of a piece of work, as nas.where.works says it; `seen` is a file in the store."""
        stages: Files | None = None
        if store is not None and not self._sees.get(store.folder, True):
            stages = _stages(store, piece)
        while True:
            asked = {"piece": piece, "seen": None if seen is None else str(seen.absolute())}
            asked["stages"] = None if stages is None else stages.to_json()
            away = None if stages is None else store
            text, changed = self._wait(self.actor.do.remote(json.dumps(asked)), away, set(piece["stages"]))
            if away is not None:
                take_back(away.folder, set(piece["stages"]), changed)
            said = json.loads(text)
            if "unseen" in said:
                assert store is not None
                self._sees[store.folder] = False
                stages = _stages(store, piece)
            elif "missing" in said:
                self._bring(said["missing"])
            else:
                return str(text)

    def end(self) -> None:
        """At once, whatever it does."""
        if self.actor is not None:
            with suppress(Exception):
                self._ray.kill(self.actor)

    def _wait(self, work: Any, away: Store | None, stages: set[str]) -> tuple[str, Any]:
        kept = time.monotonic()
        while not self._ray.wait([work], timeout=_LOOK)[0]:
            self._look()
            if away is not None and time.monotonic() - kept > _KEEP:
                take_back(away.folder, stages, self._ray.get(self._beside("kept")))  # what it tells is told once
                kept = time.monotonic()
        found: tuple[str, Any] = self._ray.get(work)
        self._look()
        return found

    def _look(self) -> None:
        with suppress(self._ray.exceptions.GetTimeoutError):
            self.steps, self.seconds = json.loads(self._ray.get(self._beside("spent"), timeout=_ANSWERS))

    def _beside(self, method: str) -> Any:
        """A question that is answered while it works."""
        return getattr(self.actor, method).options(concurrency_group="beside").remote()

    def _bring(self, paths: Mapping[str, str]) -> None:
        """Carry files, by digest, to its node, unless another worker there was brought them."""
        with self._luggage.at(self.node):
            there = set(self._ray.get(self.actor.has.remote(list(paths))))
            for digest, path in paths.items():
                if digest not in there:
                    try:
                        self._ray.get(self.actor.bring.remote(digest, self._luggage.of(digest, path)))
                    except self._ray.exceptions.RayTaskError as error:
                        raise ValueError(f"{path} could not be carried to {self.host}: {error.cause}") from error


def require_same(host: str, there: Mapping[str, str]) -> None:
    """Raises ValueError where a machine has another version than this one of what has to be the same."""
    here = versions()
    for package in _SAME:
        if here[package].partition("+")[0] != there[package].partition("+")[0]:
            raise ValueError(
                f"{host} has {package} {there[package]}, and {platform.node()}, where the search runs, has "
                f"{here[package]}: install the same version on all machines of the cluster"
            )


def _stages(store: Store, piece: Mapping[str, Any]) -> Files:
    """What the store has of the stages of a piece of work."""
    files = stage_files(store.folder, set(piece["stages"]))
    return Files(store.folder.absolute(), {name: digest_of(path) for name, path in files.items()})
