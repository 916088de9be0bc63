"""Docs blocks: the fenced blocks of the pages, and how tests run them: as they stand, with small numbers put in place.

In every `lpienas` command, and in scripts of benchmarks/, the options of SMALL take the place of what is written, or
are added: they say how much is trained, and none of them is what a page is about. Commands run in this process, and any
other program in a shell. What a block needs beside a folder, its note says, and tests/docs_with.py brings.
"""

import contextlib
import glob
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from lpienas.command import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SMALL = {
    "search": "--trials 3 --steps 4 --full-steps 3 --confirm 0 --seeds 1 --patch 16 --sampler random --workers 1",
    "compress": "--steps 3 --ptq --threads 1",
    "export": "--to onnx --workers 1",
    "bench": "--seconds 0.01 --size 32x32",
    "space": "--samples 20",
    **dict.fromkeys(("enhance", "evaluate", "anatomy", "sensitivity"), "--threads 1"),  # several wait on a busy machine
    "benchmarks/fuzz.py": "--inputs 40",
    "benchmarks/rivals.py": "--only optuna",  # the one that lpienas itself brings
    "calibrate": "--networks 4 --seeds 1 --steps 3 --full-steps 3 --short-steps 3 --patch 16 --workers 1",
}
PHONE_LOG = """STARTING!
Num threads: [4]
Graph: [/data/local/tmp/lpienet_int8_1088x1920.tflite]
count=50 first=182000 curr=181000 min=179000 max=190000 avg=181500 std=1200 p5=180 median=181000 p95=185000
Inference timings in us: Init: 8123, First inference: 210000, Warmup (avg): 195000, Inference (avg): 181500
"""  # as benchmark_model prints
WAYS = {"--ptq", "--qat", "--float"}  # to int8; one excludes the others
_NOTE = re.compile(r"<!-- (with|in small|file): (.*) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    note: tuple[str, str] | None  # of the line above: ("with", what), ("in small", reason), or ("file", name)


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = page.read_text().splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        told = _NOTE.fullmatch(lines[start - 1]) if start else None
        language, text = lines[start].removeprefix("```"), "\n".join(lines[start + 1 : number]) + "\n"
        found.append(Block(page, start + 1, language, text, None if told is None else (told[1], told[2])))
        start = None
    return found


def outside_of_blocks(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands_in_sentences(page: Path) -> Iterator[str]:
    """What stands between backticks, or in an indented line, and begins with a program; lines that go on are joined."""
    text = outside_of_blocks(page)
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)|^ {4}(\S(?:\\\n|[^\n])*)$", text, re.MULTILINE):
        words = " ".join((found[1] or found[2]).replace("\\\n", " ").split())
        yield words.partition("  #")[0]


def commands_of(text: str) -> Iterator[str]:
    """The lines of a shell block, those that go on in the next one joined; without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def in_small(words: Sequence[str]) -> list[str]:
    """The words of a command, with the options of SMALL in the place of what is there, or behind it."""
    found = list(words)
    for option in re.split(r" (?=--)", SMALL[words[0]]) if words[0] in SMALL else ():
        name, *values = option.split()
        if name not in found and not (name in WAYS and WAYS & set(found)):
            found += [name, *values]
        elif values:
            first = last = found.index(name) + 1
            while last < len(found) and not found[last].startswith("-"):
                last += 1
            found[first:last] = values
    return found


def run_sh(text: str) -> None:
    """Run a shell block in the current folder; raises AssertionError for a command that fails."""
    for line in commands_of(text):
        words = shlex.split(line)
        if words[:1] == ["python"] and words[1].startswith("benchmarks/"):  # in a checkout, which this is
            subprocess.run([sys.executable, *in_small(words[1:])], check=True, cwd=ROOT)
            continue
        if words[0] != "lpienas":
            subprocess.run(line, shell=True, check=True)
            continue
        end = next((place for place, word in enumerate(words) if word in (">", ">>")), len(words))
        target = Path(words[-1] if end < len(words) else os.devnull).expanduser()
        words, into = [one for word in words[1:end] for one in _expanded(word)], "a" if ">>" in words else "w"
        with target.open(into) as out, contextlib.redirect_stdout(out):
            status = main(in_small(words))
        assert status == 0, f"{line} ended with {status}"


def named(block: Block, names: Mapping[str, str]) -> Block:
    """The block with names of this machine in the place of the page's, each of which it must have."""
    text = block.text
    for name, real in names.items():
        assert name in text, f"{block.page.name}, line {block.line} has no {name}"
        text = text.replace(name, real)
    return replace(block, text=text)


def run_blocks(blocks: Sequence[Block]) -> None:
    """Run the blocks of a page in the current folder; a block with a file's name is written there, and run too."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        if block.note is not None and block.note[0] == "file":
            Path(block.note[1]).write_text(block.text)
        elif block.language == "sh" or (block.note is not None and block.note[0] == "in small"):
            run_sh(block.text)
        elif block.language == "python":
            exec(compile(block.text, f"{block.page.name}, line {block.line}", "exec"), names)


def write_photographs(home: Path) -> None:
    """What a user has at home, tiny: photos/, pairs/, GoPro/, noisy.jpg, and a phone's phone.log."""
    (home / "phone.log").write_text(PHONE_LOG)
    random = np.random.default_rng(0)
    for number in range(12):
        light = random.integers(30, 220, (6, 8, 3)).repeat(8, axis=0).repeat(8, axis=1).astype(float)
        large = light.repeat(2, axis=0).repeat(2, axis=1)  # in which a camera's noise can be measured
        noisy = large + random.normal(0, 9, large.shape)
        named = [("photos", light), ("pairs/clean", large), ("pairs/noisy", noisy)]
        named += [(f"GoPro/train/scene{number}/{side}", light) for side in ("blur", "blur_gamma", "sharp")]
        for folder, pixels in (*named, *((("", noisy),) if not number else ())):
            path = home / folder / (f"{number:02}.png" if folder else "noisy.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(path)


def _expanded(word: str) -> list[str]:
    """As a shell has it: the home folder, and the files that a pattern stands for."""
    path = str(Path(word).expanduser()) if word.startswith("~") else word
    return sorted(glob.glob(path)) or [path]  # noqa: PTH207, since a folder may be a pattern too
