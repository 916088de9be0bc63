"""Screenshots: the page of a run as it looks on a desktop, in the dark and on a phone, for docs/.

    python benchmarks/screenshots.py runs/demo --to docs --photograph flower

The section with settings, commands and names of photographs is left out: it names folders.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the browser of the tests

import lpienas
from tests.browser import MISSING, chromium

LOOKS: dict[str, dict[str, Any]] = {  # what the browser is told, and which sections are shown
    "desktop": {"viewport": {"width": 1280, "height": 900}, "until": "made"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark", "until": "network"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "until": "small"},
}
_QUALITY = 80  # of WebP


def main() -> None:
    """Write report-desktop.webp, report-dark.webp and report-phone.webp."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, side by side")
    parser.add_argument("--to", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--photograph", help="the test photograph that is shown, by its name")
    parser.add_argument("--photographs", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        if browser is None:
            parser.error(MISSING)
        given = lpienas.ReportOptions(photographs=options.photographs)
        page = lpienas.report(options.runs, Path(folder) / "report.html", given)
        for name, look in LOOKS.items():
            shot(browser, page, dict(look), options.photograph).save(
                options.to / f"report-{name}.webp", quality=_QUALITY, method=6
            )


def shot(browser: Any, page: Path, look: dict[str, Any], photograph: str | None) -> Image.Image:
    """The page from its top to a section, with every chart drawn."""
    until = look.pop("until")
    context = browser.new_context(**look)
    context.set_default_timeout(600_000)  # ms, on a machine that has other work too
    opened = context.new_page()
    opened.goto(page.as_uri())
    if photograph is not None:
        opened.locator("#viewer select").first.select_option(label=photograph)
    for place in opened.query_selector_all(".chart"):
        place.scroll_into_view_if_needed()
    opened.wait_for_selector(".chart[data-drawn=no]", state="detached")
    opened.wait_for_selector(".chart[data-drawn=begun]", state="detached")
    opened.evaluate("window.scrollTo(0, 0)")
    opened.evaluate("document.querySelector('.top').style.position = 'static'")
    end = opened.evaluate("id => document.getElementById(id).getBoundingClientRect().top + window.scrollY", until)
    whole = Image.open(io.BytesIO(opened.screenshot(full_page=True)))
    context.close()
    return whole.crop((0, 0, whole.width, int(end))).convert("RGB")


if __name__ == "__main__":
    main()
