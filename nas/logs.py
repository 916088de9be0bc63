"""Logs: losses and scores for TensorBoard, where a search is asked for them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OnStep = Callable[[int, float], None]
Log = Callable[[int, Mapping[str, float]], None]  # number of a trial, figures by name

_SECONDS = 10  # after which what is logged is on disk


@contextmanager
def losses(logs: Path | None, name: str, on_step: OnStep) -> Iterator[OnStep]:
    """`on_step`, and where there is a folder `logs`, one that also keeps the loss of every step in `name` there."""
    if logs is None:
        yield on_step
        return
    with _writer(logs / name) as writer:

        def kept(step: int, loss: float) -> None:
            writer.add_scalar("loss", loss, step)
            on_step(step, loss)

        yield kept


@contextmanager
def scores(logs: Path | None, name: str) -> Iterator[Log]:
    """What keeps figures of trials in `name` of the folder `logs`; nothing where there is none."""
    if logs is None:
        yield lambda number, figures: None
        return
    with _writer(logs / name) as writer:

        def kept(number: int, figures: Mapping[str, float]) -> None:
            for tag, value in figures.items():
                writer.add_scalar(tag, value, number)

        yield kept


def require_writer() -> None:
    """Raises ImportError where what writes logs is not installed."""
    import tensorboardX  # noqa: F401


@contextmanager
def _writer(folder: Path) -> Iterator[Any]:
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder), flush_secs=_SECONDS) as writer:
        yield writer
