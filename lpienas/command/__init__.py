"""The command: one file a verb; errors that a user can mend become one line and an exit status."""

import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lpienas.command import (
    anatomy,
    bench,
    calibrate,
    completion,
    compress,
    data,
    delegates,
    describe,
    doctor,
    enhance,
    evaluate,
    export,
    front,
    noise,
    report,
    samples,
    search,
    sensitivity,
    space,
    watch,
)
from lpienas.command.hidden import hide_password
from lpienas.command.parser import Verb, parsed, parser_of, settings_of
from lpienas.command.printing import note
from lpienas.errors import Error, told

VERBS: tuple[Verb[Any], ...] = (
    *(data.VERB, describe.VERB, space.VERB, search.VERB, calibrate.VERB, watch.VERB, front.VERB, report.VERB),
    *(anatomy.VERB, compress.VERB),
    *(sensitivity.VERB, export.VERB, enhance.VERB, bench.VERB, delegates.VERB, samples.VERB, noise.VERB),
    *(evaluate.VERB, doctor.VERB, completion.VERB),
)

_DESCRIPTION = """\
Find the best small photo-enhancement network for a phone, shrink it, and ship it.

  lpienas data     ~/photos                      see what a folder of photographs is taken for
  lpienas space    --budget 600M                 see how much of the search space fits
  lpienas search   --out runs/night              score networks by SSIM and multiply-adds (MACs)
  lpienas watch    runs/night                    how far it is, from another terminal
  lpienas calibrate --out runs/night             how far the scores can be trusted
  lpienas front    runs/night --plot front.png   see what was found
  lpienas report   runs/night                    one page to decide by, for a browser
  lpienas anatomy  networks/0403.json            what each stage of a network is worth
  lpienas compress runs/night --pick knee        train one fully, prune it, quantize it
  lpienas export   runs/night                    write and check files for phones, and their model card
  lpienas enhance  runs/night photo.jpg -o better.png
  lpienas evaluate runs/night --data DIR
  lpienas noise    --data PAIRS                  how the noise of a camera is
  lpienas doctor                                 what this installation has and lacks

Costs are multiply-adds (1 MAC = 2 FLOPs) at 256x256 unless --size says otherwise.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0 done, 1 the work failed, 2 wrong arguments, 130 interrupted.

    A fault of ours or of a library is no status but a traceback.
    """
    if arguments is None:
        hide_password()
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = whole_parser()
    if not words:
        parser.print_help()
        return 0
    typed = parsed(parser, VERBS, words)
    verb: Verb[Any] = typed.verb
    try:
        with told():
            verb.does(settings_of(verb.settings, typed), typed.json)
            sys.stdout.flush()
    except KeyboardInterrupt:
        if arguments is None:  # the process ends now, and another Ctrl-C must not end it in the middle
            with suppress(KeyboardInterrupt):
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        note(f"\nlpienas: interrupted; {verb.interrupted}")
        return 130
    except BrokenPipeError:  # who reads the output has gone: a `head`, or a pager that was left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Error as error:
        if os.environ.get("LPIENAS_TRACEBACK"):
            raise
        note(f"lpienas: {error}")
        return 1
    return 0


def whole_parser() -> ArgumentParser:
    """The parser of all verbs."""
    return parser_of(VERBS, _DESCRIPTION)
