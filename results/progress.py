"""Progress: what long work tells the user, and nothing that the work depends on."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from results.lines import visible

T = TypeVar("T")


class Watcher(Protocol):
    """Where long work reports to."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` units of work starts."""

    def at(self, done: int, note: str = "") -> None:
        """`done` units of the stage are finished; `note` says what is best so far."""

    def say(self, line: str) -> None:
        """Something worth a line of its own."""


class Silent:
    """A Watcher that shows nothing."""

    def begin(self, stage: str, total: int) -> None: ...

    def at(self, done: int, note: str = "") -> None: ...

    def say(self, line: str) -> None: ...


class Bars:
    """A Watcher that draws one rich bar a stage on standard error, with the time left."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(  # fits 80 columns
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=8),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._current: TaskID | None = None

    def __enter__(self) -> Self:
        return self  # shown from the first stage on: without one, a wrong setting is a line by itself

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._current is not None:
            self._bars.stop()

    def begin(self, stage: str, total: int) -> None:
        if self._current is None:
            self._bars.start()
        self._current = self._bars.add_task(visible(stage), total=total, note="")

    def at(self, done: int, note: str = "") -> None:
        assert self._current is not None
        if note:
            self._bars.update(self._current, completed=done, note=visible(note))
        else:
            self._bars.update(self._current, completed=done)

    def counted(self, items: Sequence[T]) -> Iterator[T]:
        """`items`, each counted as one unit of the current stage once it has been used."""
        for done, item in enumerate(items, 1):
            yield item
            self.at(done)

    def say(self, line: str) -> None:
        self._bars.console.print(Text(visible(line)), soft_wrap=True)
