"""The house: imports run downward only, optional packages are imported where they are used, rooms stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gradcli

PACKAGE = Path(gradcli.__file__).parent

# From the ground up. A module may import from its own floor and those below it; `render` may read tensors.
FLOORS = [
    {"errors", "regular"},
    {"lalr", "limits"},
    {"tokens"},
    {"syntax", "unparse", "signature", "layout", "random"},
    {"dtypes", "blocking", "unused"},
    {"node"},
    {"infer", "arguments"},
    {"single"},
    {"batching"},
    {"ops"},
    {"autodiff", "chain"},
    {"factor"},
    {"simplify"},
    {"plan"},
    {"storage"},
    {"execute"},
    {"modes"},
    {"numpy_functions", "callable"},
    {"tensors"},
    {"gradients"},
    {"functions"},
    {"expansion"},
    {"expression"},
    {"evaluation"},
    {"calculus"},
    {"formula"},
    {"derivatives"},
    {"reference", "render", "drawing", "plotting"},
    {"batch", "repl"},
    {"cluster"},
    {"stream"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# A face may show itself: a tensor's print, and the answer's type, are needed one floor down or only by type checkers.
ALLOWED = {("tensors", "render"), ("tensors", "gradients")}
MODULES = sorted(PACKAGE.rglob("*.py"))
ONLY_IN = {
    "click": "cli", "lark": "lalr", "dask": "cluster", "distributed": "cluster", "fsspec": "storage",
    "graphviz": "render", "matplotlib": "plotting", "prompt_toolkit": "cli", "scipy": "nowhere",
}  # fmt: skip


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each imported module, and how deep in functions the import stands; those for type checkers only are left out."""

    def walk(node: ast.AST, depth: int) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, depth) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                yield child.module, depth
                yield from ((f"{child.module}.{alias.name}", depth) for alias in child.names)
            yield from walk(child, depth + isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    return walk(ast.parse(path.read_text(encoding="utf-8")), 0)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    for module, depth in _imports(path):
        parts = module.split(".")
        if parts[0] == "gradcli" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= LEVEL[room] or ((room, parts[1]) in ALLOWED and depth), f"{path} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_packages_are_imported_where_they_belong(path: Path) -> None:
    for module, depth in _imports(path):
        package = module.split(".")[0]
        if package in ONLY_IN:
            assert _room(path) == ONLY_IN[package], f"{path} imports {package}"
            assert package == "click" or depth, f"{path} imports {package} when it is loaded"


def test_every_module_has_a_floor() -> None:
    rooms = {_room(path) for path in MODULES} - {"__init__"}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_star_imports_and_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and any(a.name == "*" for a in n.names)]


def test_the_check_sees_an_upward_import(tmp_path: Path) -> None:
    module = tmp_path / "node.py"
    module.write_text("from gradcli.cli.main import run\n")
    assert [m for m, _ in _imports(module)] == ["gradcli.cli.main", "gradcli.cli.main.run"]
    assert LEVEL["cli"] > LEVEL["node"]
