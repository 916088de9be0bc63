"""Printing: lines for people on standard output, progress on standard error, one JSON object for scripts.

Lines are printed as they are: never wrapped, so that a path in a pipe is whole; never styled, so that `[x]` in a name
is no markup; and without control characters, so that a name cannot steer the terminal.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from results.lines import visible

if TYPE_CHECKING:
    from rich.table import Table

    from results.progress import Bars

_WIDE = 1000  # columns of a table that nobody's screen shows


def line(text: object = "") -> None:
    """One line of the result."""
    print(visible(str(text)))


def note(text: str) -> None:
    """One line beside the result, on standard error."""
    print(visible(text), file=sys.stderr)


def table(shown: "Table") -> None:
    """A table, as wide as the terminal, and in a pipe as wide as it is."""
    from rich.console import Console

    console = Console()
    Console(width=console.width if console.is_terminal else _WIDE).print(shown)


def bars() -> "Bars":
    """Progress on standard error."""
    from rich.console import Console

    from results.progress import Bars

    return Bars(Console(stderr=True))


@contextmanager
def live() -> Iterator[Callable[[Sequence[str]], None]]:
    """A function that shows lines in place of those before; on a terminal only, elsewhere it shows nothing."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        yield lambda lines: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as shown:
        yield lambda lines: shown.update(Text("\n".join(visible(text) for text in lines)), refresh=True)


def as_json(value: Any) -> None:
    """One JSON object."""
    print(json.dumps(value, indent=2))
