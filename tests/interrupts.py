"""Interrupts: what tests begin hears Ctrl-C, also where they stand behind `&` in a script, whose commands ignore it."""

import signal


def hear_interrupts() -> None:
    """From now on this process hears it, and so does what it begins."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
