"""Style: what a reader can count: lines of a file, parameters of a function."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("search_spaces", "results", "nas", "compress", "lpienas", "benchmarks")
MOST_LINES, MOST_PARAMETERS = 350, 5
FILES = sorted(path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def with_too_many_parameters(source: str) -> list[str]:
    """Functions in `source` of more than MOST_PARAMETERS, the object itself not counted, `*rest` counted as one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            names += [one.arg for one in (given.vararg, given.kwarg) if one is not None]
            if len([name for name in names if name not in ("self", "cls")]) > MOST_PARAMETERS:
                found.append(f"{getattr(node, 'name', 'lambda')} in line {node.lineno}")
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_longer_than_can_be_read_at_once(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[len(ROOT.parts)] in ROOMS], ids=name_of)
def test_a_function_that_needs_more_than_five_values_is_given_one_that_holds_them(path):
    assert with_too_many_parameters(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f(a, b, c, d, e, g): ...", 1),
        ("def f(a, b, *, c, d, e, g): ...", 1),
        ("def f(a, b, c, d, e, *rest): ...", 1),
        ("class A:\n    def f(self, a, b, c, d, e, g): ...", 1),
        ("def f():\n    async def g(a, b, c, d, /, e, **more): ...\n    return lambda a, b, c, d, e, f: 0", 2),
        ("def f(a, b, c, d, e): ...", 0),
        ("class A:\n    def f(self, a, b, c, d, e): ...", 0),
        ("class A:\n    a: int\n    b: int\n    c: int\n    d: int\n    e: int\n    f: int", 0),
    ],
)
def test_parameters_are_counted_wherever_a_function_is_written(source, count):
    assert len(with_too_many_parameters(source)) == count
