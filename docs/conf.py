"""Conf: how Sphinx makes a site of the pages in docs/ and of those that they name: `make docs`.

The source is the whole checkout, so that a link is the same on the site and where the files are read as they are.
Nothing of the site comes from a network. A page that no other one lists, and a link to what is not there, are errors.
"""

from typing import Any

from sphinx.application import Sphinx

from lpienas.command.parser import option_lines
from lpienas.fields import options_of

project = "lpienas"
html_title = "lpienas"
html_theme = "furo"
html_extra_path = ["site"]  # the address of the whole, which leads to docs/index.html
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
smartquotes = False  # --option stays what is typed
root_doc = "docs/index"
include_patterns = [
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"),
    *("docs/*.md", "docs/verbs/*.md", "results/published/*/README.md", "lpienas/shipped/*/CARD.md"),
]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxarg.ext"]
myst_heading_anchors = 3  # a heading is linked by its words, as where the files are read as they are
default_role = "code"  # docstrings write `this` for code
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"


def setup(app: Sphinx) -> None:
    """Settings show their options as the command's help does."""
    app.connect("autodoc-process-signature", _short_signature)
    app.connect("autodoc-process-docstring", _with_options)


def _short_signature(app: Sphinx, what: str, name: str, thing: Any, *rest: Any) -> tuple[str, str] | None:
    """Of settings none, since their options are listed below it; of others as it is."""
    return ("(*, ...)", "") if what == "class" and _is_settings(thing) else None


def _with_options(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    if what == "class" and _is_settings(thing):
        lines += ["", *(f":param {field}: {says}" for field, says in option_lines(thing))]


def _is_settings(thing: Any) -> bool:
    return hasattr(thing, "__dataclass_fields__") and bool(options_of(thing))
