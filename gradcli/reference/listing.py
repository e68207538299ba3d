"""The reference of the operations for a terminal and for programs."""

from __future__ import annotations

import textwrap
from typing import Any

from gradcli.graph.op import Op
from gradcli.reference.entries import NOTES, Entry, entry, title_of
from gradcli.render.marks import Heading, Marked

_NARROWEST = 40
_SIGNATURES = 44


def list_text(tables: dict[str, list[Op]], width: int) -> Marked:
    """The operations by table, a line each: signature and the first sentence."""
    lines: list[str] = []
    for table, ops in tables.items():
        lines += ["", Heading(title_of(table))] if lines else [Heading(title_of(table))]
        for op in ops:
            lines += _line(f"{op.name}({op.signature.text})", op.doc.replace("`", ""), max(width, _NARROWEST))
    return Marked.of_lines(lines)


def _line(signature: str, doc: str, width: int) -> list[str]:
    """A signature with its doc beside it, or below it where there is no room."""
    column = min(_SIGNATURES, width // 2)
    if len(signature) > column:
        return [f"  {signature}", *(f"      {line}" for line in textwrap.wrap(doc, width - 6))]
    words = textwrap.wrap(doc, max(20, width - column - 4)) or [""]
    return [f"  {signature:<{column}}  {words[0]}".rstrip(), *(" " * (column + 4) + line for line in words[1:])]


def entry_text(found: Entry) -> Marked:
    """All that is known of an operation."""
    rows = [("family", title_of(found.family))]
    if found.aliases:
        rows.append(("also", ", ".join(found.aliases)))
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
