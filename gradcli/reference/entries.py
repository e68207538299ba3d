"""The reference of the operations: what their rows say, in the order and the words in which people read it."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.evaluation.other_words import function_meant
from gradcli.graph.op import OPS, Op
from gradcli.language.importing import standard_names
from gradcli.ops.elementwise import zero_vjp
from gradcli.ops.homes import HOMES, OPERATORS
from gradcli.render.marks import Heading, Marked
from gradcli.tensors.callable import torch_name

#: The tables of operations in the order of the reference, by the module that holds their rows.
TITLES = {
    "elementwise": "Arithmetic, powers, trigonometry: element by element",
    "more_elementwise": "More elementwise: signs, steps, extremes that ignore NaN",
    "special": "Special functions",
    "bessel": "Bessel functions",
    "probability": "Normal distribution, logits, entropy",
    "activation": "Activations",
    "gates": "More activations: gates, hard and shrinking ones",
    "dropout": "Dropout",
    "reduce": "Reductions and running totals",
    "descriptive": "Descriptive statistics",
    "quantiles": "Quantiles",
    "cumulative": "Running extremes, differences, slopes, integrals",
    "matmul": "Products",
    "einsum": "Einstein's notation",
    "linalg": "Linear algebra",
    "diagonal": "Diagonals and triangles",
    "shape": "Shape",
    "splitting": "Splitting: one tensor into several",
    "joining": "Joining: several tensors into one, and grids",
    "arranging": "More shapes: of another tensor, rotated, in windows",
    "padding": "Padding",
    "index": "Indexing",
    "convolution": "Convolutions",
    "resampling": "Average pooling and interpolation",
    "pooling": "Max pooling, and windows as columns",
    "gather": "Elements at indices",
    "bags": "Bags of table rows",
    "scatter": "Elements written at indices",
    "overlay": "Replacing parts",
    "masks": "Masks",
    "sorting": "Order",
    "sampling": "Grid sampling, and rearranging channels",
    "normalization": "Normalization over a batch and channels",
    "attention": "Linear maps and attention",
    "many_heads": "Multi-head attention",
    "loss": "Losses and normalization",
    "combined_products": "More products: added, chained, powers, cross products",
    "norms": "Norms, condition and rank",
    "distances": "Distances",
    "decompositions": "Singular values, eigenvalues, QR",
    "lu_factors": "Elimination: LU decompositions",
    "triangular": "Triangles and Cholesky factors",
    "checked_systems": "Systems with checks for singular matrices",
    "matrix_functions": "Least squares, exponentials, reflections",
    "more_losses": "More losses, and distances",
    "sequence_loss": "Sequence loss",
    "create": "Creation",
    "more_creation": "More creation: like another tensor, and of what is there",
    "draws": "Random numbers: integers, orders, normal ones, coin tosses",
    "signal_windows": "Windows, powers in a row, places in triangles",
    "one_step": "Filling",
}

NOTES = {
    "create": "In Python, `requires_grad=True` can be given too.",
    "decompositions": "Where singular values or eigenvalues are equal, the gradients of their vectors are infinite or "
    "NaN, as in PyTorch.",
}


class Entry(NamedTuple):
    """What the reference says of an operation, as `gradcli ops --json` gives it; `family` is the table it stands in.

    `gradient` is "yes", "0" or None where nothing is tracked; `derivative` its formula (of several tensors a line for
    each, `g` being the gradient of the result), and `call` the call that it is for, where the operation takes more than
    tensors; `backward` PyTorch's name for the backward function, where it is always the same.
    """

    name: str
    signature: str
    doc: str
    family: str
    aliases: tuple[str, ...]
    torch: str
    gradient: str | None
    derivative: str | None
    call: str | None
    backward: str | None


def tables() -> dict[str, list[Op]]:
    """The public operations by table, in the order of the reference."""
    homes = _homes()
    found: dict[str, list[Op]] = {table: [] for table in TITLES}
    for name, op in OPS.functions().items():
        if name == op.name:
            found.setdefault(homes.get(name, op.family), []).append(op)
    return found


def title_of(table: str) -> str:
    """The heading of a table."""
    return TITLES.get(table, table.capitalize())


def table_named(name: str) -> str | None:
    """The table that a word means: its name, unless an operation has the same, or the first word of its title."""
    word = name.lower()
    for table, title in TITLES.items():
        if word in (title.split()[0].strip(":,").lower(), table) and name not in OPS:
            return table
    return None


def search(chosen: dict[str, list[Op]], words: str) -> dict[str, list[Op]]:
    """Of some tables, the operations with all of these words in their names, description or the table's title."""
    wanted = words.lower().split()
    found: dict[str, list[Op]] = {}
    for table, ops in chosen.items():
        for op in ops:
            text = " ".join([op.name, *op.aliases, *op.words, op.doc, title_of(table)]).lower()
            if all(word in text for word in wanted):
                found.setdefault(table, []).append(op)
    return found


