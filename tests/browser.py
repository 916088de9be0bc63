"""Browser: a headless Chromium for the tests of the page, the one that is installed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium here: make browser, or python -m playwright install chromium"


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; None where none is installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        own = started.chromium.executable_path
        path = own if os.path.exists(own) else next(filter(None, map(shutil.which, NAMES)), None)  # noqa: PTH110
        if path is None:
            yield None
            return
        root = os.geteuid() == 0  # for whom Chromium has no sandbox
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield browser
        browser.close()
