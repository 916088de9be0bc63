"""Browser: a headless Chromium for the tests of the page: playwright's own, or the one that the system has."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium here that starts: make browser"


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; None where none starts."""
    from playwright.sync_api import Error, sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # for root Chromium has no sandbox
    with sync_playwright() as started:
        browser = None
        for path in (None, *filter(None, map(shutil.which, NAMES))):
            try:
                browser = started.chromium.launch(executable_path=path, args=arguments)
                break
            except Error:  # not downloaded, or a library of the system is missing
                continue
        yield browser
        if browser is not None:
            browser.close()


if __name__ == "__main__":
    with chromium() as found:
        sys.exit(found is None)
