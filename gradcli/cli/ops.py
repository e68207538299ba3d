"""`gradcli ops`: the reference of the operations."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from gradcli.cli import options
from gradcli.cli.command_kinds import HelpfulCommand
from gradcli.cli.printing import write_pages, write_text
from gradcli.errors import GradcliError, did_you_mean, quoted

if TYPE_CHECKING:
    from gradcli.graph.op import Op

#: What begins the names of the library in the language itself.
_STANDARD = "std."

HELP = """List the operations of the language, or describe one.

NAME is an operation or its sign, an alias, a loop, or a family such as activation or products. Without NAME, all
operations are listed by family, with their arguments as in PyTorch. The definitions of `import std` are called std.rmse
and so on, all of them std.grad. Functions of other libraries have the names that they have in expressions: np.std,
F.relu.

\b
Examples:
  gradcli ops softplus
  gradcli ops --search triangular
"""


@click.command("ops", cls=HelpfulCommand, help=HELP)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=options.completed("operations"))
@click.option(
    "--search", metavar="WORD", help="List the operations with WORD in their name, alias, description or family."
)
@options.json("Print one JSON value on one line.")
def ops_command(name: str | None, search: str | None, as_json: bool) -> None:
    from gradcli.reference.entries import list_json, list_text, table_named, tables
    from gradcli.render.json import to_json

    table = None if name is None or name.startswith(_STANDARD) else table_named(name)
    if name is not None and table is None:
        if search is not None:
            raise GradcliError("--search goes through all operations or a family", hint=f"leave {name!r} out")
        text = (_standard if name.startswith(_STANDARD) else _described)(name, as_json)
    else:
        known = tables()
        chosen = known if table is None else {table: known[table]}
        chosen = chosen if search is None else _searched(chosen, search)
        text = to_json(list_json(chosen)) if as_json else list_text(chosen, _width())
    (write_text if as_json else write_pages)(text)


def _described(name: str, as_json: bool) -> str:
    """What an operation is, a loop of the language, or a function of another library."""
    from gradcli.graph.op import OPS
    from gradcli.reference.entries import entry, entry_text, find
    from gradcli.reference.other_names import foreign, foreign_text, loop
    from gradcli.render.json import to_json
    from gradcli.render.marks import Marked

    elsewhere = foreign(name)
    if elsewhere is not None:
        operation = elsewhere.operation
        data = {**elsewhere._asdict(), "operation": None if operation is None else operation._asdict()}
        return to_json(data) if as_json else foreign_text(elsewhere)
    found = loop(name)
    # fold is an operation as well.
    entries = [*([found] if found else []), *([entry(find(name))] if found is None or name in OPS else [])]
    if as_json:
        return to_json(entries[-1]._asdict())
    return Marked.of_lines([piece for one in entries for piece in ("", entry_text(one))][1:])


def _standard(name: str, as_json: bool) -> str:
    """The library in the language itself, or a function of it."""
    from gradcli.reference.standard import ALL, definitions, standard_entry, standard_list
    from gradcli.render.json import to_json

    if as_json:
        return to_json([one._asdict() for one in definitions() if name in (ALL, _STANDARD + one.name)])
    return standard_list(_width()) if name == ALL else standard_entry(name.removeprefix(_STANDARD))


def _searched(chosen: dict[str, list[Op]], word: str) -> dict[str, list[Op]]:
    """The operations that mention a word; a GradcliError where there are none."""
    from gradcli.reference.entries import search

    if not word.strip():
        raise GradcliError("--search needs a word", hint="for example, --search matrix")
    found = search(chosen, word)
    if not found:
        names = [name for ops in chosen.values() for op in ops for name in (op.name, *op.aliases)]
        hint = did_you_mean(word, names) or "`gradcli ops` lists all operations"
        raise GradcliError(f"no operation mentions {quoted(word)}", hint=hint)
    return found


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
