"""Docs' commands: those that stand in sentences and in indented lines name verbs, options and files that there are.

Those in fenced blocks are run by tests/test_docs.py and tests/test_docs_with.py, and by the latter those of sentences.
"""

import re
from pathlib import Path

import pytest

from lpienas.command import whole_parser
from tests.docs_blocks import PAGES, ROOT, commands_in_sentences, run_sh

OTHERS = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"]
PUBLISHED = sorted((ROOT / "results" / "published").rglob("*.md"))
EVERY = [*PAGES, *(ROOT / name for name in OTHERS), *PUBLISHED]
NONE_HAS = {"--help", "--json", "--version"}  # every verb takes the first two


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def options_of(command: str) -> list[str]:
    return re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", command)


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_a_command_in_a_sentence_has_a_verb_and_options_that_there_are(page):
    verbs = whole_parser()._subparsers._group_actions[0].choices
    for command in commands_in_sentences(page):
        match = re.match(r"lpienas ([a-z]+)\b(.*)", command)
        if match is None:
            continue
        assert match[1] in verbs, command
        known = NONE_HAS | set(verbs[match[1]]._option_string_actions)
        assert [option for option in options_of(match[2]) if option not in known] == [], command


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_a_script_in_a_sentence_is_there_with_the_options_that_it_is_given(page):
    for command in commands_in_sentences(page):
        for script, rest in re.findall(r"python ((?:benchmarks|docs|examples)/\w+\.py)([^;|]*)", command):
            source = (ROOT / script).read_text()
            assert [option for option in options_of(rest) if f'"{option}"' not in source] == [], command


def test_a_target_of_make_in_a_sentence_is_one_of_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in EVERY:
        for command in commands_in_sentences(page):
            match = re.match(r"make ((?:[a-z-]+ ?)+)$", command.strip())
            assert match is None or set(match[1].split()) <= targets, f"{name_of(page)}: {command}"


def test_commands_in_sentences_are_found():
    found = [command for page in EVERY for command in commands_in_sentences(page)]
    assert "make docs" in found
    assert any(command.startswith("lpienas enhance photo.jpg -o better.jpg") for command in found)
    assert any(command.startswith("python benchmarks/page.py --trials 1000") for command in found)


def test_a_pattern_in_a_command_stands_for_the_folders_and_files_that_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "candidate-3").mkdir()
    (tmp_path / "candidate-3" / "none.onnx").touch()
    with pytest.raises(AssertionError, match="ended with 1"):
        run_sh("lpienas enhance candidate-*/none.onnx candidate-*/none.onnx -o better.png")
    assert "candidate-3/none.onnx" in capsys.readouterr().err
