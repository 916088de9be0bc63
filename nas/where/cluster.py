"""Cluster: work is done by workers of a Ray cluster, which places them with the processors and GPUs that are asked for.

Nothing but JSON and files by digest goes there and comes back. What a node does not see of the run folder, of the
photographs and of a supernet's weights is carried to it once.
"""

import json
import secrets
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from nas.task.task import Task
from nas.where.joined import Joined, Placing
from nas.where.killed import Kills, WorkerKilled
from nas.where.placed import Luggage, Placed
from nas.where.tasks import task_told
from nas.where.works import answered, asked, key_of
from results.store import Store

T = TypeVar("T")

_TRIES = 3  # workers in a row that end before they have begun, after which the search ends
_LOST = 3  # nodes that may be lost under one piece of work
_LEAVES = 10.0  # seconds in which what waits for the cluster ends


@dataclass(eq=False, slots=True)
class _Piece:
    """Work that was handed in, and what came of it."""

    asked: Mapping[str, Any]
    key: str
    store: Store | None
    future: Future[Any]
    lost: int = 0  # nodes under it


class Cluster:
    """Work is done by `count` workers of a cluster, one piece at a time each; more may come while it grows.

    Whose worker ended is known here, so that nothing runs alone: a piece whose worker was ended twice, for want of
    memory or by somebody, raises WorkerKilled; `kills` says which did it in a call before. Where the whole node is lost
    its pieces run again elsewhere, and that is not counted against them.
    """

    def __init__(
        self, task: Task, count: int | None, placing: Placing, kills: Kills | None = None, also: Sequence[str] = ()
    ) -> None:
        """`count` None: as many as the cluster has room for. Raises ValueError where that is none."""
        told = json.dumps(
            {"task": task_told(task), "threads": placing.threads, "gpus": placing.gpus, "also": list(also)}
        )
        self._placing, self._also, self._kills = placing, tuple(also), kills or Kills()
        self._joined = Joined(placing, count)
        room = self._joined.room()
        if not room:
            wanted = f"no machine of the Ray cluster {placing.address} has {placing.needs} for a worker"
            if count is None:
                self._joined.leave()
                raise ValueError(f"{wanted}: ask for less, or say how many --workers to wait for")
            warnings.warn(f"{wanted} yet: waiting for one", stacklevel=2)
        self.count = count or room
        self._told, self._luggage = self._joined.ray.put(told), Luggage(self._joined)
        self._changed = Condition()  # guards what follows
        self._waiting: deque[_Piece] = deque()
        self._placed: set[Placed] = set()
        self._ended = [0, 0.0]  # steps and seconds of workers that have ended
        self._seen: dict[Path, Path] = {}  # a file in each store, by which nodes know whether they see it
        self._broken: Exception | None = None  # why nothing can be done any more
        self._ends = False
        self._threads = [Thread(target=self._serve, daemon=True) for _ in range(self.count)]

    def submit(self, work: Callable[..., T], *arguments: Any) -> "Future[T]":
        told = asked(work, arguments, self._also)
        store = next((one for one in arguments if isinstance(one, Store)), None)
        piece = _Piece(told, key_of(told), store, Future())
        with self._changed:
            if store is not None and store.folder not in self._seen:
                self._seen[store.folder] = store.folder / f".seen-{secrets.token_hex(8)}"
                store.folder.mkdir(parents=True, exist_ok=True)
                for left in store.folder.glob(".seen-*"):  # by a search that was killed
                    left.unlink(missing_ok=True)
                self._seen[store.folder].touch()
            if self._broken is None:
                self._waiting.append(piece)
                self._changed.notify()
            else:
                piece.future.set_exception(self._broken)
        return piece.future

    def placed(self) -> list[Placed]:
        """The workers that there are now."""
        with self._changed:
            return list(self._placed)

    def steps(self) -> int:
        with self._changed:
            return int(self._ended[0]) + sum(placed.steps for placed in self._placed)

    def seconds(self) -> float:
        with self._changed:
            return self._ended[1] + sum(placed.seconds for placed in self._placed)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ends = True
            placed = list(self._placed)
            self._changed.notify_all()
        for one in placed:  # a training may have minutes to go; its checkpoint is in the run folder
            one.end()
        for thread in self._threads:
            thread.join(_LEAVES)
        self._joined.leave()
        for seen in self._seen.values():
            seen.unlink(missing_ok=True)

    def _serve(self) -> None:
        """The life of one worker after the other in one place."""
        tries = 0
        while not self._ends and self._broken is None:
            placed = Placed(self._joined, self._placing, self._luggage)
            with self._changed:
                self._placed.add(placed)
            try:
                if self._ends:
                    return
                tries = self._begin(placed, tries)
                while (piece := self._take()) is not None and self._do(placed, piece):
                    pass
            except self._joined.ended:
                tries += 1
            except Exception as error:  # of Ray, or of ours: nobody would be told, and the search would wait for ever
                self._break(error)
            finally:
                placed.end()
                with self._changed:
                    self._placed.discard(placed)
                    self._ended = [self._ended[0] + placed.steps, self._ended[1] + placed.seconds]

    def _begin(self, placed: Placed, tries: int) -> int:
        """0, once it has begun; `tries` before have not, and with the last one RuntimeError is raised."""
        try:
            placed.begin(self._told)
        except self._joined.ended as error:
            if tries + 1 < _TRIES or self._ends:
                raise
            said = " ".join(str(error).split())[:500]
            raise RuntimeError(f"no worker could begin on the Ray cluster {self._placing.address}: {said}") from error
        return 0

    def _take(self) -> _Piece | None:
        """The next piece, as soon as there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ends or self._broken)
            return None if self._ends or self._broken else self._waiting.popleft()

    def _do(self, placed: Placed, piece: _Piece) -> bool:
        """Whether the worker that did a piece, or tried to, goes on."""
        seen = None if piece.store is None else self._seen[piece.store.folder]
        try:
            if not placed.lives():  # it was ended while nothing ran
                self._again(piece)
                return False
            text = placed.do(piece.asked, piece.store, seen)
        except self._joined.ended as error:
            if not self._ends:
                self._count_end(placed, piece, error)
            return False
        except Exception as error:
            piece.future.set_exception(error)
            return True
        self._kills.forget(piece.key)
        try:
            answer = answered(text)
        except Exception as error:
            piece.future.set_exception(error)
        else:
            piece.future.set_result(answer)
        return True

    def _count_end(self, placed: Placed, piece: _Piece, error: Exception) -> None:
        """Have a piece whose worker has ended with `error` done again, or give it up."""
        unreachable = isinstance(error, self._joined.ray.exceptions.ActorUnavailableError)
        if unreachable or self._joined.is_lost(placed.node):
            piece.lost += 1
            if piece.lost < _LOST:
                self._again(piece)
            else:
                piece.future.set_exception(WorkerKilled(f"{_LOST} machines of the cluster were lost while it ran"))
        elif self._kills.add(piece.key) < 2:
            self._again(piece)
        else:
            self._kills.forget(piece.key)
            reason = f"its worker was ended twice, the second time on {placed.host}"
            piece.future.set_exception(WorkerKilled(f"{reason}: it ran out of memory, or somebody ended it"))

    def _again(self, piece: _Piece) -> None:
        with self._changed:
            if self._broken is None:
                self._waiting.appendleft(piece)
                self._changed.notify()
                return
        piece.future.set_exception(self._broken)

    def _break(self, error: Exception) -> None:
        """Nothing can be done any more: all that waits is told so."""
        with self._changed:
            if self._ends or self._broken is not None:
                return
            self._broken = error
            waiting = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for piece in waiting:
            piece.future.set_exception(error)
