"""Page's file: one file that loads nothing, in which no name of a run is markup, and that stays small."""

import json
import re
from html.parser import HTMLParser

import pytest

import lpienas
from lpienas.command import main
from results.page import write
from results.page.write import MOST_BYTES, SCRIPTS, html_of, told_in_two, write_page
from tests.shown_run import crowded, handed, shown_run, story, told

EVIL = "</script x </script><script>boom()</script><img src=x onerror=boom()>&lt;"


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return shown_run(tmp_path_factory.mktemp("shown") / "<img src=x onerror=boom()>", EVIL)


@pytest.fixture(scope="module")
def page(run):
    return html_of(story(told(run, handed(EVIL, EVIL))))


def test_no_name_of_a_run_becomes_a_tag(page):
    found = Tags(page)
    assert [tag for tag, _ in found.tags].count("script") == 4
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert not [attrs for _, attrs in found.tags if any(name.startswith("on") for name in attrs)]


def test_what_the_page_is_told_is_read_again_as_it_was(page, run):
    scripts = Tags(page).scripts
    first, rest = json.loads(scripts[0]), json.loads(scripts[-1])
    assert first["runs"][0]["name"] == run.folder.name
    assert rest["runs"][0]["photographs"][0]["name"] == f"{EVIL}0"


def test_a_story_told_in_two_has_all_of_it_once_and_the_pictures_last(run):
    whole = story(crowded(told(run), 20), told(run))
    first, rest = told_in_two(whole)
    assert "data:image" not in json.dumps(first)
    for place, one in enumerate(rest["runs"]):
        first["runs"][place]["photographs"] = one["photographs"]
        for which, parts in one["networks"].items():
            first["runs"][place]["networks"][which] |= parts
    first.pop("beside")
    assert first == whole.to_json()


@pytest.mark.parametrize("name", ["story", "rest"])
def test_a_block_of_what_is_told_holds_no_bracket_that_a_browser_could_take_for_a_tag(page, name):
    block = page.split(f'id="{name}">')[1].split("</script>")[0]
    assert "boom()" in block
    assert "<" not in block


def test_nothing_in_the_page_points_outside_of_it(page):
    found = Tags(page)
    addresses = [attrs[name] for _, attrs in found.tags for name in ("src", "href", "data", "srcset") if name in attrs]
    assert all(address.startswith("#") for address in addresses)
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)\w", write._part("style.css"))


def test_the_policy_names_the_digest_of_every_script_and_lets_nothing_load(page):
    policy = next(attrs["content"] for tag, attrs in Tags(page).tags if attrs.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    scripts = Tags(page).scripts[1:-1]  # the first and the last are data
    assert len(scripts) == 2
    for script in scripts:
        assert f"'sha256-{write._digest(script)}'" in policy


def test_a_thousand_trials_with_photographs_stay_below_eight_megabytes(run, tmp_path):
    assert write_page(tmp_path / "page.html", story(crowded(told(run), 1000))) < MOST_BYTES


def test_a_page_that_would_be_too_large_is_refused_with_a_way_out(run, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="--photographs 0"):
        write_page(tmp_path / "page.html", story(told(run)))
    assert not (tmp_path / "page.html").exists()


def test_every_script_of_the_page_is_in_it():
    folder = (write.files("results.page") / "script").iterdir()
    assert sorted(SCRIPTS) == sorted(file.name.removesuffix(".js") for file in folder)


def test_the_command_writes_the_page_into_the_run_and_keeps_one_that_is_there(run, capsys):
    assert main(["report", str(run.folder), "--photographs", "0"]) == 0
    assert (run.folder / "report.html").stat().st_size > 500_000
    assert main(["report", str(run.folder), "--photographs", "0"]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["report", str(run.folder), "--photographs", "0", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["page"] == str(run.folder / "report.html")


def test_runs_stand_side_by_side_with_what_was_timed_of_each(run, tmp_path):
    timed = tmp_path / "bench.json"
    timed.write_text(json.dumps({"rows": [{"network": "mine"}], "ssim_of": "photographs"}))
    options = lpienas.ReportOptions(bench=(timed,), photographs=0, control=run.folder)
    path = lpienas.report([run.folder, run.folder], tmp_path / "two.html", options)
    both = json.loads(Tags(path.read_text()).scripts[0])["runs"]
    assert [one["latency"] for one in both] == [[{"network": "mine"}], []]
    assert [bool(one["control"]) for one in both] == [True, False]


def test_a_file_of_something_else_for_the_bench_is_refused(run, tmp_path):
    (tmp_path / "bench.json").write_text("{}")
    options = lpienas.ReportOptions(bench=(tmp_path / "bench.json",), photographs=0)
    with pytest.raises(lpienas.Error, match="--json >"):
        lpienas.report(run.folder, tmp_path / "page.html", options)


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "lpienas search --out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
