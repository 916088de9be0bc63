"""Kept settings: a run's settings as its run.json holds them."""

import json
from pathlib import Path

from results.record import RunSettings


def through_json(settings: RunSettings) -> RunSettings:
    """Written down and read again."""
    return RunSettings.from_json(json.loads(json.dumps(settings.to_json())), Path("run.json"))
