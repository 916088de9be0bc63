"""Quiet: conversion libraries print progress and warn by the page; inside `quiet()` they leave stdout alone."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_ENVIRONMENT = {
    "LITERT_TORCH_SHOW_PROGRESS": "n",  # otherwise printed to stdout, where --json output belongs
    "TF_CPP_MIN_LOG_LEVEL": "2",  # LiteRT's converter: errors only
}


@contextmanager
def quiet() -> Iterator[None]:
    """Python warnings and log records below ERROR are dropped, and the environment asks C++ code for the same.

    For a single thread and a short while: all three settings belong to the whole process, and are put back.
    """
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    level = logging.root.manager.disable
    os.environ.update(_ENVIRONMENT)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def quiet_natives() -> Iterator[None]:
    """What C++ code writes to standard error is dropped, unless the block fails: then it may say why, and is shown.

    For a single thread and a short while: the file descriptor belongs to the whole process.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(shown, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
