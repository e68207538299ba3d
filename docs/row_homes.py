"""`gradcli/ops/homes.py`: which module has which row. `python docs/generate.py` writes it.

By itself this prints it. It takes a process in which nothing has been imported yet.
"""

from __future__ import annotations

import ast
import textwrap
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import gradcli.ops
from gradcli.graph.op import OPS

HEADER = '''"""Which module has the rows of which operations, so that it can be imported when they are asked for.

Written by docs/generate.py from the rows.
"""

'''
FOLDER = Path(gradcli.ops.__file__).parent


def homes() -> str:
    """The text of the table: modules below those that they import, their rows as they stand in them."""
    rows: dict[str, list[str]] = {}
    for module in _in_order():
        before = OPS.imported()
        import_module(f"gradcli.ops.{module}")
        if found := [name for name in OPS.imported() if name not in before]:
            rows[module] = found
    lines = ["HOMES = {"]
    for module, names in rows.items():
        wrapped = textwrap.wrap(" ".join(names), 112, initial_indent=" " * 8, subsequent_indent=" " * 8)
        lines += [f'    "{module}": """', *wrapped, '    """,']
    lines += ["}", "", "#: The operation that each operator is, by its number of operands.", "OPERATORS = {"]
    for name, op in OPS.imported().items():
        if op.symbol and name == op.name:
            lines.append(f'    ("{op.symbol}", {len(op.signature.required)}): "{name}",')
    return HEADER + "\n".join([*lines, "}"]) + "\n"


def _in_order() -> list[str]:
    """The modules, each after those whose rows it uses, so that importing it registers its own rows and no others."""
    modules = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"}
    uses: dict[str, list[str]] = {}
    for module, path in modules.items():
        found = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
        named = [
            n.module.removeprefix("gradcli.ops.") for n in found if n.module and n.module.startswith("gradcli.ops.")
        ]
        named += [alias.name for n in found if n.module == "gradcli.ops" for alias in n.names]
        uses[module] = [name for name in named if name in modules]
    return list(TopologicalSorter(uses).static_order())


if __name__ == "__main__":
    print(homes(), end="")
