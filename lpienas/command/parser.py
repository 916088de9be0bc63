"""Parser: the settings of every verb become its options, and what was typed becomes such a value."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Generic, TypeVar

from lpienas.fields import Option, a_file, options_of

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Verb(Generic[S]):
    """One word of the command."""

    name: str
    purpose: str
    example: str
    settings: type[S]  # a dataclass of fields.Option
    does: Callable[[S, bool], None]  # prints one JSON object where the flag says so
    interrupted: str = "nothing was changed"  # what Ctrl-C leaves, and how to go on


class Several(argparse.Action):
    """Values in a row; an option that comes twice adds to them."""

    KEY: ClassVar[str] = "_several"

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        seen: set[str] = namespace.__dict__.setdefault(self.KEY, set())
        before = getattr(namespace, self.dest) if self.dest in seen else ()
        seen.add(self.dest)
        setattr(namespace, self.dest, (*before, *values))


class _Version(argparse.Action):
    """The version, which is looked up only when it is asked for."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("lpienas")
        except PackageNotFoundError:
            found = "of a checkout that is not installed"
        print(f"lpienas {found}")
        parser.exit()


def parser_of(verbs: Iterable[Verb[Any]], description: str) -> argparse.ArgumentParser:
    """The parser of the whole command; what it returns has `verb`, the Verb, and `json` beside the fields."""
    parser = argparse.ArgumentParser(
        prog="lpienas", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    words = parser.add_subparsers(required=True, metavar="VERB")
    for verb in verbs:
        one = words.add_parser(
            verb.name,
            help=verb.purpose,
            description=verb.purpose[0].upper() + verb.purpose[1:] + ".",
            epilog=f"example:\n  {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="print one JSON object on standard output, nothing else")
        one.set_defaults(verb=verb)
        _add_options(one, verb.settings)
    return parser


def parsed(parser: argparse.ArgumentParser, verbs: Sequence[Verb[Any]], words: Sequence[str]) -> argparse.Namespace:
    """What `words` ask for; values in a row end at the first word that is none, wherever it stands."""
    verb = next((verb for verb in verbs if words and verb.name == words[0]), None)
    return parser.parse_args(list(words) if verb is None else [words[0], *_sorted(verb.settings, words[1:])])


def option_lines(settings: type) -> list[tuple[str, str]]:
    """Of every option of a dataclass its field, and what help says of it, for pages."""
    defaults = {one.name: one.default for one in fields(settings)}
    found = []
    for name, told in options_of(settings).items():
        ways = "; ".join(f"{way}: {says}" for way, says in told.ways)
        found.append((name, ways or told.says + _default_text(told, defaults[name])))
    return found


def settings_of(settings: type[S], typed: argparse.Namespace) -> S:
    """The settings that were typed."""
    found = {name: getattr(typed, name) for name in options_of(settings)}
    return settings(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


def _sorted(settings: type, words: Sequence[str]) -> list[str]:
    """`words` with what stands alone first and every option with its values behind it.

    An option of several values takes those that it accepts; the first always, so that a wrong one is named.
    """
    known = {name: told for field, told in options_of(settings).items() for name in _names(field, told)}
    alone: list[str] = []
    options: list[str] = []
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        at += 1
        if not word.startswith("-") or word == "-":
            alone.append(word)
            continue
        options.append(word)
        told = _told(known, word)
        if told is None or told.parse is bool or told.ways:
            continue
        first = at
        while at < len(words) and words[at] != "--" and (at == first or (told.several and _accepts(told, words[at]))):
            options.append(words[at])
            at += 1
    return [*options, "--", *alone, *words[at + 1 :]] if at < len(words) else [*alone, *options]


def _told(known: Mapping[str, Option], word: str) -> Option | None:
    """The option that `word` names, in full or by its beginning; None for another, and where its value is in it."""
    if word in known:
        return known[word]
    meant = [told for name, told in known.items() if word.startswith("--") and name.startswith(word)]
    return meant[0] if len(meant) == 1 else None


def _accepts(told: Option, word: str) -> bool:
    if word.startswith("-"):
        return False
    return word in told.choices if told.accepts is None else told.accepts(word)


def _add_options(parser: argparse.ArgumentParser, settings: type) -> None:
    exclusive: dict[str, Any] = {}
    defaults = {one.name: one.default for one in fields(settings)}
    for name, told in options_of(settings).items():
        where: Any = parser
        if told.instead is not None:
            if told.instead not in exclusive:
                exclusive[told.instead] = parser.add_mutually_exclusive_group()
            where = exclusive[told.instead]
        _add_option(where, name, told, defaults[name])


def _add_option(where: Any, name: str, told: Option, default: Any) -> None:
    if told.ways:
        for way, says in told.ways:
            where.add_argument(f"--{way}", action="store_const", const=way, dest=name, default=default, help=says)
        return
    if told.positional:
        how: dict[str, Any] = {"nargs": "+" if default is MISSING else "*"} if told.several else {}
        if not (told.several or told.required):
            how["nargs"] = "?"
        if told.choices:
            how["choices"] = told.choices
        if default is not MISSING:
            how["default"] = default
        added = where.add_argument(name, type=_shown_error(told), metavar=told.shows, help=told.says, **how)
        added.is_file = told.parse is a_file  # for command/completion.py
        return
    names = _names(name, told)
    if told.parse is bool:
        where.add_argument(*names, action="store_true", default=default, dest=name, help=told.says)
        return
    how = {"dest": name, "help": told.says + _default_text(told, default), "required": told.required}
    if not told.required:
        how["default"] = default
    if told.several:
        how |= {"nargs": "+", "action": Several}
    if told.choices:
        how["choices"] = told.choices
    if told.shows:
        how["metavar"] = told.shows
    where.add_argument(*names, type=_shown_error(told), **how).is_file = told.parse is a_file


def _names(field: str, told: Option) -> list[str]:
    """How an option is written; none for what stands alone."""
    if told.positional:
        return []
    if told.ways:
        return [f"--{way}" for way, _ in told.ways]
    return [*([told.short] if told.short else []), f"--{told.name or field.replace('_', '-')}"]


def _default_text(told: Option, default: Any) -> str:
    """The default in brackets, as it would be typed."""
    if told.default is not None:
        return f" ({told.default})" if told.default else ""
    value = told.otherwise if default is None else default
    if value is None or value == () or told.required:
        return ""
    return f" ({'x'.join(map(str, value)) if isinstance(value, tuple) else value})"


def _shown_error(told: Option) -> Callable[[str], Any]:
    """argparse shows the message of its own error type only."""

    def parse(text: str) -> Any:
        try:
            return told.parse(text)
        except ValueError as error:
            if told.parse in (int, float):
                raise argparse.ArgumentTypeError(f"{text!r}: must be a number") from error
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse
