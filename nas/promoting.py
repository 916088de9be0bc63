"""Promoting: which candidate successive halving trains further, and that no two searches train the same one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from nas.scoring.halving import promotable
from nas.seen import Seen
from results.leases import Leases
from results.study import REFERENCE_NUMBER, Trained

Rung = tuple[int, int]  # number of a trial, and the place of a rung among them


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def rung(self) -> int: ...


class Promotions:
    """The candidates of each rung whose rank earns them the next one."""

    def __init__(self, rungs: Sequence[int], seen: Seen, leases: Leases) -> None:
        """`rungs` are their steps."""
        self._rungs, self._seen, self._leases = rungs, seen, leases
        self._at = -1  # changes of `seen` that these are of
        self._earned: list[Rung] = []  # from the highest rung on, the best first

    def next(self, running: Iterable[Rung], is_here: Callable[[int, int], bool] | None) -> Rung | None:
        """One that is to be trained now, claimed; `is_here` says of (number, rung) whether its training can go on."""
        busy = set(running)
        for number, rung in self._wanted():
            if (number, rung) in busy or (is_here is not None and not is_here(number, rung - 1)):
                continue
            if self._leases.claim(work_of(number, self._rungs[rung])):
                return number, rung
        return None

    def left(self) -> bool:
        """Whether any is to be trained yet, here or elsewhere."""
        return bool(self._wanted())

    def work(self, scoring: _Numbered) -> str:
        """What the training of a candidate to a rung is called in leases."""
        return work_of(scoring.number, self._rungs[scoring.rung])

    def trained(self, rung: int, number: int) -> Trained:
        """What a candidate came to at a rung."""
        steps = self._rungs[rung]
        if rung:
            return self._seen.higher[steps][number]
        scores = self._seen.known[number].scores
        return Trained(number, "rung", steps, 0, "scratch", scores.ssim, scores.psnr)

    def _wanted(self) -> list[Rung]:
        if self._at != self._seen.changes:
            self._at, self._earned = self._seen.changes, list(self._all_earned())
        return self._earned

    def _all_earned(self) -> Iterable[Rung]:
        costs = {number: candidate.scores.cost for number, candidate in self._seen.known.items()}
        for rung in reversed(range(len(self._rungs) - 1)):
            here, above = self._ssim(rung), self._seen.higher.get(self._rungs[rung + 1], {})
            yardstick = [] if here.pop(REFERENCE_NUMBER, None) is None else [REFERENCE_NUMBER]
            for number in (*yardstick, *promotable(here, costs)):  # the yardstick goes all the way
                if number not in above:
                    yield number, rung + 1

    def _ssim(self, rung: int) -> dict[int, float]:
        """Of what was trained to a rung, by number."""
        if rung:
            return {number: training.ssim for number, training in self._seen.higher.get(self._rungs[rung], {}).items()}
        return {number: candidate.scores.ssim for number, candidate in self._seen.known.items()}


def work_of(number: int, steps: int) -> str:
    """What the training of a candidate to so many steps is called in leases."""
    return f"trial {number} to {steps} steps"
