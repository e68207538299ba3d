"""Write the generated parts of the docs: operations.md from the registry, the help of each command in its page.

`python docs/generate.py` writes them, `python docs/generate.py --check` exits with 1 where they have drifted.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradcli.cli import run
from gradcli.errors import GradcliError
from gradcli.node import OPS, Node, Op, input_node
from gradcli.ops import FAMILIES
from gradcli.ops.elementwise import zero_vjp

DOCS = Path(__file__).resolve().parent

# Every command has a pair of these marks in one page, command.md or its own, with its help between them:
# <!-- generated: gradcli eval --help --> and <!-- end -->.
COMMANDS = ("eval", "explain", "batch", "derive", "check", "stream")
_MARKS = re.compile(r"(<!-- generated: gradcli ([\w-]+) --help -->\n).*?(<!-- end -->)", re.DOTALL)

# The tables of gradcli.ops in the order of the page.
TITLES = {
    "elementwise": "Arithmetic, powers, trigonometry: element by element",
    "special": "Special functions",
    "activation": "Activations",
    "reduce": "Reductions and running totals",
    "matmul": "Products",
    "einsum": "Einstein's notation",
    "linalg": "Linear algebra",
    "diagonal": "Diagonals and triangles",
    "shape": "Shape",
    "index": "Indexing",
    "loss": "Losses and normalization",
    "create": "Creation",
}
NOTES = {
    "special": "These need SciPy: `pip install 'gradcli[special]'`.",
    "create": "In Python they also take `requires_grad=True`.",
}
HEADER = """<!-- Written by docs/generate.py from the registry of operations. Edit the rows in gradcli/ops/ instead. -->

# Operations

Every function of the language. Each is also a method (`x.sum(0)` is `sum(x, 0)`) and, in Python, a function of the
package (`gradcli.sum(x, 0)`). `axis` and `keepdims` are understood wherever `dim` and `keepdim` stand; arguments after
a bare `*` are given by keyword; a name with a star takes one list or its elements one by one.

*Gradient*: **yes**, to any order; **0** for functions that are flat almost everywhere; a dash where nothing is tracked.
"""


def main() -> int:
    """Write the pages or compare them; the number of the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="compare only; exit with 1 on a difference")
    check: bool = options.parse_args().check
    stale = []
    for page, text, same in (_operations_page(), *_command_pages()):
        if not same and check:
            stale.append(page.name)
        elif not same:
            page.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run `python docs/generate.py`", file=sys.stderr)
    return 1 if stale else 0


def _operations_page() -> tuple[Path, str, bool]:
    """The page, its text, and whether the file holds it already."""
    page = DOCS / "operations.md"
    text = operations()
    return page, text, page.exists() and page.read_text(encoding="utf-8") == text


def _command_pages() -> Iterator[tuple[Path, str, bool]]:
    """The pages with the help of commands; each command is in one of them."""
    found: list[str] = []
    for page in sorted(DOCS.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        names = [match[2] for match in _MARKS.finditer(old)]
        if names:
            found += names
            text = _MARKS.sub(lambda match: f"{match[1]}\n```text\n{help_text(match[2])}```\n\n{match[3]}", old)
            # Versions of click wrap lines differently, which is no drift.
            yield page, text, "".join(text.split()) == "".join(old.split())
    if sorted(found) != sorted(COMMANDS):
        raise SystemExit(f"docs/ has the help of {sorted(found)}; each of {sorted(COMMANDS)} has to be there once")


def help_text(command: str) -> str:
    """What `gradcli COMMAND --help` prints on a terminal of 100 columns."""
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if run([command, "--help"]):
            raise SystemExit(f"`gradcli {command} --help` fails")
    return printed.getvalue()


def operations() -> str:
    """The text of operations.md."""
    tables: dict[str, list[Op]] = {title: [] for title in TITLES}
    home = {op: module.__name__.rpartition(".")[2] for module in FAMILIES for op in _rows_of(module)}
    for name, op in OPS.items():
        if op.public and name == op.name:
            tables.setdefault(home[op], []).append(op)
    parts = [HEADER]
    for table, ops in tables.items():
        parts.append(f"## {TITLES.get(table, table.capitalize())}\n")
        if table in NOTES:
            parts.append(f"{NOTES[table]}\n")
        rows = [_row(op) for op in ops]
        parts.append("\n".join(["| operation | | PyTorch | gradient |", "| --- | --- | --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def _rows_of(module: ModuleType) -> list[Op]:
    """The operations that a module defines, without those that it imports."""
    tree = ast.parse(inspect.getsource(module))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    borrowed = {alias.asname or alias.name for node in imports for alias in node.names}
    return [value for name, value in vars(module).items() if isinstance(value, Op) and name not in borrowed]


def _row(op: Op) -> str:
    aliases = f" Also {', '.join(f'`{alias}`' for alias in op.aliases)}." if op.aliases else ""
    cells = [f"`{op.name}({op.signature.text})`", op.doc + aliases, f"`{_torch_name(op)}`", _gradient(op)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _torch_name(op: Op) -> str:
    name = op.torch or op.name
    return name if name.startswith("torch.") else f"torch.{name}"


def _gradient(op: Op) -> str:
    if op.vjp is zero_vjp:
        return "0"
    return "yes" if op.vjp is not None or (op.kernel is None and _is_tracked(op)) else "–"


# Differentiability of an operation written with others is found by trying it on a tracked matrix or vector.
def _is_tracked(op: Op) -> bool:
    if op.family == "create":
        return False
    names = op.signature.names
    needed = [n for n in names if n in op.signature.required or f"*{n}" in op.signature.text]
    refusals = []
    for data in (np.eye(2) + 1, np.ones(2)):
        known = _arguments(input_node(data, requires_grad=True))
        try:
            result = op(*(known.get(n, known["input"]) for n in needed))
        except GradcliError as error:
            refusals.append(str(error))
            continue
        parts = result if isinstance(result, tuple) else (result,)
        return any(isinstance(part, Node) and part.requires_grad for part in parts)
    raise SystemExit(f"docs/generate.py cannot try {op.name}({op.signature.text}): {refusals}")


def _arguments(x: Node) -> dict[str, Any]:
    """Something to give for arguments that are not tensors, by their names."""
    return {
        "input": x, "tensors": [x, x], "dim": 0, "dims": [0, 1][: x.ndim], "shape": [-1], "source": 0,
        "destination": x.ndim - 1, "index": [0], "repeats": [2] * x.ndim, "fill_value": 1.0,
        "equation": "ij,jk->ik", "operands": [x, x], "normalized_shape": [2],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
