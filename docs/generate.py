"""Write what is generated: the type stub and operations.md from the registry, grammar.md from the grammar, the library
in the language itself in the page of the language, the help of each command in command.md and as a man page.

`python docs/generate.py` writes them, `python docs/generate.py --check` exits with 1 where they have drifted.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from grammar_page import grammar_page
from manpages import man_pages
from stub import stub

from gradcli.cli.main import cli, run
from gradcli.reference.entries import NOTES, Entry, entry, tables, title_of
from gradcli.reference.standard import definitions

DOCS = Path(__file__).resolve().parent

# Every command has a pair of these marks in command.md, with its help between them:
# <!-- generated: gradcli eval --help --> and <!-- end -->.
COMMANDS = tuple(cli.commands)
_STANDARD = re.compile(r"(<!-- generated: std.grad -->\n).*?(<!-- end -->)", re.DOTALL)
_MARKS = re.compile(r"(<!-- generated: gradcli ([\w-]+) --help -->\n).*?(<!-- end -->)", re.DOTALL)

HEADER = """<!-- Written by docs/generate.py from the registry of operations. Edit the rows in gradcli/ops/ instead. -->

# Operations

This page lists every function of the language. Each is also a method (`x.sum(0)` is `sum(x, 0)`, and
`x.where(condition, y)` is `where(condition, x, y)`) and, in Python, a function of the package (`gradcli.sum(x, 0)`).
`axis` and `keepdims` are accepted for `dim` and `keepdim`. Arguments after a bare `*` are keyword-only; an argument
with a star takes a list, or its elements one by one. [In the shell](#on-the-command-line), `gradcli ops` prints the
same.

The column *gradient* shows the derivative of an elementwise function of one tensor. For other operations it shows the
gradient of each tensor, with the upstream gradient `g`, for vectors or matrices where any number of dimensions is
possible, and for a typical call where there are other arguments, such as `softmax(input, 0)`; `gradcli ops` names the
call. **0** is for functions that are constant almost everywhere, a dash for operations without a gradient. Gradients
can be differentiated again, to any order.
"""

ON_THE_COMMAND_LINE = """## On the command line

`gradcli ops` prints this reference: all of it, a family, or one operation in full, with the name of PyTorch's backward
function. `--json` prints the same for programs.

```console
$ gradcli ops softplus
{example}```

All options: [`gradcli ops`](command.md#ops).
"""


def main() -> int:
    """Write the pages or compare them; the number of the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="compare only; exit with 1 on a difference")
    check: bool = options.parse_args().check
    homes, text, same = _homes()
    if not same and not check:
        # What this process has imported knew the old table.
        homes.write_text(text, encoding="utf-8")
        return subprocess.run([sys.executable, __file__], check=False).returncode
    stale = [] if same else [homes.name]
    for page, text, same in (
        _stub(),
        _operations_page(),
        _grammar_page(),
        _command_page(),
        _language_page(),
        *_man_pages(),
    ):
        if not same and check:
            stale.append(page.name)
        elif not same:
            page.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run `python docs/generate.py`", file=sys.stderr)
    return 1 if stale else 0


def _homes() -> tuple[Path, str, bool]:
    """Which module has which row, in the same way."""
    page = DOCS.parent / "gradcli" / "ops" / "homes.py"
    text = subprocess.run([sys.executable, DOCS / "row_homes.py"], check=True, capture_output=True, text=True).stdout
    return page, text, page.exists() and page.read_text(encoding="utf-8") == text


def _stub() -> tuple[Path, str, bool]:
    """The type stub of the package, in the same way."""
    page = DOCS.parent / "gradcli" / "__init__.pyi"
    text = stub()
    return page, text, page.exists() and page.read_text(encoding="utf-8") == text


def _grammar_page() -> tuple[Path, str, bool]:
    """The grammar as EBNF, in the same way."""
    page = DOCS / "grammar.md"
    text = grammar_page()
    return page, text, page.exists() and page.read_text(encoding="utf-8") == text


def _operations_page() -> tuple[Path, str, bool]:
    """The page, its text, and whether the file holds it already."""
    page = DOCS / "operations.md"
    text = operations()
    # Versions of click wrap lines differently, which is no drift.
    return page, text, page.exists() and "".join(page.read_text(encoding="utf-8").split()) == "".join(text.split())


def _command_page() -> tuple[Path, str, bool]:
    """The page of the commands with the help of each of them."""
    page = DOCS / "command.md"
    old = page.read_text(encoding="utf-8")
    found = [match[2] for match in _MARKS.finditer(old)]
    if sorted(found) != sorted(COMMANDS):
        raise SystemExit(
            f"{page.name} has the help of {sorted(found)}; each of {sorted(COMMANDS)} has to be there once"
        )
    text = _MARKS.sub(lambda match: f"{match[1]}\n```text\n{help_text(match[2])}```\n\n{match[3]}", old)
    return page, text, "".join(text.split()) == "".join(old.split())


def _language_page() -> tuple[Path, str, bool]:
    """The page of the language with the library that is written in it."""
    page = DOCS / "language.md"
    old = page.read_text(encoding="utf-8")
    lines: list[str] = []
    section = ""
    for one in definitions():
        if one.section != section:
            section = one.section
            lines += ["", f"| {section} | |", "| --- | --- |"]
        lines.append("| " + " | ".join((f"`{one.signature}`", one.doc.replace("|", "\\|"))) + " |")
    text = "\n".join(lines)
    new = _STANDARD.sub(lambda match: f"{match[1]}{text}\n\n{match[2]}", old)
    return page, new, new == old


def _man_pages() -> Iterator[tuple[Path, str, bool]]:
    """The man pages."""
    pages = {DOCS / "man" / name: text for name, text in man_pages()}
    if strays := [page.name for page in (DOCS / "man").glob("*") if page not in pages]:
        raise SystemExit(f"docs/man/ has {', '.join(strays)}, of which there is no command")
    for page, text in pages.items():
        old = page.read_text(encoding="utf-8") if page.exists() else ""
        # Versions of click tell a default or a range in other places.
        yield page, text, "".join(old.split()) == "".join(text.split())


def help_text(command: str) -> str:
    """What `gradcli COMMAND --help` prints on a terminal of 100 columns."""
    return _printed(command, "--help")


def _printed(*words: str) -> str:
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if run(list(words)):
            raise SystemExit(f"`gradcli {' '.join(words)}` fails")
    return printed.getvalue()


@functools.cache
def operations() -> str:
    """The text of operations.md."""
    parts = [HEADER]
    for table, ops in tables().items():
        parts.append(f"## {title_of(table)}\n")
        if table in NOTES:
            parts.append(f"{NOTES[table]}\n")
        rows = [_row(entry(op, table)) for op in ops]
        parts.append("\n".join(["| operation | | PyTorch | gradient |", "| --- | --- | --- | --- |", *rows]) + "\n")
    parts.append(ON_THE_COMMAND_LINE.format(example=_printed("ops", "softplus")))
    return "\n".join(parts)


def _row(found: Entry) -> str:
    aliases = f" Also {', '.join(f'`{alias}`' for alias in found.aliases)}." if found.aliases else ""
    lines = (found.derivative or "0").split("\n")
    formula = "<br>".join(f"`{line}`" for line in lines) if lines != ["0"] else found.gradient or "–"
    cells = [f"`{found.signature}`", found.doc + aliases, f"`{found.torch}`", formula]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
