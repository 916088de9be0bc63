"""Quiet: conversion libraries print progress and warn by the page; inside `quiet()` they leave stdout alone."""

import logging
import os
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
