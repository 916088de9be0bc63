"""Fields: what an option says of itself, beside its default; from it follow the command's options and help."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """How one field of a verb's settings is written on the command line."""

    says: str  # help; the default is put behind it
    shows: str = ""  # what stands for the value in help
    parse: Callable[[str], Any] = str  # raises ValueError, which says what to write
    choices: tuple[str, ...] = ()
    name: str | None = None  # `--name`, where it is not the field's
    short: str | None = None  # `-x`
    positional: bool = False
    required: bool = False
    several: bool = False  # values in a row
    accepts: Callable[[str], bool] | None = None  # of several: whether a word is one of them; None: those of `choices`
    default: str | None = None  # in help, where it is not the value's text
    otherwise: Any = None  # of a run's setting: its value in a new run, where None stands for what the run has
    instead: str | None = None  # options of one field, or that exclude each other, have one word here
    ways: tuple[tuple[str, str], ...] = ()  # `--way` with its help; the field gets the way's name


def option(value: Any, says: str, shows: str = "", **how: Any) -> Any:
    """A field that is an option; `how` are further fields of `Option`."""
    return field(default=value, metadata={"option": Option(says, shows, **how)})


def needed(says: str, shows: str, **how: Any) -> Any:
    """A field that is an option without a default."""
    return field(metadata={"option": Option(says, shows, required=True, **how)})


def named(says: str, shows: str, **how: Any) -> Any:
    """A field that is a word of its own, in the order of the fields."""
    return field(metadata={"option": Option(says, shows, positional=True, **how)})


def kept(otherwise: Any, says: str, shows: str = "", **how: Any) -> Any:
    """A setting that a run folder keeps: None is what the folder has, and `otherwise` in a new one."""
    return field(default=None, metadata={"option": Option(says, shows, otherwise=otherwise, **how)})


def same_as(settings: type, name: str) -> Any:
    """The field `name` of another dataclass of settings: default, option and help."""
    there = next(one for one in fields(settings) if one.name == name)
    return field(default=there.default, metadata=there.metadata)


def switch(says: str, **how: Any) -> Any:
    """A field that is False unless its option is there."""
    return field(default=False, metadata={"option": Option(says, parse=bool, **how)})


def options_of(settings: type) -> dict[str, Option]:
    """The options of a dataclass, by field, in order."""
    return {one.name: one.metadata["option"] for one in fields(settings) if "option" in one.metadata}


def threads_here() -> int:
    """Processors of this machine."""
    return os.cpu_count() or 1


def a_file(text: str) -> Path:
    """A path, with the home folder in place of `~`, which a shell leaves in `--data=~/x`."""
    return Path(text).expanduser()


def count(text: str) -> int:
    """A whole number of at least 1; raises ValueError."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r}: must be a whole number of at least 1")
    return int(text)


def seconds(text: str) -> float:
    """A time above 0; raises ValueError."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise ValueError(f"{text!r}: must be a number of seconds above 0")
    return found


def count_or_none(text: str) -> int:
    """A whole number of at least 0; raises ValueError."""
    return 0 if text == "0" else count(text)


def a_size(text: str) -> tuple[int, int]:
    """Height and width; raises ValueError."""
    from search_spaces.units import parse_size

    return parse_size(text)


def a_size_on_disk(text: str) -> int:
    """Bytes; raises ValueError."""
    from search_spaces.units import parse_bytes

    return parse_bytes(text)


def macs(text: str) -> int:
    """Multiply-adds; raises ValueError."""
    from search_spaces.units import parse_macs

    return parse_macs(text)


def levels_or_auto(text: str) -> int | str:
    """A number of levels, or auto; raises ValueError."""
    if text == "auto":
        return text
    if not text.isdecimal():
        raise ValueError(f"{text!r}: write a number of levels, like 1, or auto")
    return int(text)


def share_or_cost_or_off(text: str) -> float | str | None:
    """A share as a number, a latency or multiply-adds as their text, or None; raises ValueError."""
    from search_spaces.units import is_latency, parse_macs

    if text == "off":
        return None
    wrong = f"{text!r}: write the share of the MACs to remove, like 0.5, what to reach, like 100M or 25ms, or off"
    try:
        share = float(text)
    except ValueError:
        try:
            if not is_latency(text):
                parse_macs(text)
        except ValueError:
            raise ValueError(wrong) from None
        return text
    if not 0 < share < 1:
        raise ValueError(wrong)
    return share
