"""Completion: a script by which a shell completes verbs and options."""

from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json
from lpienas.fields import named

SHELLS = ("bash", "zsh", "tcsh")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionOptions:
    """For which shell."""

    shell: str = named("bash, zsh or tcsh", "SHELL", choices=SHELLS)


def completion(asked: CompletionOptions, json_only: bool) -> None:
    """Print the script."""
    import shtab

    from lpienas.command import whole_parser

    parser = whole_parser()
    for word in _verbs_of(parser):
        for action in word._actions:
            if getattr(action, "is_file", False):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell=asked.shell)
    as_json({"shell": asked.shell, "script": script}) if json_only else print(script)


def _verbs_of(parser: ArgumentParser) -> Iterable[ArgumentParser]:
    return next(action.choices.values() for action in parser._actions if isinstance(action.choices, dict))


VERB = Verb(
    "completion",
    "print a script by which a shell completes verbs and options",
    'lpienas completion bash >> ~/.bashrc\n  eval "$(lpienas completion zsh)"',
    CompletionOptions,
    completion,
)
