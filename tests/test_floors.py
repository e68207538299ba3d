"""The house: imports run downward only and in no circle, optional packages are imported where they are used."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import gradcli

PACKAGE = Path(gradcli.__file__).parent

# From the ground up, as docs/design.md tells the story. A room imports from the floors below its own, and from nobody
# on its own floor; `__init__` is the face of the package, which names what the rooms below it have.
FLOORS = [
    {"errors", "machine", "render"},
    {"language", "graph", "storage"},
    {"ops"},
    {"autodiff", "engine", "libraries"},
    {"tensors"},
    {"evaluation"},
    {"formula", "check", "drawing", "plotting", "__init__"},
    {"batch", "stream", "reference", "optimize", "walkthrough"},
    {"cluster", "repl", "reporting"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
ONLY_IN = {
    "click": "cli",
    "lark": "language",
    "dask": "cluster",
    "distributed": "cluster",
    "fsspec": "storage",
    "graphviz": "drawing",
    "llvmlite": "engine",
    "matplotlib": "plotting",
    "prompt_toolkit": "cli",
    "scipy": ("storage", "optimize"),
    "pyarrow": "storage",
    "h5py": "storage",
    "PIL": "storage",
}


def _place(path: Path) -> tuple[str, ...]:
    """Where a module stands: its folders and its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts


PLACES = {_place(path) for path in MODULES}


class _Source(NamedTuple):
    """What these tests ask of a file; trees of all files would weigh on the collector of garbage."""

    told: str
    # Each imported module, and how deep in functions the import stands; those for type checkers count too.
    imports: list[tuple[str, int]]
    classes: list[str]


@cache
def _source(path: Path) -> _Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports: list[tuple[str, int]] = []
    classes: list[str] = []
    left: list[tuple[ast.AST, int]] = [(tree, 0)]
    while left:
        node, depth = left.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                imports += ((alias.name, depth) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                imports += ((f"{child.module or ''}.{alias.name}", depth) for alias in child.names)
            elif isinstance(child, ast.ClassDef):
                classes.append(child.name)
            left.append((child, depth + isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)))
    return _Source(ast.get_docstring(tree) or "", imports, classes)


def _target(module: str) -> tuple[str, ...] | None:
    """The place of what is imported, None where it is none of ours; a package stands for its `__init__`."""
    package, *parts = module.split(".")
    if package != "gradcli":
        return None
    for end in range(len(parts), -1, -1):
        for place in (tuple(parts[:end]), (*parts[:end], "__init__")):
            if place in PLACES:
                return place
    raise AssertionError(f"there is no {module}")


def _arrows(path: Path) -> Iterator[tuple[str, ...]]:
    return (place for module, _ in _source(path).imports if (place := _target(module)) is not None)


def _circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Those that import each other in a circle, or depend on such."""
    left = {name: set(others) - {name} for name, others in arrows.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_imports_run_downward() -> None:
    upward = [
        f"{path} imports {'.'.join(place)}"
        for path in MODULES
        for place in _arrows(path)
        if place[0] != _place(path)[0] and LEVEL[place[0]] >= LEVEL[_place(path)[0]]
    ]
    assert upward == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_in_a_folder_imports_in_a_circle(folder: Path) -> None:
    """Neither files nor subfolders, each taken as a whole."""
    depth = len(folder.relative_to(PACKAGE).parts)
    arrows: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*.py"):
        inside = [place for place in _arrows(path) if place[:depth] == _place(path)[:depth]]
        arrows[_place(path)[depth]] |= {place[depth] for place in inside}
    assert _circle(arrows) == []


def test_files_do_not_import_in_a_circle() -> None:
    assert _circle({".".join(_place(path)): [".".join(place) for place in _arrows(path)] for path in MODULES}) == []


def test_packages_are_imported_where_they_belong() -> None:
    strayed = []
    for path in MODULES:
        for module, depth in _source(path).imports:
            package = module.split(".")[0]
            if package in ONLY_IN and _place(path)[0] not in ONLY_IN[package]:
                strayed.append(f"{path} imports {package}")
            elif package in ONLY_IN and package != "click" and not depth:
                strayed.append(f"{path} imports {package} when it is loaded")
    assert strayed == []


def test_every_room_has_a_floor() -> None:
    assert {place[0] for place in PLACES} == set(LEVEL)
    assert len(FLOORS) <= 11
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "__main__.py", "__init__.pyi", "errors.py", "py.typed"}


@pytest.mark.parametrize("folder", FOLDERS[1:], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_folder_tells_in_which_order_to_read_it(folder: Path) -> None:
    told = _source(folder / "__init__.py").told
    inside = {p.stem for p in MODULES if p.parent == folder} | {p.name for p in FOLDERS if p.parent == folder}
    assert [name for name in sorted(inside - {"__init__"}) if f"`{name}`" not in told] == []


def test_a_name_means_one_thing() -> None:
    files = Counter(path.name for path in MODULES if path.name != "__init__.py")
    assert [name for name, count in files.items() if count > 1] == []
    classes = Counter(name for path in MODULES for name in _source(path).classes)
    assert [name for name, count in classes.items() if count > 1] == []


def test_no_public_name_is_that_of_a_room() -> None:
    """Else the attribute of the package would be one thing before the room is imported, and another one after."""
    assert set(LEVEL) & set(dir(gradcli)) == set()
    assert [name for name in gradcli.__all__ if not hasattr(gradcli, name)] == []


def test_no_star_imports_and_a_docstring() -> None:
    assert [str(path) for path in MODULES if not _source(path).told] == []
    assert [str(path) for path in MODULES if any(module.endswith("*") for module, _ in _source(path).imports)] == []


def test_the_check_sees_an_upward_import_and_a_circle(tmp_path: Path) -> None:
    module = tmp_path / "node.py"
    module.write_text("if TYPE_CHECKING:\n    from gradcli.cli.main import run\n")
    assert [m for m, _ in _source(module).imports] == ["gradcli.cli.main.run"]
    assert list(_arrows(module)) == [("cli", "main")]
    assert LEVEL["cli"] > LEVEL["graph"]
    assert _target("gradcli.storage.load") == ("storage", "__init__")
    assert _circle({"a": ["b"], "b": ["c"], "c": ["b"], "d": []}) == ["a", "b", "c"]
