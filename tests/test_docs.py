"""Docs: every command and snippet of the pages runs: here in the folder that the tutorial leaves.

Those that need a server, a cluster, a clone or a phone run in tests/test_docs_with.py.
"""

import re
import shlex
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import lpienas
from compress.bench.latency import latency_cost
from compress.settings import Fast
from docs.notebook import NOTEBOOK, PAGE, notebook_of
from lpienas.command import VERBS, whole_parser
from lpienas.command.parser import parsed
from lpienas.settings import FORMATS
from results.pick import pick
from search_spaces.blueprint import Blueprint
from tests.docs_blocks import (
    PAGES,
    ROOT,
    SMALL,
    Block,
    blocks_of,
    commands_of,
    named,
    outside_of_blocks,
    run_blocks,
    write_photographs,
)

IN_SMALL = {("in small", "takes minutes"), ("in small", "takes a night")}
TRAIN_FULLY = {"own-family.md"}  # pages that go on with a network that the search trained
DIRECTIVES = {"{argparse}", "{eval-rst}", "{toctree}", "{literalinclude}"}
_COMMAND = re.compile(r"^(lpienas|python|pip|make|git|adb|import|from) ", re.MULTILINE)
EXAMPLE = lpienas.__doc__.split("\n\n    import lpienas\n")[1].split("\n\n    search, SearchOptions")[0]
IN_KERNEL = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from IPython.core.magic import register_cell_magic
from tests.docs_blocks import SMALL, run_sh

SMALL["search"] = SMALL["search"].replace("--confirm 0", "--confirm 1")

@register_cell_magic
def sh(line, cell):
    run_sh(cell)
"""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def that_run(page: Path) -> list[Block]:
    """The blocks of a page that are run; not the library's own example, which tests/test_library.py runs."""
    example = "import lpienas\n" + "".join(f"{line.removeprefix('    ')}\n" for line in EXAMPLE.splitlines())
    return [
        block
        for block in blocks_of(page)
        if (block.language in ("sh", "python") or block.note in IN_SMALL)
        and block.text != example
        and (block.note or ("", ""))[0] != "with"
    ]


def faster(home: Path, choice: str) -> str:
    """A latency that a compression of `choice` can be pruned to on this machine, as the page writes it."""
    run = lpienas.load_run(home / "runs" / "night")
    chosen = Blueprint.from_genotype(pick(run.report(), choice).genotype)
    return f"{0.9 * latency_cost(run.folder / 'latency', Fast(1).timing)(chosen).median:.3g}ms"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory) -> Path:
    """A home folder in which the tutorial's notebook was run, all of it; its run stands there as runs/night too.

    Its search, and no other one, trains a network fully, and LPIENet.
    """
    home = tmp_path_factory.mktemp("home")
    write_photographs(home)
    shutil.copytree(ROOT / "examples", home / "examples")
    book = nbformat.reads(NOTEBOOK.read_text(), as_version=4)
    book.cells.insert(0, nbformat.v4.new_code_cell(IN_KERNEL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        NotebookClient(book, timeout=1800, resources={"metadata": {"path": str(home)}}).execute()
    shutil.copytree(home / "runs" / "first", home / "runs" / "night", ignore=shutil.ignore_patterns("report.html"))
    (home / "executed.ipynb").write_text(nbformat.writes(book))
    return home


def test_the_notebook_is_made_of_the_tutorials_page():
    assert NOTEBOOK.read_text() == notebook_of(PAGE.read_text()), "run: python docs/notebook.py"


@pytest.mark.long
def test_the_notebook_leads_to_files_for_phones_and_shows_the_front_and_a_picture(lived_in):
    assert {path.name for path in (lived_in / "runs" / "first" / "exported" / "first").glob("*.onnx")} == {
        "lpienet_float.onnx",
        "lpienet_int8.onnx",
    }
    book = nbformat.reads((lived_in / "executed.ipynb").read_text(), as_version=4)
    shown = "".join(str(cell.get("outputs", "")) for cell in book.cells)
    assert "<table" in shown
    assert '<img alt="before and after"' in shown


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if page != PAGE and that_run(page)], ids=name_of)
def test_every_command_and_snippet_of_a_page_runs(page, lived_in, tmp_path, monkeypatch):
    home = shutil.copytree(lived_in, tmp_path / "home")
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    if page.name in TRAIN_FULLY:
        monkeypatch.setitem(SMALL, "search", SMALL["search"].replace("--confirm 0", "--confirm 1"))
    blocks = that_run(page)
    if page.name == "compress.md":
        blocks = [named(one, {"25ms": faster(home, "under=400M")}) if "25ms" in one.text else one for one in blocks]
    run_blocks(blocks)


@pytest.mark.long
def test_the_night_of_the_tutorial_goes_its_way_in_small(lived_in, tmp_path, monkeypatch):
    home = shutil.copytree(lived_in, tmp_path / "home")
    shutil.rmtree(home / "runs" / "night")  # a copy of the tutorial's run
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setitem(SMALL, "search", SMALL["search"].replace("--confirm 0", "--confirm 1"))
    blocks = [block for block in blocks_of(PAGE) if block.note is not None and block.note[0] == "in small"]
    run_blocks(blocks)
    assert (home / "runs" / "night" / "exported" / "night" / "lpienet_int8.onnx").exists()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_one_that_is_run_or_no_command_at_all(page):
    for block in blocks_of(page):
        assert block.language.partition(" ")[0] in {"sh", "python", "console", "text", *DIRECTIVES}, (
            f"line {block.line}"
        )
        assert block.language != "text" or not _COMMAND.search(block.text), f"line {block.line}: is it to be run?"
        told = block.note in IN_SMALL or (block.note is not None and block.note[0] == "with")
        assert told == (block.language == "console") or block.language == "python", f"line {block.line}: {block.note}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_that_runs_in_long_tests_alone_has_a_verb_and_options_that_there_are(page):
    for block in blocks_of(page):
        for line in commands_of(block.text) if block.language in ("console", "text") else ():
            words = shlex.split(line, comments=True)
            if words and words[0] == "lpienas":
                parsed(whole_parser(), VERBS, words[1 : words.index(">>") if ">>" in words else None])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_command_stands_outside_of_a_block(page):
    assert not [line for line in outside_of_blocks(page).splitlines() if line.startswith("    lpienas ")]


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_a_page_that_shows_a_command_and_its_options(verb):
    page = ROOT / "docs" / "verbs" / f"{verb}.md"
    blocks = blocks_of(page)
    assert any(
        line.startswith(f"lpienas {verb} ") or line == f"lpienas {verb}"
        for one in blocks
        for line in commands_of(one.text)
    )
    assert any(block.language == "{argparse}" and f":path: {verb}\n" in block.text for block in blocks)
    assert f"(verbs/{verb}.md)" in (ROOT / "docs" / "verbs.md").read_text()


def test_every_name_of_the_library_is_on_its_page():
    text = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in lpienas.__all__ if f":: lpienas.{name}\n" not in text] == []


def test_the_table_of_formats_in_the_readme_has_every_format_that_can_be_exported():
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["--to", *FORMATS]
