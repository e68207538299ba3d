"""Outside `gradcli/ops/` there is no table of operations by name: what is known of an operation stands in its row."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gradcli
from gradcli.graph.op import OPS

ROOT = Path(gradcli.__file__).parent
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] != "ops")
#: Collections of words that are called like operations and mean something else.
WORDS = {
    "tensors/argument_kinds.py": "kinds of arguments, and arguments by their names: tensor, int, max",
    "language/modules.py": "classes of PyTorch, with the functions that they call: names of another library",
    "reference/entries.py": "modules of rows, with the titles of their tables",
}


def named(nodes: list[ast.expr]) -> set[str]:
    """The names of operations among literals."""
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value in OPS}


def tables(source: str) -> Iterator[int]:
    """The lines where three or more operations are named together: in a collection, a table or a test."""
    for node in ast.walk(ast.parse(source)):
        groups: list[list[ast.expr]] = []
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            groups = [node.elts]
        elif isinstance(node, ast.Dict):
            groups = [[key for key in node.keys if key is not None], node.values]
        elif isinstance(node, ast.Compare):
            groups = [[node.left, *node.comparators]]
        elif isinstance(node, ast.BoolOp):
            groups = [[e for v in node.values if isinstance(v, ast.Compare) for e in (v.left, *v.comparators)]]
        elif isinstance(node, ast.Match):
            patterns = [p for case in node.cases for p in ast.walk(case.pattern)]
            groups = [[p.value for p in patterns if isinstance(p, ast.MatchValue)]]
        if any(len(named(group)) > 2 for group in groups):
            yield node.lineno


def comparisons(source: str) -> Iterator[int]:
    """The lines where the name of a row is compared: `node.op.name == "mul"` rather than `node.op is mul`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            of_row = any(
                isinstance(s, ast.Attribute) and s.attr == "name" and ast.unparse(s.value).split(".")[-1] == "op"
                for s in sides
            )
            literals = [e for s in sides for e in ast.walk(s) if isinstance(e, ast.expr)]
            if of_row and named(literals):
                yield node.lineno


def test_no_table_by_name() -> None:
    found = {file: lines for file in FILES if (lines := list(tables((ROOT / file).read_text())))}
    # A file that needs no exception any more has none.
    assert found.keys() == WORDS.keys(), f"{found}: this belongs into the rows"


def test_no_test_by_name() -> None:
    found = {file: lines for file in FILES if (lines := list(comparisons((ROOT / file).read_text())))}
    assert not found, f"{found}: compare the row itself"


@pytest.mark.parametrize(
    "source",
    [
        'MOVING = frozenset(["flip", "roll", "sin"])',
        'COSTS = {"exp": 9, "log": 9, "sin": 9}',
        'RENAMED = {1: "exp", 2: "log", 3: "sin"}',
        'def f(x): return x in ("exp", "log", "sin")',
        'def f(x): return x == "exp" or x == "log" or x == "sin"',
        'match x:\n    case "exp" | "log":\n        pass\n    case "sin":\n        pass',
    ],
)
def test_tables_are_found(source: str) -> None:
    assert list(tables(source))
    assert not list(tables(source.replace('"sin"', '"no operation"')))


def test_tests_are_found() -> None:
    assert list(comparisons('x = node.op.name == "mul"')) == [1]
    assert list(comparisons('x = op.name in ("mul", "y")')) == [1]
    assert not list(comparisons("x = node.op is mul"))
