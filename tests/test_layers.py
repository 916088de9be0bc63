"""Layers: imports point one way only, and importing does nothing."""

import ast
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from lpienas.installation import _package

ROOT = Path(__file__).parents[1]
ORDER = (
    "search_spaces",
    "results",
    "nas",
    "compress",
    "lpienas",
)  # an import points to the same or further left
ROOMS = (  # of compress, likewise; rooms of one line do not know each other
    ("compress.quiet",),
    ("compress.prune", "compress.int8"),
    ("compress.runtime",),
    ("compress.export",),
    ("compress.bench",),
    ("compress.settings",),
    ("compress.control",),
    ("compress.asked",),
    ("compress.stages",),
    ("compress.pipeline",),
)
COMMAND = ("lpienas.command", "lpienas.__main__")  # the library knows nothing of it
FORBIDDEN_TO_A_TASK = ("search_spaces.genotype", "search_spaces.space", "optuna")
NOT_LISTED = {"bm3d"}  # for research alone, by its licence: whoever compares with it installs it
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers"}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
MODULES = [module_of(path) for path in FILES]


def imported(source: str, module: str) -> list[str]:
    """Every module that `source` may import, inside functions too; `from a import b` gives `a` and `a.b`."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def room_of(module: str) -> tuple[int, str]:
    """The line of ROOMS that a module of compress belongs to, and the room; raises KeyError for one without a room."""
    for line, rooms in enumerate(ROOMS):
        for room in rooms:
            if f"{module}.".startswith(f"{room}."):
                return line, room
    raise KeyError(f"{module} is in no room of compress")


def violations(source: str, module: str) -> list[str]:
    """The imports in `source`, the text of `module`, that point the wrong way."""
    names = imported(source, module)
    layer = ORDER.index(module.split(".")[0])
    wrong = [name for name in names if name.split(".")[0] in ORDER[layer + 1 :]]
    if module.startswith("compress."):
        here = room_of(module)
        rooms = {name: room_of(name) for name in names if name.startswith("compress.")}
        wrong += [
            name for name, (line, room) in rooms.items() if line > here[0] or (line == here[0] and room != here[1])
        ]
    if module.startswith("lpienas") and not module.startswith(COMMAND):
        wrong += [name for name in names if f"{name}.".startswith("lpienas.command.")]
    wrong += [name for name in names if name.split(".")[-1].startswith("_") and name.split(".")[0] in ORDER]
    if module.startswith("nas.task"):
        wrong += [name for name in names if f"{name}.".startswith(tuple(f"{word}." for word in FORBIDDEN_TO_A_TASK))]
    return wrong


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_five_layers_are_looked_at():
    assert {module.split(".")[0] for module in MODULES} == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_imports_point_to_the_same_layer_or_further_left(path):
    assert violations(path.read_text(), module_of(path)) == []


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.name)
def test_a_benchmark_measures_what_is_public(path):
    names = imported(path.read_text(), path.stem)
    assert [name for name in names if name.split(".")[0] in ORDER and name.split(".")[-1].startswith("_")] == []


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import results.front", "search_spaces.space"),
        ("from nas.search import search", "results.report"),
        ("from compress import prune", "nas.search"),
        ("import lpienas", "compress.pipeline"),
        ("def late():\n    from compress.prune.prune import prune", "nas.search"),
        ("if TYPE_CHECKING:\n    from results.run import Run", "search_spaces.cost"),
        ("from compress.pipeline import compress", "compress.bench.files"),
        ("from compress.bench.latency import measure", "compress.export.formats"),
        ("from compress.export.formats import FORMATS", "compress.runtime.runtimes"),
        ("from compress.runtime.tiles import enhance", "compress.int8.ways"),
        ("from compress.prune.prune import prune", "compress.int8.ways"),
        ("from .. import bench", "compress.runtime.tiles"),
        ("from .. import space\nfrom ...compress import prune", "nas.scoring.short"),
        ("import optuna", "nas.task.training"),
        ("from optuna.trial import Trial", "nas.task.training"),
        ("from search_spaces.space import Space", "nas.task.task"),
        ("from search_spaces import genotype", "nas.task.task"),
        ("from lpienas.command.printing import line", "lpienas.runs"),
        ("from compress.prune.groups import _name", "compress.prune.prune"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_noticed(source, module):
    assert violations(source, module)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from search_spaces.space import Space", "nas.search"),
        ("import optuna", "nas.suggest"),
        ("from nas.task.training import train", "nas.task.task"),
        ("from search_spaces.sides import on_any_size", "nas.task.evaluation"),
        ("import resultsets", "search_spaces.space"),
        ("from compress.quiet import quiet", "compress.int8.quantize"),
        ("from compress.export.rewrite import rewritten", "compress.bench.latency"),
        ("from compress.runtime import exif", "compress.runtime.photo"),
        ("from compress.prune.distill import distill", "compress.pipeline"),
        ("from .task import Task", "nas.task.training"),
        ("from lpienas.command.printing import line", "lpienas.command.front"),
        ("from lpienas.runs import Run", "lpienas.command.front"),
    ],
)
def test_an_import_that_points_the_right_way_passes(source, module):
    assert violations(source, module) == []


def test_every_package_that_is_imported_is_listed_in_setup_cfg():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    listed = {plain(re.split(r"[ \[<>=]", line)[0]) for text in lists for line in text.split("\n") if line}
    modules = {name.split(".")[0] for path in FILES for name in imported(path.read_text(), module_of(path))}
    foreign = modules - set(ORDER) - sys.stdlib_module_names
    assert {plain(_package(name)) for name in foreign} - listed == NOT_LISTED
    assert "scipy" in foreign


def plain(package: str) -> str:
    """The name of a package as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def test_importing_every_module_prints_nothing():
    done = python("\n".join(f"import {module}" for module in MODULES))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_answers_without_loading_torch():
    done = python("import lpienas, sys; print('torch' in sys.modules, 'optuna' in sys.modules)")
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_the_first_line_of_a_module_says_what_it_is_for(path):
    text = path.read_text()
    first = text.splitlines()[0].removeprefix('"""')
    assert len(first) > 10
    assert ast.get_docstring(ast.parse(text)).startswith(first.removesuffix('"""'))


@pytest.mark.parametrize("module", MODULES)
def test_no_module_has_a_name_that_says_nothing(module):
    assert not EMPTY_NAMES & {word for part in module.split(".") for word in part.split("_")}