def _homes() -> dict[str, str]:
    """The table that each operation stands in, by its name."""
    return {name: module for module, names in HOMES.items() for name in names.split()}


def entry(op: Op, table: str | None = None) -> Entry:
    """The entry of an operation."""
    # Imported here: only who asks for an operation needs formulas.
    from gradcli.reference.formulas import formulas

    table = table or _homes().get(op.name, op.family)
    backward = op.grad_fn if isinstance(op.grad_fn, str) else None
    signature = f"{op.name}({op.signature.text})"
    gradient, derivative, call = gradient_of(op), None, None
    if gradient == "0":
        derivative = "0"
    elif gradient == "yes":
        found = formulas(op)
        if found is not None:
            derivative, call = found.text, None if found.is_usual else found.call
    return Entry(op.name, signature, op.doc, table, op.aliases, torch_name(op), gradient, derivative, call, backward)


def find(name: str) -> Op:
    """The public operation of a name, an alias or a sign; a GradcliError with the closest one where there is none."""
    op = OPS.function(OPERATORS.get((name, 2)) or OPERATORS.get((name, 1)) or name)
    if op is not None:
        return op
    if name in standard_names():
        hint = f"std has it, written in the language itself: `gradcli ops std.{name}`"
        raise GradcliError(f"there is no operation {name!r}", hint=hint)
    # Of tf.nn.relu and x.std, the function.
    word = name.rpartition(".")[2]
    op = OPS.function(word)
    meant = function_meant(word, TITLES) if op is None else f"leave the prefix out: {op.name}"
    hint = meant or "`gradcli ops` lists them all"
    raise GradcliError(f"there is no operation {name!r}", hint=hint)


def gradient_of(op: Op) -> str | None:
    """ "yes" for an operation that has a gradient, "0" for one that is flat almost everywhere, otherwise None."""
    from gradcli.reference.formulas import is_tracked

    if op.vjp is zero_vjp:
        return "0"
    return "yes" if op.vjp is not None or (op.kernel is None and is_tracked(op)) else None


_NARROWEST = 40
_SIGNATURES = 44


def list_text(tables: dict[str, list[Op]], width: int) -> Marked:
    """The operations by table, a line each: signature and the first sentence."""
    lines: list[str] = []
    for table, ops in tables.items():
        lines += ["", Heading(title_of(table))] if lines else [Heading(title_of(table))]
        for op in ops:
            lines += definition_lines(f"{op.name}({op.signature.text})", op.doc.replace("`", ""), width)
    return Marked.of_lines(lines)


def definition_lines(signature: str, doc: str, width: int) -> list[str]:
    """A signature with its doc beside it, or below it where there is no room."""
    width = max(width, _NARROWEST)
    column = min(_SIGNATURES, width // 2)
    if len(signature) > column:
        own = textwrap.wrap(signature, width - 2, subsequent_indent="    ", break_long_words=False)
        return [*(f"  {line}" for line in own), *(f"      {line}" for line in textwrap.wrap(doc, width - 6))]
    words = textwrap.wrap(doc, max(20, width - column - 4)) or [""]
    return [f"  {signature:<{column}}  {words[0]}".rstrip(), *(" " * (column + 4) + line for line in words[1:])]


def entry_text(found: Entry) -> Marked:
    """All that is known of an operation."""
    rows = [("family", title_of(found.family))]
    if found.aliases:
        rows.append(("also", ", ".join(found.aliases)))
    if found.torch:
        # Loops are none of PyTorch's operations.
        rows.append(("PyTorch", found.torch))
    if found.backward is not None:
        rows.append(("backward", found.backward))
    rows.append(("gradient", _gradient(found)))
    if found.derivative is not None:
        lines = found.derivative.split("\n")
        heading = [f"of {found.call}"] if found.call else []
        heading += ["for the gradient g of the result"] if ": " in lines[0] else []
        lines = [f"{', '.join(heading)}:", *lines] if heading else lines
        rows += zip(("derivative", *[""] * (len(lines) - 1)), lines, strict=True)
    first, *others = _arguments(found.signature)
    if first == "input":
        rows.append(("method", f"x.{found.name}({', '.join(others)})"))
    lines = [Heading(found.signature), "", found.doc.replace("`", "")]
    if found.family in NOTES:
        lines.append(NOTES[found.family].replace("`", ""))
    lines.append("")
    lines += [f"{label:<11} {text}" for label, text in rows]
    return Marked.of_lines(lines)


def _arguments(signature: str) -> list[str]:
    inside = signature[signature.index("(") + 1 : -1]
    return [part.strip() for part in inside.split(",")] if inside else [""]


def _gradient(found: Entry) -> str:
    if found.gradient is None:
        return "none: nothing is tracked"
    return "0: the function is flat almost everywhere" if found.gradient == "0" else "yes, to any order"


def list_json(tables: dict[str, list[Op]]) -> list[dict[str, Any]]:
    """All entries of some tables, for `gradcli.render.json.to_json`."""
    return [entry(op, table)._asdict() for table, ops in tables.items() for op in ops]
