"""Names that are no operations of their own: the loops of the language, and functions of other libraries."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.graph.arguments import Library
from gradcli.graph.op import OPS, Op
from gradcli.language.constants import PREFIXES
from gradcli.libraries.namespaces import function_in, value_in
from gradcli.reference.entries import Entry, entry, entry_text
from gradcli.reference.formulas import formulas_elsewhere
from gradcli.render.marks import Heading, Marked

_LOOPS = {
    "iterate": (
        "f, x, n",
        "f applied n times, f(f(…f(x))); n is an integer that is known before anything is computed.",
    ),
    "fold": (
        "f, init, xs",
        "a = f(a, row) for every row of xs, from a = init; at last a. With a tensor first it is PyTorch's operation.",
    ),
    "scan": ("f, init, xs", "As fold, but every a on the way, stacked; it has the shape of init throughout."),
    "each": ("f, xs, *others", "f of every row of xs, and of that row of the others, stacked."),
}

# Longer formulas tell a reader less than those of the operation.
_LONGEST = 400


class Foreign(NamedTuple):
    """A function as another library calls it, and the operation of the same name, if there is one."""

    name: str
    signature: str
    operation: Entry | None


def loop(name: str) -> Entry | None:
    """The entry of a loop; None for another name."""
    if name not in _LOOPS:
        return None
    arguments, doc = _LOOPS[name]
    return Entry(name, f"{name}({arguments})", doc, "loops", (), "", "yes", None, None, None)


def foreign(name: str) -> Foreign | None:
    """What a name such as np.linalg.inv is; None for one without the prefix of a library.

    GradcliError for one that is not there.
    """
    prefix, *folders = name.split(".")
    if not folders or prefix not in PREFIXES:
        return None
    place: Any = Library(PREFIXES[prefix])
    for folder in folders[:-1]:
        place = value_in(place, folder)
        if not isinstance(place, Library):
            raise GradcliError(f"{name} is not a function")
    found = function_in(place, folders[-1])
    row = getattr(found, "op", None) or OPS.function(folders[-1])
    return Foreign(
        name, f"{name}({found.signature.text})", None if row is None else _derived(entry(row), name, found, row)
    )


def _derived(own: Entry, name: str, found: Any, row: Op) -> Entry:
    """The entry of the operation, with the derivative of the function, whose defaults may be others."""
    if own.gradient != "yes" or own.call is not None or found.signature.text == row.signature.text:
        return own
    there = formulas_elsewhere(row, name, found.signature)
    if there is None or "no formula" in there.text or len(there.text) > _LONGEST:
        return own._replace(call=f"{own.name}({', '.join(row.signature.required)})")
    return own._replace(derivative=there.text, call=there.call)


def foreign_text(found: Foreign) -> Marked:
    """The arguments that it takes under its name there, and the operation."""
    lines: list[str] = [Heading(found.signature), ""]
    if found.operation is None:
        return Marked.of_lines([*lines, "Written so in expressions, with these arguments and defaults."])
    own = found.operation
    same = own.signature.partition("(")[2] == found.signature.partition("(")[2]
    said = f"is {own.name}" if same else f"has these arguments and defaults; the operation is {own.name}, whose own are"
    return Marked.of_lines([*lines, f"In expressions, {found.name} {said}:", "", entry_text(own)])
