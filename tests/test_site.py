"""Site: the pages become a site, of which nothing asks a network; what does not hang together is refused."""

import re
from argparse import ArgumentParser
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sphinx.cmd.build import main as sphinx

from lpienas import CompressOptions, ExportOptions, ReportOptions, SearchOptions
from lpienas.command import VERBS
from lpienas.command.parser import parser_of

ROOT = Path(__file__).parents[1]
# MyST's, of the next version but one of Sphinx
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")]
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "link": "href"}


class Loaded(HTMLParser):
    """The addresses of what a page loads by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = re.findall(r"url\(([^)]*)\)|@import ([^;]*)", page)
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == LOADS.get(tag)]


def built(source: Path, out: Path) -> int:
    """The exit status of a strict build with the project's settings."""
    words = ["-W", "--keep-going", "-q", "-c", str(ROOT / "docs"), "-d", str(out / "trees"), str(source)]
    return sphinx([*words, str(out / "site")])


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]*>", "", page.read_text())


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built")
    assert built(ROOT, out) == 0
    return out / "site"


def test_the_address_of_the_site_leads_to_its_first_page(site):
    (target,) = re.findall(r'url=([^"]*)', (site / "index.html").read_text())
    assert (site / target).is_file()


def test_nothing_of_the_site_asks_a_network(site):
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 40
    asked = {str(one) for page in pages for one in Loaded(page.read_text()).found}
    assert [one for one in asked if re.match(r"\W*(https?:)?//", one)] == []


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_page_of_a_verb_has_every_option_that_its_parser_has(verb, site):
    shown = text_of(site / "docs" / "verbs" / f"{verb.name}.html")
    (one,) = parser_of([verb], "-")._subparsers._group_actions[0].choices.values()
    assert isinstance(one, ArgumentParser)
    names = {name for action in one._actions for name in action.option_strings} - {"-h", "--help"}
    assert [name for name in names if name not in shown] == []


@pytest.mark.parametrize("settings", [SearchOptions, CompressOptions, ExportOptions, ReportOptions])
def test_the_page_of_the_library_has_every_setting(settings, site):
    shown = text_of(site / "docs" / "python.html")
    assert [one.name for one in fields(settings) if f"{one.name} " not in shown] == []


@pytest.mark.parametrize(
    ("page", "also", "says"),
    [
        ("# A\n\n[there](nowhere.md)\n", None, "nowhere"),
        ("# A\n\n[there](#no-such-heading)\n", None, "no-such-heading"),
        ("# A\n\n```{toctree}\ngone\n```\n", None, "gone"),
        ("# A\n", "# B\n", "toctree"),
    ],
)
def test_a_link_to_nothing_and_a_page_that_none_lists_are_errors(page, also, says, tmp_path, capfd):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(page)
    if also is not None:
        (tmp_path / "docs" / "other.md").write_text(also)
    assert built(tmp_path, tmp_path / "out") == 1
    assert says in capfd.readouterr().err
