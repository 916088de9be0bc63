"""Around: another search, a photograph that goes, a clock that jumps: what happens around a search while it runs."""

import time

from tests.faults.fault import Came, Place
from tests.faults.files import copied
from tests.faults.processes import end
from tests.faults.searching import begin, compared, lines_of, resumed, told, trials_of, wait_until


def two_searches(place: Place) -> Came:
    """A second search on one run folder: it is refused, and the first is not disturbed."""
    run, first = place.folder / "run", begin(place)
    wait_until(first, lambda: told(run) >= 1)
    assert not first.has_ended()
    second = begin(place, said="second.txt")
    assert second.wait() == 1
    said = second.says.read_text()
    assert f"another lpienas process is writing to {run}" in said, said
    assert first.wait() == 0, first.says.read_text()[-2000:]
    return compared(place, [])


def photograph_removed(place: Place) -> Came:
    """A photograph is removed while a search runs, and the search ended: it is named until it is back."""
    run, data = place.folder / "run", copied(place)
    begun = begin(place)
    wait_until(begun, lambda: told(run) >= 2)
    gone = data / "03.png"
    content = gone.read_bytes()
    gone.unlink()
    end(begun)
    before = trials_of(run)
    refused = begin(place)
    assert refused.wait() == 1
    said = refused.says.read_text()
    assert "Traceback" not in said, said
    assert "removed: 1: 03.png" in said, said
    gone.write_bytes(content)
    return resumed(place, before)


def clock_jumps_back(place: Place) -> Came:
    """The clock jumps back an hour, again and again, and the search is killed in between."""
    run, begun = place.folder / "run", begin(place, "clock_back", "40")
    wait_until(begun, lambda: told(run) >= 2)
    end(begun)
    before = trials_of(run)
    again, began, lines = begin(place, "clock_back", "40"), time.monotonic(), lines_of(run)
    wait_until(again, lambda: lines_of(run) != lines)
    seconds = time.monotonic() - began
    assert again.wait() == 0, again.says.read_text()[-2000:]
    return compared(place, before, seconds)
