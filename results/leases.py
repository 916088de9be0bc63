"""Leases: which of several searches does which piece of work, and which of them are alive.

A piece of work is claimed by a ticket, a trial of a second study in the same storage: storages number trials one after
the other, so of all unfinished tickets for one piece of work the first one holds it, and everybody sees which that is.
A search shows that it is alive by a number that it counts up; one whose number stood still for a whole lease, as an
observer measures it by his own clock, is dead, and its tickets are ended by whoever needs them. No clocks are compared.
"""

import os
import platform
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from results.files import read_json, write_json
from results.patient import ASKED_AS

SECONDS = 60.0  # a lease
_BEATS = 6  # signs of life a lease
_WORK, _BY, _LEASE = "work", "by", "lease in seconds"
_SIGN, _ENDED = "alive ", "ended"  # attribute of a search in the study of tickets, and its last value
_LAST = "shared.json"  # file in the run folder: the last search there


class Leases(Protocol):
    """Who does what; a context manager for the time of one search."""

    @property
    def me(self) -> str | None:
        """This search, as trials are marked by it; None: no other one can be there."""

    def claim(self, work: str) -> bool:
        """Whether `work` is this search's to do, from now on and until `done` or `give_up`."""

    def done(self, work: str) -> None:
        """`work` is done and written down: nobody can claim it any more."""

    def give_up(self, work: str) -> None:
        """`work` is anybody's again."""

    def holds(self, work: str) -> bool:
        """Whether what was claimed was not taken over meanwhile, as that of a search that was suspended is."""

    def is_alive(self, search: str) -> bool:
        """Whether another search shows signs of life."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Alone:
    """A study that only one search can write to."""

    me = None

    def claim(self, work: str) -> bool:
        return True

    def done(self, work: str) -> None: ...

    def give_up(self, work: str) -> None: ...

    def holds(self, work: str) -> bool:
        return True

    def is_alive(self, search: str) -> bool:
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Among:
    """One search among others that feed the same study."""

    def __init__(self, storage: BaseStorage, study: str, folder: Path, seconds: float | None = None) -> None:
        """`folder` is the run's, which this process has locked; `seconds` a lease, which the first search decides.

        Raises ValueError for another lease than the study has.
        """
        self.me = f"{platform.node()} {os.getpid()} {uuid4().hex[:8]}"
        self._storage, self._study = storage, _study_of_tickets(storage, study)
        self.seconds = self._agreed(seconds)
        self._held: dict[str, int] = {}  # ticket by work
        self._seen: dict[str, tuple[Any, float]] = {}  # of each search its last sign, and when it was seen to change
        self._looked = -self.seconds
        self._beaten = time.monotonic()
        self._lock, self._ends = threading.Lock(), threading.Event()
        self._beats = 0
        self._folder = folder
        self._thread = threading.Thread(target=self._beat_on, daemon=True)

    def claim(self, work: str) -> bool:
        mine: int | None = self._held.get(work)
        while True:
            tickets = self._tickets(work)
            if any(ticket.state is TrialState.COMPLETE for ticket in tickets):
                break
            first = next((ticket for ticket in tickets if not ticket.state.is_finished()), None)
            if first is None:
                mine = self._new_ticket(work)
            elif first._trial_id == mine:
                self._held[work] = mine
                return True
            elif first.user_attrs[_BY] != self.me and self.is_alive(first.user_attrs[_BY]):
                break
            else:  # of a dead search, or of this one, which was not told that it was made
                self._end(first._trial_id, TrialState.FAIL)
        if mine is not None:
            self._end(mine, TrialState.PRUNED)
            self._held.pop(work, None)
        return False

    def done(self, work: str) -> None:
        self._end(self._held.pop(work, None), TrialState.COMPLETE)

    def give_up(self, work: str) -> None:
        self._end(self._held.pop(work, None), TrialState.PRUNED)

    def holds(self, work: str) -> bool:
        ticket = self._held.get(work)
        return ticket is not None and not self._storage.get_trial(ticket).state.is_finished()

    def is_alive(self, search: str) -> bool:
        if search == self.me:
            return True
        with self._lock:
            if time.monotonic() - self._looked > self.seconds / _BEATS:
                self._look()
            sign, since = self._seen.setdefault(search, (None, time.monotonic()))
        return sign != _ENDED and time.monotonic() - since <= self.seconds

    def _look(self) -> None:
        """Take in the signs of all searches; who could not look for long begins to count anew."""
        signs, now = self._storage.get_study_user_attrs(self._study), time.monotonic()
        blind = now - self._beaten > self.seconds / 2
        for key, sign in signs.items():
            if not key.startswith(_SIGN):
                continue
            before = self._seen.get(search := key.removeprefix(_SIGN))
            if before is None or before[0] != sign or blind:
                self._seen[search] = (sign, now)
        self._looked = now

    def _beat(self) -> None:
        self._beats += 1
        self._storage.set_study_user_attr(self._study, _SIGN + self.me, self._beats)
        now = time.monotonic()
        with self._lock:
            if now - self._beaten > self.seconds / 2:  # the storage was silent, perhaps for others too
                self._seen = {search: (sign, now) for search, (sign, _) in self._seen.items() if sign != _ENDED}
            self._beaten = now

    def _beat_on(self) -> None:
        while not self._ends.wait(self.seconds / _BEATS):
            try:
                self._beat()
            except Exception:
                continue  # the search itself asks the storage too, and says what is wrong

    def __enter__(self) -> Self:
        self._end_earlier()
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join(self.seconds / _BEATS)
        storage = getattr(self._storage, "inner", self._storage)  # which is not waited for: others will notice
        with suppress(Exception):
            storage.set_study_user_attr(self._study, _SIGN + self.me, _ENDED)

    def _end_earlier(self) -> None:
        """The search of before in this folder is over, since the folder is locked; a copied folder is another one."""
        there, path = self._folder.stat(), self._folder / _LAST
        here = {"host": platform.node(), "folder": [there.st_dev, there.st_ino]}
        if path.exists():
            last = read_json(path)
            if all(last.get(name) == value for name, value in here.items()) and isinstance(last.get("search"), str):
                self._storage.set_study_user_attr(self._study, _SIGN + last["search"], _ENDED)
        write_json(path, here | {"search": self.me})

    def _agreed(self, seconds: float | None) -> float:
        kept = self._storage.get_study_user_attrs(self._study).get(_LEASE)
        if kept is None:
            kept = seconds or SECONDS
            self._storage.set_study_user_attr(self._study, _LEASE, kept)
        if seconds not in (None, kept):
            raise ValueError(f"--lease {seconds:g}: searches of this study agreed on {kept:g} s; leave it out")
        return float(kept)

    def _tickets(self, work: str) -> list[FrozenTrial]:
        """Of a piece of work, in the order in which they were made."""
        every = self._storage.get_all_trials(self._study, deepcopy=False)
        return [ticket for ticket in every if ticket.user_attrs.get(_WORK) == work]

    def _new_ticket(self, work: str) -> int:
        attributes = {_WORK: work, _BY: self.me, ASKED_AS: uuid4().hex}
        return self._storage.create_new_trial(
            self._study, create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        )

    def _end(self, ticket: int | None, state: TrialState) -> None:
        """End a ticket, unless somebody did."""
        if ticket is None:
            return
        try:
            self._storage.set_trial_state_values(ticket, state, [0.0] if state is TrialState.COMPLETE else None)
        except UpdateFinishedTrialError:
            return


def _study_of_tickets(storage: BaseStorage, study: str) -> int:
    name = f"{study} leases"
    made = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    return made._study_id
