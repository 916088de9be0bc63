"""Write: a story as one HTML file that asks the network for nothing."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from results.files import written_whole
from results.page.beside import beside
from results.page.story import SEARCHED, Story

MOST_BYTES = 8 * 10**6  # of the file
SCRIPTS = ("elements", "numbers", "charts", "front", "table", "network", "photographs", "search", "made", "page")


def write_page(path: Path, story: Story) -> int:
    """Write the page of `story`; returns its bytes. Raises ValueError where it would be larger than MOST_BYTES."""
    text = html_of(story).encode()
    if len(text) > MOST_BYTES:
        raise ValueError(
            f"the page would have {len(text) / 1e6:.1f} MB, and at most {MOST_BYTES / 1e6:.0f} are allowed: show fewer "
            "runs, or --photographs 0"
        )
    with written_whole(path) as temporary:
        temporary.write_bytes(text)
    return len(text)


def html_of(story: Story) -> str:
    """The page as text.

    Nothing of a story is markup: it stands in a block of JSON in which `<` is written otherwise, and the script makes
    text of it. Were that to fail, the page's policy runs no other script than ours, whose digests it names, and lets
    nothing be loaded.
    """
    scripts = {"LIBRARY": _script(charts_library()), "SCRIPT": _script(own_script())}
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(f"'sha256-{_digest(text)}'" for text in scripts.values()),
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    first, rest = told_in_two(story)
    parts = scripts | {"POLICY": policy, "STYLE": _part("style.css"), "STORY": _json(first), "REST": _json(rest)}
    return re.sub(r"@@([A-Z]+)@@", lambda found: parts[found[1]], _part("template.html"))


def told_in_two(story: Story) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is seen first, and what ends the file, so that a browser draws the front before it has read the pictures.

    The latter has the photographs of each run, and what there is to draw of networks that the search alone scored.
    """
    first = story.to_json() | {"beside": beside(story.runs)}
    rest = [
        {
            "photographs": run.pop("photographs"),
            "networks": {
                place: {name: one.pop(name) for name in ("stages", "choices")}
                for place, one in enumerate(run["networks"])
                if one["kind"] == SEARCHED
            },
        }
        for run in first["runs"]
    ]
    return first, {"runs": rest}


@cache
def charts_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that carries them."""
    import vl_convert

    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub asks for a snippet, which it can do without
    return bundle()


def own_script() -> str:
    """What moves the page: the files of SCRIPTS, one scope for all."""
    bodies = "\n".join(_part(f"script/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{bodies}\n}})();\n'


def _part(name: str) -> str:
    return (files("results.page") / name).read_text(encoding="utf-8")


def _script(text: str) -> str:
    """`text` so that no string in it ends or begins a block of the page."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _json(told: Mapping[str, Any]) -> str:
    """JSON in which nothing looks like markup; what Python calls NaN is not measured, and no JSON."""
    text = json.dumps(told, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
