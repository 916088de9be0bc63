"""Bench: how long a network takes, in which runtime, measured in turns."""
