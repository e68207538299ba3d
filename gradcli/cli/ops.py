"""`gradcli ops`: the reference of the operations."""

from __future__ import annotations

import shutil
import sys

import click

from gradcli.cli.options import completed

HELP = """List the operations of the language, or show one in full.

NAME is an operation, an alias of one, or a family such as activation or products. Without it, all operations are
listed by family, with their arguments as PyTorch names them.

\b
Examples:
  gradcli ops
  gradcli ops softplus
  gradcli ops products
  gradcli ops --json
"""


@click.command("ops", help=HELP)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completed("operations"))
@click.option("--json", "as_json", is_flag=True, help="One JSON value on one line.")
def ops_command(name: str | None, as_json: bool) -> None:
    from gradcli.reference.entries import entry, find, table_named, tables
    from gradcli.reference.listing import entry_text, list_json, list_text
    from gradcli.render.json import to_json

    table = None if name is None else table_named(name)
    if name is None or table is not None:
        known = tables()
        chosen = known if table is None else {table: known[table]}
        text = to_json(list_json(chosen)) if as_json else list_text(chosen, _width())
    else:
        found = entry(find(name))
        text = to_json(found._asdict()) if as_json else entry_text(found)
    sys.stdout.write(text + "\n")


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
