"""The report of a gradient check as text or as one JSON object."""

from __future__ import annotations

from typing import Any

from gradcli.check.compare import DERIVATIVES, Report, Row
from gradcli.check.suspects import Suspect
from gradcli.errors import Span, located, quote
from gradcli.render.json import to_json
from gradcli.render.marks import Carets, Heading, Marked


def check_text(report: Report, source: str) -> Marked:
    """A table with a line for each input, what there is to say of the operations, and the verdict."""
    rows = [cells(row, entries_of(row.entries) if row.entries else "a direction", row.verdict) for row in report.rows]
    lines = table("checked", rows)
    lines += [f"note: {note}" for note in report.notes]
    for row in report.rows:
        if row.verdict == "wrong":
            claim = f"the {DERIVATIVES[report.order]} is {row.worst.claimed:.6g} {_where(row)}"
            lines += ["", f"{row.name}: {claim}, differences give {row.worst.measured:.6g}"]
    for suspect in report.suspects:
        lines.append("")
        lines += _suspect_lines(suspect, source)
    lines.append("")
    lines.append(_verdict(report))
    return Marked.of_lines(lines)


def table(counted: str, body: list[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines in columns, below a heading that says what was done to the entries."""
    rows = [("input", "shape", counted, "largest error", "relative", "at", ""), *body]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    # Numbers are aligned at the right.
    lines = []
    for row in rows:
        cells = [w.rjust(n) if k in (3, 4) else w.ljust(n) for k, (w, n) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return [Heading(lines[0]), *lines[1:]]


def entries_of(count: int) -> str:
    """A number of entries in words."""
    return f"{count} {'element' if count == 1 else 'elements'}"


def cells(row: Any, many: str, verdict: str) -> tuple[str, ...]:
    """The cells of a row that has a name, a shape, a place and errors; `many` tells of the entries."""
    at = "" if row.place is None else str(list(row.place)) if row.place else "-"
    return (row.name, str(row.shape), many, f"{row.largest:.1e}", f"{row.relative:.1e}", at, verdict)


def _where(row: Row) -> str:
    if row.place is None:
        return "along a random direction"
    return f"at {list(row.place)}" if row.place else "here"


def _suspect_lines(suspect: Suspect, source: str) -> list[str]:
    slope = suspect.slope
    if slope.verdict == "undefined":
        first = f"{suspect.op} is not finite here: its gradient may be nan even where its value is not used"
    elif slope.verdict == "kink":
        first = f"{suspect.op} is not smooth here: its slope jumps, and the gradient lies between the two sides"
    else:
        first = f"suspicious: the derivative of {suspect.op} for operand {suspect.operand + 1} is {slope.claimed:.6g} "
        first += f"along a random direction, differences give {slope.measured:.6g}"
    if suspect.span is None:
        return [first]
    *lines, carets = quote(source, suspect.span)
    return [first, *lines, Carets(carets)]


def _verdict(report: Report) -> str:
    verdicts = {row.verdict for row in report.rows}
    what = f"{DERIVATIVES[report.order]}s"
    if "wrong" in verdicts:
        names = ", ".join(row.name for row in report.rows if row.verdict == "wrong")
        return f"{what} differ from central differences: {names}"
    text = f"{what} agree with central differences"
    if "kink" in verdicts:
        text += ", except on kinks, where both sides differ"
    if "symmetric" in verdicts:
        text += ", for symmetric matrices: a derivative of one triangle alone is not given"
    if "edge" in verdicts:
        text += ", except where the expression is undefined nearby"
    return text


def check_json(report: Report, source: str) -> str:
    """One line of strict JSON."""
    rows = [
        {"name": row.name, "shape": row.shape, "entries": row.entries, "verdict": row.verdict}
        | {"max_abs_error": row.largest, "max_rel_error": row.relative, "index": row.place}
        | {"gradient": row.worst.claimed, "difference": row.worst.measured}
        for row in report.rows
    ]
    found = [
        {"op": s.op, "operand": s.operand, "verdict": s.slope.verdict}
        | {"gradient": s.slope.claimed, "difference": s.slope.measured, **_place(s.span, source)}
        for s in report.suspects
    ]
    return to_json({"ok": report.ok, "order": report.order, "inputs": rows, "operations": found, "notes": report.notes})


def _place(span: Span | None, source: str) -> dict[str, object]:
    if span is None:
        return {"span": None}
    file, _, place = located(source, span)
    return {"span": place, "file": file} if file else {"span": place}
