"""Candidates: one of them does not fit into memory, or its loss is no number; the others are scored."""

from pathlib import Path

from results.study import open_study
from tests.faults.fault import Came, Place
from tests.faults.searching import TRIALS, begin, lines_of, trials_of

# A loss of the user's own, which stands where a library would fail: it is called once a step, of which there are four.
_LOSS = """
import torch

calls = 0


def loss(output, clean):
    global calls
    calls += 1
    distance = (output - clean).abs().mean()
    {fault}
    return distance
"""
_MUCH = "torch.empty(10**13)"  # bytes times four, which no processor has
_LARGE_BATCH = f"if calls > 4 and len(output) > 1: {_MUCH}"
_ALWAYS = f"if calls in (9, 10): {_MUCH}"  # a batch of two, and one patch of it: the first step of the third
_NO_NUMBER = "if calls == 9: distance = distance * float('nan')"


def batch_too_large(place: Place) -> Came:
    """Two patches at a time do not fit: each is taken by itself, and all candidates are scored."""
    return _came(place, _LARGE_BATCH, failed=0)


def out_of_memory(place: Place) -> Came:
    """Not one patch of a candidate fits: it is recorded as failed, with its reason."""
    return _came(place, _ALWAYS, failed=1, why="does not fit into the memory of cpu")


def not_a_number(place: Place) -> Came:
    """The loss of a candidate becomes NaN: it is recorded as failed, with its reason."""
    return _came(place, _NO_NUMBER, failed=1, why="the loss became nan at step")


def _came(place: Place, fault: str, failed: int, why: str = "") -> Came:
    file, run = place.folder / "own.py", place.folder / "run"
    file.write_text(_LOSS.format(fault=fault))
    more = ("--own-loss", f"{file}:loss")
    begun = begin(place, more=more)
    assert begun.wait() == 0, begun.says.read_text()[-2000:]
    first, lines = trials_of(run), lines_of(run)
    states = [trial.state for trial in first]
    assert states.count("FAIL") == failed, states
    assert all(why in reason for reason in _reasons(run)), _reasons(run)
    again = begin(place, more=more)  # which has nothing to do
    assert again.wait() == 0, again.says.read_text()[-2000:]
    now = trials_of(run)
    lost = sum(trial not in now for trial in first) + max(0, TRIALS - states.count("COMPLETE") - failed)
    return Came(lost, max(0, len(now) - len(first)) + (lines_of(run) != lines), 0.0)


def _reasons(run: Path) -> list[str]:
    trials = open_study(run / "study.journal").get_trials(deepcopy=False)
    return [str(trial.user_attrs.get("reason")) for trial in trials if trial.state.name == "FAIL"]
