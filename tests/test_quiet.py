"""Quiet: what libraries write by themselves stays out of the way, unless it may explain a failure."""

import os
import sys

import pytest

from compress.quiet import quiet_natives


def test_what_native_code_writes_to_standard_error_is_dropped_and_what_comes_later_is_not(capfd):
    with quiet_natives():
        os.write(2, b"created a delegate")
    os.write(2, b"later")
    sys.stderr.write("python\n")
    captured = capfd.readouterr()
    assert captured.err == "laterpython\n"
    assert captured.out == ""


def test_where_the_block_fails_what_native_code_wrote_is_shown(capfd):
    def fail() -> None:
        os.write(2, b"operator 7 is unknown\n")
        raise RuntimeError("no such operator")

    with pytest.raises(RuntimeError, match="no such operator"), quiet_natives():
        fail()
    assert capfd.readouterr().err == "operator 7 is unknown\n"
